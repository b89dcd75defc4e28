"""The same stages on a recording: every frame, one thread, the same bytes every time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from smartcam.camera.recording import recording
from smartcam.config import Config
from smartcam.data import Message, Motion, Scene
from smartcam.detect.detector import Detector
from smartcam.detect.motion import MotionGate
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.cascade import Cascade
from smartcam.pipeline.eye import Eye
from smartcam.pipeline.judge import Judge, Reporter
from smartcam.pipeline.models import Models, check_labels
from smartcam.rules.engine import Engine
from smartcam.rules.ids import Ulids
from smartcam.workers import Waiting

EPOCH = 946_728_000.0
"""2000-01-01T12:00:00Z: when a recording begins unless one says otherwise."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How recordings are played through one camera's rules."""

    config: Config
    rules_file: Path | None
    """Where its rules stand; None where nobody wrote them."""
    camera: str
    wall_start: float = EPOCH
    look_at_all: bool = False
    """Leaves the motion gate off."""

    def run(
        self,
        clips: Iterable[Path],
        *,
        tell: Callable[[Message], object],
        see: Callable[[Scene], object] = lambda _: None,
        pictures: bool = True,
    ) -> None:
        """Play each clip by itself, from the same start; `tell` gets every message, `see` every scene.

        Without `pictures` no snapshot is made; the events are the same.

        Raises:
            SmartcamError: a clip cannot be read.
            BadConfig: the model, or a label that a rule names, cannot be used.
            Unavailable: the model is not here, or cannot be run to the end.
        """
        name = self.config.model_of(self.camera)
        models = Models.find(self.config, [name])
        if self.rules_file:
            check_labels(self._with_its_rules_only(), models, self.rules_file)
        with ExitStack() as stack:
            detector, cascade = assemble(models, name, stack, strict=True)
            detector.wait_ready(self.config.model[name].open_timeout)
            cascade.wait_ready(self.config.model[name].open_timeout)
            reporter = Reporter(Topics(self.config.node.name), models.title, tell, clock_ok=lambda: True)
            new_id = Ulids(random.Random(0))
            for clip in clips:
                cascade.forget()
                snapshots = Snapshots(self.config, reporter.snapshot if pictures else None)
                judge = Judge(Engine(self.config, new_id), snapshots, reporter.event)
                self._play(clip, detector, cascade, snapshots, judge, see)

    def _with_its_rules_only(self) -> Config:
        """Rules of other cameras may wait for what other models see."""
        rules = {name: rule for name, rule in self.config.rule.items() if self.camera in self.config.cameras_of(rule)}
        return self.config.model_copy(update={"rule": rules})

    def _play(
        self,
        clip: Path,
        detector: Detector,
        cascade: Cascade,
        snapshots: Snapshots,
        judge: Judge,
        see: Callable[[Scene], object],
    ) -> None:
        section = self.config.camera[self.camera]

        def seen(scene: Scene) -> None:
            see(scene)
            judge.judge(scene)
            snapshots.work()

        eye = Eye(detector, {self.camera: section}, seen, cascade=cascade, strict=True)
        gate = MotionGate()
        for frame in recording(clip, self.camera, self.wall_start, section.rotate):
            look = self.look_at_all or not section.motion
            moved = Motion.everywhere() if look else gate.look(frame.picture.luma, frame.at)
            eye.take(Waiting(frame, moved))
        eye.flush()
        judge.finish()
        snapshots.work()
