"""What the node says of itself: N/info, N/health and N/config."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from smartcam import __version__
from smartcam.config import Config
from smartcam.detect.accelerator import AcceleratorState
from smartcam.detect.model import ModelFile
from smartcam.mqtt.health import (
    CameraHealth,
    HealthPayload,
    InfoPayload,
    LinkHealth,
    ModelHealth,
    ModelInfo,
    OutboxHealth,
)
from smartcam.owed import Outbox
from smartcam.pipeline.digest import Digest
from smartcam.pipeline.health import EVERY_S, UPLINK, Teller, clock_ok, disk_free_mib, resident_mib, temperature_c
from smartcam.pipeline.lookout import Lookout
from smartcam.pipeline.reload import InForce
from smartcam.pipeline.sensing import Sensing
from smartcam.pipeline.uplink import Uplink
from smartcam.rules.labels import expand
from smartcam.service import notify, state_folder
from smartcam.service.control import Answer
from smartcam.workers import Alive, Worker

TURN_S = 1.0
MOST_RULES = 50
"""In the near misses of one message."""


class Spokesman:
    """Looks at the parts of the daemon once a second, and tells what is worth telling.

    `workers` and `troubles` are asked at every turn: a reload replaces the ones, and the others come and go.
    """

    def __init__(
        self,
        in_force: Callable[[], InForce],
        uplink: Uplink,
        sensing: Sensing,
        *,
        outbox: Outbox,
        digest: Digest,
        workers: Callable[[], Iterable[Worker]],
        near_misses: Counter[str],
        troubles: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._in_force = in_force
        self._uplink = uplink
        self._sensing = sensing
        self._outbox = outbox
        self._digest = digest
        self._workers = workers
        self._near_misses = near_misses
        self._troubles = troubles
        self._began = time.monotonic()

    @property
    def _config(self) -> Config:
        return self._in_force().plan.config

    def verbs(self) -> dict[str, Answer]:
        """For the control socket."""
        return {"status": lambda _: self.health().model_dump()}

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        teller = Teller(self._tell_health, self._config.mqtt.health_pause)
        time.sleep(TURN_S)  # In its first moment everything is still opening: nobody needs to be told.
        while alive():
            self._uplink.publish_state(self._uplink.topics.info, self.info().encode())
            health = self.health()
            teller.pause_s = EVERY_S if self._uplink.clips_wait else self._config.mqtt.health_pause
            teller.look(health, time.monotonic(), is_dear=self._uplink.allowance.is_spent)
            self._digest.look(time.monotonic())
            notify.status(in_a_line(health))
            time.sleep(TURN_S)

    def tell_config(self) -> None:
        """Which configuration is in force, and what is wrong with a newer one."""
        self._uplink.publish_state(self._uplink.topics.config, self._in_force().payload.encode())

    def tell_all(self) -> None:
        """To a new connection, what is told only when it changes."""
        self.tell_config()
        self._digest.tell_again()
        self._tell_health(self.health())
        for name, lookout in self._sensing.lookouts.items():
            self.tell_camera(name, lookout.status.online)

    def tell_camera(self, name: str, online: bool) -> None:
        self._uplink.publish_state(self._uplink.topics.camera(name).status, "online" if online else "offline")

    def info(self) -> InfoPayload:
        """What this node is."""
        return InfoPayload(
            node=self._config.node.name,
            version=__version__,
            models=tuple(
                ModelInfo(
                    name=model.name,
                    sha256=model.sha256,
                    runtime=state.runtime or None,
                    accelerator=state.device or None,
                )
                for model, state in self._states().values()
            ),
            cameras=tuple(self._config.camera),
            labels=tuple(sorted(self._labels_of_rules())),
        )

    def health(self) -> HealthPayload:
        """How it is right now."""
        backlog = self._outbox.backlog
        link = self._uplink.status
        return HealthPayload(
            node=self._config.node.name,
            version=__version__,
            uptime_s=round(time.monotonic() - self._began, 1),
            clock_ok=clock_ok(),
            degraded=tuple(self._degraded()),
            cameras={name: _camera_health(lookout) for name, lookout in self._sensing.lookouts.items()},
            models={name: self._model_health(name, state) for name, (_, state) in self._states().items()},
            mqtt=LinkHealth(
                connected=link.connected,
                protocol=link.protocol,
                reason=link.reason,
                reconnects=link.reconnects,
                published=link.published,
                denied=link.denied,
                sent_bytes=link.sent_bytes,
                received_bytes=link.received_bytes,
            ),
            outbox=OutboxHealth(
                depth=backlog.depth,
                bytes=backlog.bytes,
                dropped={**backlog.dropped},
                failed={**backlog.failed},
            ),
            temperature_c=temperature_c(),
            memory_mib=self._memory_mib(),
            disk_free_mib=disk_free_mib(state_folder(self._config.node.data)),
            near_misses=self._most_missed(),
        )

    def _states(self) -> dict[str, tuple[ModelFile, AcceleratorState]]:
        """Every model by its name: detectors as the configuration calls them, then those that take second looks."""
        eyes = self._sensing.eyes
        detectors = {name: (eye.detector.model, eye.detector.state) for name, eye in eyes.items()}
        others = [classifier for eye in eyes.values() for classifier in eye.classifiers]
        return {other.model.name: (other.model, other.state) for other in others} | detectors

    def _model_health(self, name: str, state: AcceleratorState) -> ModelHealth:
        eye = self._sensing.eyes.get(name)
        return ModelHealth(
            state=state.name,
            reason=state.reason or None,
            device=state.device or None,
            invoke_ms=None if state.invoke_ms is None else round(state.invoke_ms, 2),
            temperature_c=None if state.temperature_c is None else round(state.temperature_c, 1),
            restarts=state.restarts,
            looks=eye.looks if eye else None,
            pid=state.pid,
        )

    def _tell_health(self, health: HealthPayload) -> None:
        self._uplink.publish_state(self._uplink.topics.health, health.encode(), qos=0)

    def _degraded(self) -> Iterator[str]:
        if trouble := self._in_force().trouble:
            yield trouble
        if trouble := self._digest.trouble:
            yield UPLINK + trouble
        for name, lookout in self._sensing.lookouts.items():
            if not lookout.status.online:
                yield f"camera {name}: {lookout.status.reason}"
            if (record := lookout.record_status) and not record.online:
                yield f"camera {name}: its record stream: {record.reason}; snapshots come from the small one"
        for name, (_, state) in self._states().items():
            if state.name != "ready":
                yield f"model {name}: {state.reason or 'opening'}"
            elif state.degraded:
                yield f"model {name}: {state.degraded}"
        if not self._uplink.status.connected:
            yield f"mqtt: {self._uplink.status.reason}"
        if trouble := self._uplink.status.trouble:
            yield f"mqtt: {trouble}"
        yield from self._troubles()
        for worker in self._workers():
            if worker.trouble:
                yield f"{worker.name}: it fails and is run again: {worker.trouble}"
        if not clock_ok():
            yield "clock: not set since power came on"

    def _memory_mib(self) -> float | None:
        """The daemon and its children together."""
        pids = {state.pid for _, state in self._states().values() if state.pid}
        sizes = [resident_mib(), *map(resident_mib, pids)]
        return round(sum(size for size in sizes if size), 1)

    def _most_missed(self) -> dict[str, int]:
        counted = self._near_misses.copy().most_common()
        return dict([(rule, number) for rule, number in counted if rule in self._config.rule][:MOST_RULES])

    def _labels_of_rules(self) -> set[str]:
        labels: set[str] = set()
        for rule in self._config.rule.values():
            named = expand((*rule.see, *rule.with_), self._config.group)
            labels |= set(self._in_force().plan.models.labels()) if named is None else named
        return labels


def in_a_line(health: HealthPayload) -> str:
    """For `systemctl status`: what the daemon is doing."""
    online = [camera for camera in health.cameras.values() if camera.online]
    fps = sum(camera.fps or 0 for camera in online)
    said = f"{len(online)} of {len(health.cameras)} cameras, {fps:.1f} fps"
    if health.outbox:
        said += f", outbox {health.outbox.depth}"
    return f"{said}; degraded: {health.degraded[0]}" if health.degraded else said


def _camera_health(lookout: Lookout) -> CameraHealth:
    status = lookout.status
    return CameraHealth(
        online=status.online,
        reason=status.reason or None,
        fps=None if status.fps is None else round(status.fps, 1),
        frames=lookout.frames,
        dropped=lookout.dropped,
    )
