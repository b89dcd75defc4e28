"""The eyes and cameras of a configuration: from the streams to scenes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Self

from smartcam import config
from smartcam.camera.ring import Ring
from smartcam.camera.stream import CameraStatus
from smartcam.data import Detections, Frame, Picture, Scene, Track
from smartcam.evidence.wanting import READ_S, seconds_wanted
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.eye import BLIND_S, Eye, Gaze
from smartcam.pipeline.lookout import Lookout
from smartcam.pipeline.parts import Parts
from smartcam.pipeline.plan import CameraParts, EyeParts, Plan
from smartcam.workers import LatestFrames, Worker


class Sensing:
    """One thread for each camera, and one for each detector with its accelerator, shared by the cameras it looks at.

    `emit` gets every scene, `on_status` each camera's name and whether it is online, `on_gone` the name of one that
    was removed.
    """

    def __init__(
        self,
        emit: Callable[[Scene], None],
        on_status: Callable[[str, bool], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._emit = emit
        self._on_status = on_status
        self._on_gone = on_gone
        self._eyes: Parts[EyeParts, Eye] = Parts()
        self._cameras: Parts[CameraParts, Lookout] = Parts()
        self._waiting: dict[str, LatestFrames] = {}
        """By eye: it outlives the eye that takes from it, so that a new model goes on where the old one stopped."""
        # Shared by all eyes: a camera's tracks go on under another model.
        self._sections: dict[str, config.Camera] = {}
        self._gazes: dict[str, Gaze] = {}
        self._stood: dict[str, tuple[float, tuple[Track, ...]]] = {}
        self._latest: dict[str, Lookout] = {}
        """Each camera's, also when it has ended: its last events still want pictures."""
        self._renewing = False
        self._eye_of: dict[str, str] = {}
        self._wanted_s: Mapping[str, float] = {}
        """Of packets, by camera: what the rules' clips need."""
        self._read: frozenset[str] = frozenset()
        """Cameras whose packets clips are being made of."""
        self._keeping = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cameras.end_all()
        self._eyes.end_all()

    @property
    def eyes(self) -> dict[str, Eye]:
        return self._eyes.things

    @property
    def lookouts(self) -> dict[str, Lookout]:
        return self._cameras.things

    @property
    def workers(self) -> list[Worker]:
        return [*self._eyes.workers, *self._cameras.workers]

    @property
    def over(self) -> bool:
        """Whether every recording has come to its end, and there is nothing else."""
        return not self._renewing and all(worker.done for worker in self._cameras.workers)

    def renew(self, plan: Plan) -> None:
        """Start, end and leave alone what this plan asks for; doing it again changes nothing."""
        self._renewing = True
        cameras, eyes = plan.cameras(), plan.eyes()
        self._cameras.end(self._cameras.unlike(cameras))
        # A recording that played faster than time is ahead of it: what takes its place is not.
        self._stood = {name: stood for name, stood in self._stood.items() if stood[0] <= time.monotonic()}
        for name in self._sections.keys() - cameras.keys():
            self._forget(name)
        self._sections.update(plan.config.camera)
        for name in self._eyes.unlike(eyes):
            self._end_eye(name, for_another=name in eyes)
        for name, eye in eyes.items():
            if name not in self._eyes:
                self._start_eye(name, eye, plan)
        for name, camera in cameras.items():
            if name not in self._cameras:
                self._start_camera(name, camera)
        with self._keeping:
            self._wanted_s = seconds_wanted(plan.config)
            self._keep()
        self._renewing = False

    def large(self, camera: str, at: float) -> Picture | None:
        """The moment from the camera's record stream, or None."""
        lookout = self._latest.get(camera)
        return lookout.large(at) if lookout else None

    def ring(self, camera: str) -> Ring | None:
        """The last packets of the camera's larger stream, or of its only one; None where it is gone for good."""
        lookout = self._latest.get(camera)
        return lookout.ring if lookout else None

    def read(self, cameras: frozenset[str]) -> None:
        """Clips are being made of these cameras: their packets stay until they are taken, whatever the rules want."""
        with self._keeping:
            self._read = cameras
            self._keep()

    def glance(self, camera: str, picture: Picture) -> Detections | None:
        """What is in a picture of this camera that no eye has looked at; None when no eye comes to it in time."""
        eye = self._eyes.get(self._eye_of.get(camera, ""))
        return eye.glance(Frame(camera, 0, time.monotonic(), time.time(), picture)) if eye else None

    def _keep(self) -> None:
        for name, lookout in tuple(self._latest.items()):
            lookout.keep(max(self._wanted_s.get(name, 0.0), READ_S if name in self._read else 0.0))

    def _start_eye(self, name: str, made_of: EyeParts, plan: Plan) -> None:
        stack = ExitStack()
        detector, cascade = assemble(plan.models, name, stack)
        eye = Eye(detector, self._sections, self._seen, cascade=cascade, gazes=self._gazes)
        waiting = self._waiting.setdefault(name, LatestFrames())
        self._eyes.start(name, made_of, eye, [Worker(f"eye {name}", partial(eye.run, waiting))], stack)

    def _end_eye(self, name: str, *, for_another: bool) -> None:
        if for_another and (eye := self._eyes.get(name)):
            eye.hand_over()
        self._eyes.end([name])
        if not for_another:
            del self._waiting[name]

    def _start_camera(self, name: str, made_of: CameraParts) -> None:
        lookout = Lookout(
            name,
            made_of.section,
            self._waiting[made_of.eye],
            on_status=self._camera_is,
            on_tick=self._tick,
            sound=made_of.sound,
        )
        self._latest[name] = lookout
        self._eye_of[name] = made_of.eye
        self._camera_is(name, lookout.status)
        stack = ExitStack()
        stack.callback(self._on_status, name, False)
        self._cameras.start(name, made_of, lookout, lookout.workers(), stack)

    def _forget(self, name: str) -> None:
        """A camera that was removed. Its gaze stays: should it come back, no new thing gets an old one's number."""
        del self._sections[name]
        self._stood.pop(name, None)
        self._latest.pop(name, None)
        self._eye_of.pop(name, None)
        self._on_gone(name)

    def _camera_is(self, name: str, status: CameraStatus) -> None:
        self._on_status(name, status.online)

    def _seen(self, scene: Scene) -> None:
        """The eyes' way on. A camera that changed its eye may leave a frame behind in the old one: that comes late."""
        last_at, _ = self._stood.get(scene.camera, (scene.at, ()))
        if scene.at >= last_at:
            self._stood[scene.camera] = scene.at, scene.tracks
            self._emit(scene)

    def _tick(self, camera: str, at: float, wall: float) -> None:
        """While a camera is away its things stand where they stood, for a while."""
        lookout = self._cameras.get(camera)
        if lookout is None or lookout.has_frames_waiting:
            return  # Its last frames are still to be looked at: time must not overtake them.
        seen_at, tracks = self._stood.get(camera, (at, ()))
        standing = tracks if at - seen_at < BLIND_S else ()
        self._emit(Scene(camera, at, wall, standing, looked=False, frame=None, online=False))
