"""The same stages on a recording: every frame, one thread, the same bytes every time.

What was seen is kept (`scenes`), so that other rules judge it in seconds; whether it was seen now or then changes no
byte of what is told. Where pictures are wanted, or every frame looked at, the recording itself is played.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from logging.handlers import BufferingHandler
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from smartcam.camera.recording import recording
from smartcam.config import Config
from smartcam.data import Event, Message, Motion, Scene
from smartcam.detect.detector import Detector
from smartcam.detect.fetch import cache_folder
from smartcam.detect.motion import MotionGate
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.cascade import Cascade
from smartcam.pipeline.eye import Eye
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.models import Models, check_labels
from smartcam.pipeline.reporter import Reporter
from smartcam.pipeline.scenes import KeptScenes, key_of
from smartcam.pipeline.story import Notes, Story
from smartcam.rules.engine import Engine, asked_by
from smartcam.rules.ids import Ulids
from smartcam.workers import Waiting

EPOCH = 946_728_000.0
"""2000-01-01T12:00:00Z: when a recording begins unless one says otherwise."""


@dataclass(frozen=True, slots=True)
class Pretence:
    """What is taken to be so while recordings are judged."""

    wall_start: float = EPOCH
    """When they begin, in Unix seconds."""
    armed: bool | None = None
    """None is as the configuration has it."""
    mode: str | None = None


class Rules(NamedTuple):
    """A configuration's rules."""

    config: Config
    file: Path | None
    """Where they stand; None where nobody wrote them."""

    def check(self, camera: str, models: Models) -> None:
        """Refuse labels that the camera's models do not know. Rules of other cameras may wait for what others see.

        Raises BadConfig.
        """
        if self.file:
            rules = {name: rule for name, rule in self.config.rule.items() if camera in self.config.cameras_of(rule)}
            check_labels(self.config.model_copy(update={"rule": rules}), models, self.file)

    def stands_on_the_ground_of(self, other: Rules) -> bool:
        """Whether zones and lines are the same."""
        return (self.config.zone, self.config.line) == (other.config.zone, other.config.line)

    def unlike(self, other: Rules) -> Config:
        """The configuration with those rules alone that may not say word for word what the other's rule says."""
        config = self.config
        if config.zone != other.config.zone:
            return config  # Any event tells the zones of its tracks.
        same = {
            name
            for name, rule in config.rule.items()
            if other.config.rule.get(name) == rule and asked_by(rule, config) == asked_by(rule, other.config)
        }
        rules = {name: rule for name, rule in config.rule.items() if name not in same}
        return config.model_copy(update={"rule": rules})


@dataclass(frozen=True, slots=True)
class Replay:
    """How recordings are played through one camera's rules."""

    rules: Rules
    camera: str
    pretence: Pretence = field(default_factory=Pretence)
    look_at_all: bool = False
    """Leaves the motion gate off."""

    def run(
        self,
        clips: Iterable[Path],
        *,
        tell: Callable[[Message], object] = lambda _: None,
        hear: Callable[[Event], object] = lambda _: None,
        see: Callable[[Scene], object] = lambda _: None,
        pictures: bool = False,
    ) -> Iterator[Story]:
        """Play each clip by itself, from the same start, and say in the end what became of it.

        Meanwhile `tell` gets every message, `hear` every event, and `see` every scene. Without `pictures` no snapshot
        is made; the events are the same.

        Raises:
            SmartcamError: a clip cannot be read.
            BadConfig: the model, or a label that a rule names, cannot be used.
            Unavailable: the model is not here, or cannot be run to the end.
        """
        config = self.rules.config
        with self._viewer(self.rules) as viewer:
            reporter = Reporter(
                Topics(config.node.name),
                viewer.models.title,
                lambda message, *_: tell(message),
                clock_ok=lambda: True,
            )
            new_id = Ulids(random.Random(0))
            for clip in clips:
                snapshots = Snapshots(config, reporter.snapshot if pictures else None)

                def report(event: Event) -> None:
                    reporter.event(event)
                    hear(event)

                jury = Jury(self._engine(config, new_id), snapshots, self._notes(clip), report)

                def seen(scene: Scene, jury: Jury = jury) -> None:
                    see(scene)
                    jury.judge(scene)

                viewer.view(clip, seen, anew=pictures)
                yield jury.finish()

    def compare(self, clips: Iterable[Path], old: Rules) -> Iterator[tuple[Story, Story]]:
        """What the old and the present rules make of each clip. Raises what `run` does."""
        unlike = old.unlike(self.rules)  # What both have is judged once.
        with self._viewer(self.rules, old) as viewer:
            for clip in clips:
                now_engine = self._engine(self.rules.config, Ulids(random.Random(0)))
                shared = now_engine if old.stands_on_the_ground_of(self.rules) else None
                engines = self._engine(unlike, Ulids(random.Random(0)), ground_of=shared), now_engine
                juries = [Jury(engine, Snapshots(engine.config, None), self._notes(clip)) for engine in engines]

                def seen(scene: Scene, juries: list[Jury] = juries) -> None:
                    for jury in juries:
                        jury.judge(scene)

                viewer.view(clip, seen)
                before, now = (jury.finish() for jury in juries)
                yield before.completed(now, old.config.rule), now

    def _viewer(self, *all_rules: Rules) -> Viewer:
        config = self.rules.config
        models = Models.find(config, [config.model_of(self.camera)])
        for rules in all_rules:
            rules.check(self.camera, models)
        return Viewer(models, self.camera, self.pretence.wall_start, look_at_all=self.look_at_all)

    def _notes(self, clip: Path) -> Notes:
        return Notes(clip.name, self.camera, self.pretence.wall_start)

    def _engine(self, config: Config, new_id: Ulids, *, ground_of: Engine | None = None) -> Engine:
        """Of a clip: with no memory of another one, and with what we pretend."""
        engine = Engine(config, new_id, ground_of=ground_of)
        engine.alarm.follow(self.pretence.wall_start)
        if self.pretence.armed is not None:
            engine.alarm.arm(self.pretence.armed)
        if self.pretence.mode is not None:
            engine.alarm.set_mode(self.pretence.mode)
        return engine


