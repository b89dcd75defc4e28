"""The eye against a scripted detector: what is looked at, and that no frame is lost or told twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Literal, TypeAlias, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.config import Camera
from smartcam.data import Detections, Frame, Motion, Scene
from smartcam.detect.accelerator import AcceleratorLost, AcceleratorState
from smartcam.detect.detector import Detector
from smartcam.errors import Unavailable
from smartcam.pipeline.eye import Eye
from smartcam.workers import Alive, LatestFrames, Waiting, Worker
from tests.evidence.pictures import flat

FPS = 5
PICTURE = flat(16, 12)
Fate: TypeAlias = Literal["fine", "away", "lost at submit", "lost at collect", "breaks at submit", "breaks at collect"]


class Broken(Exception):
    """Something that nobody expected."""


@dataclass
class ScriptedDetector:
    """What `Detector` is to the eye. `fates` tells by a frame's number what happens with it."""

    hot = False

    fates: Mapping[int, Fate] = field(default_factory=dict)
    sees: frozenset[int] = frozenset()
    """The frames that show a person."""
    next_seq: int = 0
    """Of the frame that will be asked for next: an accelerator that is away for it is not ready."""
    log: list[str] = field(default_factory=list)
    most_in_flight: int = 0
    _held: deque[int] = field(default_factory=deque)

    @property
    def in_flight(self) -> int:
        return len(self._held)

    @property
    def state(self) -> AcceleratorState:
        return AcceleratorState("lost", reason="the cable was pulled")

    def ready(self) -> bool:
        if self.fates.get(self.next_seq) == "away":
            self._held.clear()
            return False
        return True

    def submit(self, frame: Frame) -> None:
        self.log.append(f"submit {frame.seq}")
        if self.fates.get(frame.seq) == "breaks at submit":
            raise Broken
        if self.fates.get(frame.seq) == "lost at submit":
            self._lose()
        self._held.append(frame.seq)
        self.most_in_flight = max(self.most_in_flight, len(self._held))

    def collect(self) -> Detections:
        seq = self._held.popleft()
        self.log.append(f"collect {seq}")
        if self.fates.get(seq) == "breaks at collect":
            raise Broken
        if self.fates.get(seq) == "lost at collect":
            self._lose()
        return PERSON if seq in self.sees else Detections.none(("person",))

    def _lose(self) -> None:
        self._held.clear()
        raise AcceleratorLost("the cable was pulled")


PERSON = Detections(
    np.array([[0.2, 0.2, 0.4, 0.8]], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int32), ("person",)
)
ALWAYS = frozenset(range(1000))


def frames(count: int, *, fps: float = FPS, camera: str = "front") -> list[Frame]:
    return [Frame(camera, n, round(n / fps, 6), 1e9 + n / fps, PICTURE) for n in range(count)]


def moving(frame: Frame) -> Waiting:
    return Waiting(frame, Motion.everywhere())


def still(frame: Frame) -> Waiting:
    return Waiting(frame, Motion.none())


class Watched:
    """An eye, its detector, and the scenes that came of it."""

    def __init__(
        self,
        fates: Mapping[int, Fate] | None = None,
        *,
        sees: Iterable[int] = (),
        strict: bool = False,
        look_again: float = 2.0,
    ) -> None:
        self.detector = ScriptedDetector(fates or {}, frozenset(sees))
        cameras = {name: Camera(source="-", look_again=look_again) for name in ("front", "back")}
        self.scenes: list[Scene] = []
        self.eye = Eye(cast(Detector, self.detector), cameras, self.scenes.append, strict=strict)

    def take(self, works: Iterable[Waiting]) -> Watched:
        for work in works:
            self.detector.next_seq = work.frame.seq
            self.eye.take(work)
        self.eye.flush()
        return self

    @property
    def looked(self) -> list[int]:
        return [scene.frame.seq for scene in self.scenes if scene.looked and scene.frame]

    @property
    def seqs(self) -> list[int]:
        return [scene.frame.seq for scene in self.scenes if scene.frame]


def test_every_frame_becomes_one_scene_with_its_own_detections() -> None:
    watched = Watched(sees=[0, 2]).take(map(moving, frames(4)))
    assert [(scene.at, len(scene.detections)) for scene in watched.scenes] == [(0, 1), (0.2, 0), (0.4, 1), (0.6, 0)]
    assert watched.looked == [0, 1, 2, 3]
    assert watched.eye.looks == 4


