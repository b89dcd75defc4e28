"""One camera's part of the daemon, on a real clip."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from smartcam.camera.stream import CameraStatus
from smartcam.config import Camera
from smartcam.pipeline.lookout import Lookout
from smartcam.workers import LatestFrames, Waiting
from tests.clips import bar_at, clip

FRAMES = 30
LARGE = (320, 240)


class World:
    """A lookout, and what came of it."""

    def __init__(self, section: Camera) -> None:
        self.waiting = LatestFrames()
        self.statuses: list[tuple[str, bool]] = []
        self.ticks: list[str] = []
        self.lookout = Lookout(
            "yard",
            section,
            self.waiting,
            on_status=self._status,
            on_tick=lambda camera, _at, _wall: self.ticks.append(camera),
        )

    def _status(self, camera: str, status: CameraStatus) -> None:
        self.statuses.append((camera, status.online))

    def play(self, *, until_taken: int = FRAMES, late_s: float = 0.0) -> list[Waiting]:
        """Run it until so many frames were taken, the first of them late."""
        taken: list[Waiting] = []
        with ExitStack() as stack:
            for worker in self.lookout.workers():
                stack.enter_context(worker)
            time.sleep(late_s)
            while len(taken) < until_taken and (work := self.waiting.take(5)):
                taken.append(work)
        return taken


def recording(path: Path, **fields: object) -> Camera:
    return Camera.model_validate({"source": str(clip(path / "yard.mp4", FRAMES)), "pace": "fast"} | fields)


def test_a_recording_that_is_played_fast_loses_no_frame(tmp_path: Path) -> None:
    world = World(recording(tmp_path, repeat=False))
    taken = world.play(late_s=0.3)
    assert [bar_at(work.frame.picture.luma) for work in taken[:20]] == list(range(0, 80, 4))
    assert {work.frame.camera for work in taken} == {"yard"}
    assert (world.lookout.frames, world.lookout.dropped) == (FRAMES, 0)


def test_it_says_whose_status_it_is(tmp_path: Path) -> None:
    world = World(recording(tmp_path, repeat=False))
    world.play()
    assert world.statuses[0] == ("yard", True)


def test_what_moves_is_told_with_the_frame(tmp_path: Path) -> None:
    moved = [bool(work.motion) for work in World(recording(tmp_path)).play(until_taken=20)]
    assert any(moved)


def test_without_the_gate_every_frame_counts_as_moving(tmp_path: Path) -> None:
    assert all(work.motion for work in World(recording(tmp_path, motion=False)).play(until_taken=20))


def test_a_camera_that_is_not_there_ticks(tmp_path: Path) -> None:
    """So that time goes on for what stood in front of it."""
    world = World(Camera(source=str(tmp_path / "nowhere.mp4"), retry_min=0.1, retry_max=0.2))
    with ExitStack() as stack:
        for worker in world.lookout.workers():
            stack.enter_context(worker)
        assert world.waiting.take(0.3) is None
    assert world.ticks[0] == "yard"
    assert not world.lookout.status.online
    assert "no such file" in world.lookout.status.reason


def test_the_larger_stream_gives_the_same_moment(tmp_path: Path) -> None:
    """Both files play in real time, with the bar in the same place, give or take their start."""
    record = str(clip(tmp_path / "large.mp4", FRAMES, size=LARGE))
    world = World(recording(tmp_path, pace="real-time", record=record, repeat=False))
    with ExitStack() as stack:
        for worker in world.lookout.workers():
            stack.enter_context(worker)
        taken = [work for _ in range(10) if (work := world.waiting.take(5))]
        large = world.lookout.large(taken[-1].frame.at)
    assert large is not None
    assert large.size == LARGE
    frames_apart = (bar_at(large.luma) - bar_at(taken[-1].frame.picture.luma)) / 4
    assert abs(frames_apart) <= 8


def test_without_a_larger_stream_there_is_no_larger_picture(tmp_path: Path) -> None:
    assert World(recording(tmp_path)).lookout.large(0.0) is None


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_seconds_that_are_kept_may_change_while_it_runs(tmp_path: Path) -> None:
    """Rules are edited, and no camera is opened anew for that."""
    world = World(recording(tmp_path, pace="real-time"))
    ring = world.lookout.ring
    with ExitStack() as stack:
        for worker in world.lookout.workers():
            stack.enter_context(worker)
        until(lambda: world.lookout.frames > 5)
        assert ring.since(0) == [], "none is kept unless it is asked for"

        world.lookout.keep(5.0)
        until(lambda: ring.span_s > 0.3)

        world.lookout.keep(0.0)
        assert ring.since(0) == []


def test_clips_come_from_the_larger_stream_which_always_has_its_pictures(tmp_path: Path) -> None:
    record = str(clip(tmp_path / "large.mp4", FRAMES, size=LARGE))
    lookout = World(recording(tmp_path, pace="real-time", record=record)).lookout
    with ExitStack() as stack:
        for worker in lookout.workers():
            stack.enter_context(worker)
        until(lambda: lookout.ring.span_s > 0.2)

    assert {packet.coding.size for packet in lookout.ring.since(0)} == {LARGE}
    for asked_s, kept_s in ((5.0, 20.0), (60.0, 60.0), (0.0, 20.0)):
        lookout.keep(asked_s)
        assert lookout.ring.max_s == kept_s