class Jury:
    """One set of rules that follows one clip, and what there is to say of it afterwards."""

    def __init__(
        self,
        engine: Engine,
        snapshots: Snapshots,
        notes: Notes,
        report: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._notes = notes
        self._judge = Judge(engine, snapshots, report, note=self._note)

    def judge(self, scene: Scene) -> None:
        """The clip's next scene."""
        self._notes.scene(scene)
        self._judge.judge(scene)
        if self._snapshots.waiting:
            self._snapshots.work()

    def finish(self) -> Story:
        """End what is open, and tell the whole."""
        standings = self._engine.standings()
        self._judge.finish()
        self._snapshots.work()
        return self._notes.story(standings, self._engine.config.rule)

    def _note(self, engine: Engine, events: Sequence[Event], _at: float, _wall: float) -> None:
        for event in events:
            self._notes.event(event)
        self._notes.misses(engine.misses)
        engine.misses.clear()


class Viewer:
    """Turns clips into scenes: kept ones, or else what is seen now. The model is opened for the first that needs it."""

    def __init__(self, models: Models, camera: str, wall_start: float, *, look_at_all: bool) -> None:
        self.models = models
        self._camera = camera
        self._section = models.config.camera[camera]
        self._wall_start = wall_start
        self._look_at_all = look_at_all
        self._kept = KeptScenes(cache_folder(models.config.node.cache) / "scenes")
        self._stack = ExitStack()
        self._opened: tuple[Detector, Cascade] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def view(self, clip: Path, see: Callable[[Scene], None], *, anew: bool = False) -> None:
        """Hand over every scene of a clip; `anew`, with their pictures."""
        key = None if self._look_at_all else key_of(clip, self.models, self._camera)
        if key is None:
            self._play(clip, see)
        elif not anew and (scenes := self._kept.find(key, self._camera, self._wall_start)):
            for scene in scenes:
                see(scene)
        else:
            with self._kept.keeping(key) as keeper, _complaints() as complaints:

                def seen(scene: Scene) -> None:
                    keeper.write(scene)
                    see(scene)

                self._play(clip, seen)
                if complaints:
                    keeper.give_up("the next replay is to complain of it too")

    def _play(self, clip: Path, see: Callable[[Scene], None]) -> None:
        detector, cascade = self._models_at_work()
        cascade.forget()
        eye = Eye(detector, {self._camera: self._section}, see, cascade=cascade, strict=True)
        gate = MotionGate()
        for frame in recording(clip, self._camera, self._wall_start, self._section.rotate, self._section.mask):
            look = self._look_at_all or not self._section.motion
            moved = Motion.everywhere() if look else gate.look(frame.picture.luma, frame.at)
            eye.take(Waiting(frame, moved))
        eye.flush()

    def _models_at_work(self) -> tuple[Detector, Cascade]:
        if self._opened is None:
            name = self.models.config.model_of(self._camera)
            timeout_s = self.models.config.model[name].open_timeout
            detector, cascade = assemble(self.models, name, self._stack, strict=True)
            detector.wait_ready(timeout_s)
            cascade.wait_ready(timeout_s)
            self._opened = detector, cascade
        return self._opened


@contextmanager
def _complaints() -> Iterator[list[logging.LogRecord]]:
    """What is said about a clip while it is played."""
    heard = BufferingHandler(capacity=1000)
    heard.setLevel(logging.WARNING)
    log = logging.getLogger("smartcam.camera")
    log.addHandler(heard)
    try:
        yield heard.buffer
    finally:
        log.removeHandler(heard)