def test_the_next_crop_is_prepared_while_the_accelerator_works() -> None:
    detector = Watched().take(map(moving, frames(3))).detector
    assert detector.log == ["submit 0", "submit 1", "collect 0", "submit 2", "collect 1", "collect 2"]
    assert detector.most_in_flight == 2


def test_a_still_scene_costs_one_look() -> None:
    watched = Watched().take(map(still, frames(50)))
    assert watched.looked == [0]
    assert watched.seqs == list(range(50))


def test_a_thing_that_stands_still_is_looked_at_again_on_schedule() -> None:
    """Often until it is known to be real, and then every `look_again`."""
    watched = Watched(sees=ALWAYS).take(map(still, frames(50)))
    sure_at = next(scene.at for scene in watched.scenes if scene.confirmed)
    after = [scene.at for scene in watched.scenes if scene.looked and scene.at > sure_at + 0.4]
    assert sure_at <= 1.0
    assert after
    assert np.allclose(np.diff(after), 2.0)


@pytest.mark.parametrize(("fate", "looked"), [("lost at submit", [0, 1, 2, 5]), ("lost at collect", [0, 1, 2, 3, 6])])
def test_what_was_in_flight_when_the_accelerator_was_lost_goes_unlooked_and_the_next_frame_is_looked_at(
    fate: Fate, looked: list[int]
) -> None:
    """Also when nothing moves any more by then: what moved meanwhile must not be overlooked."""
    watched = Watched({4: fate}).take([*map(moving, frames(5)), *map(still, frames(12)[5:])])
    assert watched.seqs == list(range(12))
    assert watched.looked == looked


def test_before_the_accelerator_is_ready_scenes_go_on_and_its_first_frame_is_looked_at() -> None:
    watched = Watched(dict.fromkeys(range(3), "away")).take(map(still, frames(6)))
    assert watched.seqs == list(range(6))
    assert watched.looked == [3]


def test_tracks_are_carried_while_there_is_no_accelerator() -> None:
    watched = Watched(dict.fromkeys(range(10, 20), "away"), sees=ALWAYS).take(map(moving, frames(30)))
    assert {scene.confirmed[0].id for scene in watched.scenes[9:]} == {1}
    assert watched.scenes[15].confirmed[0].last_at < watched.scenes[15].at


@pytest.mark.parametrize("fate", ["away", "lost at submit", "lost at collect"])
def test_a_strict_eye_refuses_to_go_on_blind(fate: Fate) -> None:
    with pytest.raises(Unavailable, match="was not seen to its end: the cable was pulled"):
        Watched({2: fate}, strict=True).take(map(moving, frames(4)))


@pytest.mark.parametrize("fate", ["breaks at submit", "breaks at collect"])
def test_a_loop_that_fails_and_is_run_again_loses_no_frame(fate: Fate) -> None:
    watched = Watched({1: fate})
    waiting = LatestFrames()
    for frame in frames(4):
        waiting.put(frame, Motion.everywhere(), keep_all=True)
    with pytest.raises(Broken):
        watched.eye.run(waiting, lambda: False)
    watched.eye.run(waiting, lambda: False)
    assert watched.seqs == [0, 1, 2, 3]
    assert watched.detector.in_flight == 0
    assert watched.looked[-2:] == [2, 3] if fate == "breaks at submit" else [3]


def test_a_receiver_that_fails_does_not_get_the_same_scene_again() -> None:
    watched = Watched()
    scenes: list[float] = []

    def emit(scene: Scene) -> None:
        scenes.append(scene.at)
        if len(scenes) == 2:
            raise Broken

    eye = Eye(cast(Detector, watched.detector), {"front": Camera(source="-")}, emit)
    waiting = LatestFrames()
    for frame in frames(4):
        waiting.put(frame, Motion.everywhere(), keep_all=True)
    with pytest.raises(Broken):
        eye.run(waiting, lambda: False)
    eye.run(waiting, lambda: False)
    assert scenes == [0, 0.2, 0.4, 0.6]


