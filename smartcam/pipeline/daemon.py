"""The daemon: every part of a configuration, started sinks first and stopped sources first."""

from __future__ import annotations

import logging
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from smartcam import config
from smartcam.camera.stream import CameraStatus
from smartcam.data import Picture, Scene, Track
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.payloads import detections_message
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.eye import BLIND_S, Eye
from smartcam.pipeline.health import clock_ok
from smartcam.pipeline.judge import Judge, Reporter
from smartcam.pipeline.lookout import Lookout
from smartcam.pipeline.models import Models, check_labels
from smartcam.pipeline.spokesman import Spokesman
from smartcam.rules.engine import Engine
from smartcam.rules.ids import Ulids
from smartcam.service import notify
from smartcam.service.control import SOCKET, Answer, ControlServer
from smartcam.service.folders import runtime_folder
from smartcam.service.watchdog import Watchdog
from smartcam.workers import Channel, LatestFrames, Worker

log = logging.getLogger(__name__)

SCENES = 16
"""Scenes that may wait for the rules; when they are that far behind, the detector waits too."""
SILENT_S = 60.0
"""A worker without a sign of life for so long hangs: the longest honest wait is an opening one of 40 s."""


class Daemon:
    """Runs while the `with` block lasts; `serve` stays in it until there is a reason to leave.

    Raises on entering:
        BadConfig: a model or a label cannot be used.
        Unavailable: a model was not fetched, or another daemon runs.
    """

    def __init__(self, settings: config.Config, file: Path) -> None:
        self._config = settings
        self._file = file
        self._topics = Topics(settings.node.name)
        self._outbox = MemoryOutbox(settings.mqtt.outbox * 2**20)
        self._scenes: Channel[Scene] = Channel(SCENES)
        self._stood: dict[str, tuple[float, tuple[Track, ...]]] = {}
        self._boxes_told_at: dict[str, float] = {}
        self._workers: list[Worker] = []
        self._sources: list[Worker] = []
        self._verbs: dict[str, Answer] = {}
        self._lookouts: dict[str, Lookout] = {}
        self._eyes: dict[str, Eye] = {}
        self._waiting: dict[str, LatestFrames] = {}
        self._stack = ExitStack()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        models = Models.find(self._config)
        check_labels(self._config, models, self._file)
        with ExitStack() as stack:
            # First of all, because it refuses a second daemon before that disturbs the first one's broker and cameras.
            control = stack.enter_context(ControlServer(runtime_folder() / SOCKET, self._verbs))
            self._start_mqtt(stack)
            self._start_judge(stack, models)
            self._start_eyes(stack, models)
            self._start_cameras(stack)
            self._start_telling(stack, models, control)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        notify.stopping()
        # All at once, so that the slowest source is waited for, and not the sum of them.
        for worker in self._sources:
            worker.stop()
        self._stack.close()

    def serve(self) -> None:
        """Feed the watchdog until SIGTERM, SIGINT, or the end of every recording that does not repeat.

        The first signal drains; the second one ends the process at once.
        """
        with _signals(self._stop):
            notify.ready("running")
            watchdog = Watchdog(lambda: self._workers, SILENT_S)
            watchdog.run(lambda: not self._stop.is_set() and not all(source.done for source in self._sources))

    def _start(self, stack: ExitStack, worker: Worker) -> None:
        self._workers.append(stack.enter_context(worker))

    def _start_mqtt(self, stack: ExitStack) -> None:
        """Two connections, so that a picture never delays an alert."""
        link = partial(Link, self._config.mqtt, outbox=self._outbox)
        name = f"smartcam-{self._config.node.name}"
        self._link = link(client_id=name, kinds=("alert", "event"), status_topic=self._topics.status)
        media = link(client_id=f"{name}-media", kinds=("snapshot", "clip"))
        self._start(stack, Worker("mqtt", self._link.run))
        self._start(stack, Worker("mqtt media", media.run))

    def _start_judge(self, stack: ExitStack, models: Models) -> None:
        reporter = Reporter(self._topics, models.title, self._outbox.put, clock_ok=clock_ok)
        self._snapshots = Snapshots(self._config, reporter.snapshot, large=self._large)
        judge = Judge(Engine(self._config, Ulids(random.SystemRandom())), self._snapshots, reporter.event)
        self._start(stack, Worker("evidence", self._snapshots.run))
        stack.callback(judge.finish)
        self._start(stack, Worker("judge", partial(judge.run, self._scenes)))

    def _start_eyes(self, stack: ExitStack, models: Models) -> None:
        """One thread for each detector, with its accelerator, shared by the cameras that it looks at."""
        for name in dict.fromkeys(map(self._config.model_of, self._config.camera)):
            self._waiting[name] = LatestFrames()
            detector, cascade = assemble(models, name, stack)
            cameras = {c: section for c, section in self._config.camera.items() if self._config.model_of(c) == name}
            eye = self._eyes[name] = Eye(detector, cameras, self._seen, cascade=cascade)
            self._start(stack, Worker(f"eye {name}", partial(eye.run, self._waiting[name])))

    def _start_telling(self, stack: ExitStack, models: Models, control: ControlServer) -> None:
        spokesman = Spokesman(
            self._config,
            models,
            self._topics,
            self._link,
            outbox=self._outbox,
            lookouts=self._lookouts,
            eyes=self._eyes,
            workers=self._workers,
            snapshots=self._snapshots,
        )
        spokesman.tell_config(self._file)
        self._verbs["status"] = lambda _: spokesman.health().model_dump()
        self._start(stack, Worker("control", control.run))
        self._start(stack, Worker("health", spokesman.run))

    def _start_cameras(self, stack: ExitStack) -> None:
        for name, section in self._config.camera.items():
            lookout = Lookout(
                name,
                section,
                self._waiting[self._config.model_of(name)],
                on_status=self._camera_is,
                on_tick=self._tick,
            )
            self._lookouts[name] = lookout
            self._camera_is(name, lookout.status)
            stack.callback(self._link.publish_state, self._topics.camera(name).status, "offline")
            for worker in lookout.workers():
                self._start(stack, worker)
                self._sources.append(worker)

    def _camera_is(self, name: str, status: CameraStatus) -> None:
        self._link.publish_state(self._topics.camera(name).status, "online" if status.online else "offline")

    def _seen(self, scene: Scene) -> None:
        """The eyes' way on: to the rules, and to those who want every box."""
        self._stood[scene.camera] = scene.at, scene.tracks
        self._scenes.put(scene)
        rate = self._config.mqtt.detections
        if rate and scene.at - self._boxes_told_at.get(scene.camera, 0.0) >= 1 / rate:
            self._boxes_told_at[scene.camera] = scene.at
            self._link.publish_now(detections_message(self._topics, scene))

    def _tick(self, camera: str, at: float, wall: float) -> None:
        """While a camera is away its things stand where they stood, for a while."""
        if self._waiting[self._config.model_of(camera)]:
            return  # Its last frames are still to be looked at: time must not overtake them.
        seen_at, tracks = self._stood.get(camera, (at, ()))
        standing = tracks if at - seen_at < BLIND_S else ()
        self._scenes.put(Scene(camera, at, wall, standing, looked=False, frame=None, online=False))

    def _large(self, camera: str, at: float) -> Picture | None:
        return self._lookouts[camera].large(at)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT sets `stop`; the second ends the process at once, and the kernel its children."""

    def on_signal(number: int, _: object) -> None:
        log.info("%s: stopping", signal.Signals(number).name)
        stop.set()
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    for each in before:
        signal.signal(each, on_signal)
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)
