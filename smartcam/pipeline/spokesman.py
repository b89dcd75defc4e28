"""What the node says of itself: N/info, N/health and N/config."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from smartcam import __version__
from smartcam.config import Config
from smartcam.detect.accelerator import AcceleratorState
from smartcam.detect.model import ModelFile
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.payloads import (
    CameraHealth,
    ConfigPayload,
    HealthPayload,
    InfoPayload,
    LinkHealth,
    ModelHealth,
    ModelInfo,
    OutboxHealth,
    rfc3339,
)
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.eye import Eye
from smartcam.pipeline.health import Teller, clock_ok, disk_free_mib, resident_mib, temperature_c
from smartcam.pipeline.lookout import Lookout
from smartcam.pipeline.models import Models
from smartcam.rules.labels import expand
from smartcam.service import notify
from smartcam.workers import Alive, Worker

TURN_S = 1.0


class Spokesman:
    """Looks at the parts of the daemon once a second, and tells what is worth telling."""

    def __init__(
        self,
        config: Config,
        models: Models,
        topics: Topics,
        link: Link,
        *,
        outbox: MemoryOutbox,
        lookouts: Mapping[str, Lookout],
        eyes: Mapping[str, Eye],
        workers: Sequence[Worker],
        snapshots: Snapshots,
    ) -> None:
        self._config = config
        self._models = models
        self._topics = topics
        self._link = link
        self._outbox = outbox
        self._lookouts = lookouts
        self._eyes = eyes
        self._workers = workers
        self._snapshots = snapshots
        self._began = time.monotonic()

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        teller = Teller(self._tell_health, self._config.mqtt.health_pause)
        time.sleep(TURN_S)  # In its first moment everything is still opening: nobody needs to be told.
        while alive():
            self._link.publish_state(self._topics.info, self.info().encode())
            health = self.health()
            teller.look(health, time.monotonic())
            notify.status(in_a_line(health))
            time.sleep(TURN_S)

    def tell_config(self, file: Path) -> None:
        """That the configuration in `file` is in force."""
        hash_ = hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.exists() else None
        payload = ConfigPayload(ok=True, hash=hash_, loaded_at=rfc3339(time.time()))
        self._link.publish_state(self._topics.config, payload.encode())

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
        link = self._link.status
        return HealthPayload(
            node=self._config.node.name,
            version=__version__,
            uptime_s=round(time.monotonic() - self._began, 1),
            clock_ok=clock_ok(),
            degraded=tuple(self._degraded()),
            cameras={name: _camera_health(lookout) for name, lookout in self._lookouts.items()},
            models={name: self._model_health(name, state) for name, (_, state) in self._states().items()},
            mqtt=LinkHealth(
                connected=link.connected,
                protocol=link.protocol,
                reason=link.reason,
                reconnects=link.reconnects,
                published=link.published,
                denied=link.denied,
            ),
            outbox=OutboxHealth(
                depth=backlog.depth,
                bytes=backlog.bytes,
                dropped={**backlog.dropped},
                failed={**backlog.failed},
            ),
            temperature_c=temperature_c(),
            memory_mib=self._memory_mib(),
            disk_free_mib=disk_free_mib(Path(self._config.node.data or "/var/lib/smartcam")),
        )

    def _states(self) -> dict[str, tuple[ModelFile, AcceleratorState]]:
        """Every model by its name: detectors as the configuration calls them, then those that take second looks."""
        detectors = {name: (eye.detector.model, eye.detector.state) for name, eye in self._eyes.items()}
        others = [classifier for eye in self._eyes.values() for classifier in eye.classifiers]
        return {other.model.name: (other.model, other.state) for other in others} | detectors

    def _model_health(self, name: str, state: AcceleratorState) -> ModelHealth:
        return ModelHealth(
            state=state.name,
            reason=state.reason or None,
            device=state.device or None,
            invoke_ms=None if state.invoke_ms is None else round(state.invoke_ms, 2),
            temperature_c=None if state.temperature_c is None else round(state.temperature_c, 1),
            restarts=state.restarts,
            looks=self._eyes[name].looks if name in self._eyes else None,
            pid=state.pid,
        )

    def _tell_health(self, health: HealthPayload) -> None:
        self._link.publish_state(self._topics.health, health.encode(), qos=0)

    def _degraded(self) -> Iterator[str]:
        for name, lookout in self._lookouts.items():
            if not lookout.status.online:
                yield f"camera {name}: {lookout.status.reason}"
            if (record := lookout.record_status) and not record.online:
                yield f"camera {name}: its record stream: {record.reason}; snapshots come from the small one"
        for name, (_, state) in self._states().items():
            if state.name != "ready":
                yield f"model {name}: {state.reason or 'opening'}"
            elif state.degraded:
                yield f"model {name}: {state.degraded}"
        if not self._link.status.connected:
            yield f"mqtt: {self._link.status.reason}"
        if dropped := self._snapshots.dropped:
            yield f"evidence: {dropped} pictures were given up, because more were asked for than could be made"
        for worker in self._workers:
            if worker.trouble:
                yield f"{worker.name}: it fails and is run again: {worker.trouble}"
        if not clock_ok():
            yield "clock: not set since power came on"

    def _memory_mib(self) -> float | None:
        """The daemon and its children together."""
        pids = {state.pid for _, state in self._states().values() if state.pid}
        sizes = [resident_mib(), *map(resident_mib, pids)]
        return round(sum(size for size in sizes if size), 1)

    def _labels_of_rules(self) -> set[str]:
        labels: set[str] = set()
        for rule in self._config.rule.values():
            named = expand(rule.see, self._config.group)
            labels |= set(self._models.labels()) if named is None else named
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