def test_cameras_that_share_an_eye_keep_their_own_tracks_and_order() -> None:
    watched = Watched(sees=range(0, 40, 2))
    for front, back in zip(frames(20), frames(20, camera="back"), strict=True):
        watched.eye.take(moving(Frame("front", 2 * front.seq, front.at, front.wall, PICTURE)))
        watched.eye.take(moving(Frame("back", 2 * back.seq + 1, back.at, back.wall, PICTURE)))
    watched.eye.flush()
    assert watched.seqs == list(range(40))
    assert {scene.camera for scene in watched.scenes if scene.tracks} == {"front"}


frame_stories = st.lists(
    st.tuples(
        st.booleans(),  # something moves
        st.booleans(),  # it shows a person
        st.booleans(),  # the next frame is late: nothing waits
    ),
    max_size=40,
)
fates: st.SearchStrategy[Fate] = st.sampled_from(
    ["fine", "fine", "away", "lost at submit", "lost at collect", "breaks at submit", "breaks at collect"]
)


@given(frame_stories, st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_happens_each_frame_becomes_one_scene_in_order(
    stories: list[tuple[bool, bool, bool]], data: st.DataObject
) -> None:
    told: dict[int, Fate] = {n: data.draw(fates) for n in range(len(stories))}
    watched = Watched(told, sees=[n for n, (_, sees, _) in enumerate(stories) if sees])
    for frame, (moves, _, late) in zip(frames(len(stories)), stories, strict=True):
        watched.detector.next_seq = frame.seq
        try:
            watched.eye.take(moving(frame) if moves else still(frame))
            if late:
                watched.eye.flush()
        except Broken:
            run_again(watched.eye)
    run_again(watched.eye)
    assert watched.seqs == list(range(len(stories)))
    assert watched.detector.most_in_flight <= 2


@given(frame_stories)
@settings(max_examples=150, deadline=None)
def test_what_is_looked_at_does_not_depend_on_how_soon_results_are_in(stories: list[tuple[bool, bool, bool]]) -> None:
    """A live eye finishes what is in flight when no frame waits; a replay always has the next one at hand."""
    prompt, busy = (Watched(sees=[n for n, (_, sees, _) in enumerate(stories) if sees]) for _ in range(2))
    for frame, (moves, _, late) in zip(frames(len(stories)), stories, strict=True):
        for watched in (prompt, busy):
            watched.eye.take(moving(frame) if moves else still(frame))
        if late:
            prompt.eye.flush()
    prompt.eye.flush()
    busy.eye.flush()
    assert prompt.looked == busy.looked
    assert [scene.tracks for scene in prompt.scenes] == [scene.tracks for scene in busy.scenes]


def run_again(eye: Eye) -> None:
    """As a worker does after a failure, until it is none any more; nothing waits."""
    while True:
        try:
            eye.run(LatestFrames(), lambda: False)
        except Broken:
            continue
        return


@contextmanager
def running(watched: Watched, waiting: LatestFrames) -> Iterator[None]:
    with Worker("eye", partial(watched.eye.run, waiting)):
        yield


def test_a_glance_tells_what_is_there_and_is_no_part_of_the_story() -> None:
    watched = Watched(sees=[7])
    with running(watched, LatestFrames()):
        glanced = watched.eye.glance(frames(8)[7])
    assert glanced is not None
    assert [label for label, _, _ in glanced] == ["person"]
    assert not watched.scenes
    assert watched.eye.looks == 0


def test_frames_go_before_glances_but_not_for_ever() -> None:
    watched, waiting, stop = Watched(sees=[999]), LatestFrames(), Event()
    glancing = Frame("front", 999, 0.0, 1e9, PICTURE)

    def film(alive: Alive) -> None:
        for frame in frames(100_000):
            if stop.is_set() or not alive():
                return
            waiting.put(frame, Motion.everywhere(), keep_all=True, alive=alive)

    with running(watched, waiting), Worker("film", film):
        glanced = watched.eye.glance(glancing)
        stop.set()
    assert glanced is not None
    assert len(glanced) == 1
    assert watched.scenes, "the frames went on"


def test_nobody_waits_for_a_glance_of_an_eye_that_is_blind_or_ends() -> None:
    blind = Watched({0: "away"})
    with running(blind, LatestFrames()):
        assert blind.eye.glance(frames(1)[0], timeout_s=5.0) is None
    assert Watched().eye.glance(frames(1)[0], timeout_s=0.1) is None
