"""Threads that outlive their failures, and what is lost and what is not between them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import WHOLE, Box, Frame, Luma, Motion, Rgb
from smartcam.workers import Alive, Channel, LatestFrames, Worker


class Blank:
    """A picture that nobody looks at."""

    size = (2, 2)
    luma: Luma = np.zeros((2, 2), np.uint8)

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        raise NotImplementedError(box, size)


def frame(camera: str, seq: int) -> Frame:
    return Frame(camera, seq, float(seq), 0.0, Blank())


def moved(seq: int) -> Motion:
    return Motion(np.array([[seq, 0, 0, 0]], np.float32))


def soon(true: Callable[[], bool]) -> bool:
    """Whether it becomes true before long."""
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.002)
    return true()


def test_a_loop_that_fails_is_run_again(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    def loop(alive: Alive) -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise OSError("the lens fell off")

    with Worker("lens", loop, retry_s=0.001) as worker:
        assert soon(lambda: worker.done)

    assert runs == [0, 1, 2]
    assert worker.failures == 2
    assert "lens failed" in caplog.text


def test_leaving_the_block_ends_the_loop_and_a_long_retry_too() -> None:
    def patient(alive: Alive) -> None:
        while alive():
            time.sleep(0.001)

    def broken(alive: Alive) -> None:
        raise OSError

    with Worker("patient", patient) as one, Worker("broken", broken, retry_s=600) as two:
        assert soon(lambda: two.failures == 1)
        assert not one.done

    assert one.done
    assert two.done


def test_a_loop_that_hangs_grows_silent_and_is_left_behind() -> None:
    hang = threading.Event()

    def stuck(alive: Alive) -> None:
        hang.wait(30)

    with Worker("stuck", stuck) as worker:
        assert soon(lambda: worker.silent_s > 0.02)
        worker.stop()
        assert not worker.join(0.01)
        hang.set()

    assert worker.done
    assert worker.silent_s == 0


def test_a_pause_is_a_sign_of_life_and_ends_when_the_worker_does() -> None:
    def loop(alive: Alive) -> None:
        worker.pause(600)

    worker = Worker("sleeper", loop)
    with worker:
        assert soon(lambda: worker.silent_s < 1)

    assert worker.done


def test_a_channel_hands_over_everything_in_order_through_a_narrow_door() -> None:
    channel = Channel[int](capacity=2)

    def send(alive: Alive) -> None:
        for number in range(200):
            channel.put(number)

    with Worker("sender", send):
        assert [channel.take(5) for _ in range(200)] == list(range(200))
    assert channel.take(0) is None


def test_a_full_channel_takes_nothing_once_its_sender_ends() -> None:
    channel = Channel[str](capacity=1)

    assert channel.put("first")
    assert not channel.put("second", alive=lambda: False)
    assert channel.take(0) == "first"
    assert len(channel) == 0


def test_two_receivers_do_not_cut_each_others_waiting_short() -> None:
    """One item wakes both; the one that finds nothing waits on, until the next."""
    channel = Channel[int](capacity=4)
    got: list[int | None] = []
    receivers = [threading.Thread(target=lambda: got.append(channel.take(5))) for _ in range(2)]
    for receiver in receivers:
        receiver.start()
    time.sleep(0.02)

    channel.put(1)
    assert soon(lambda: len(got) == 1)
    time.sleep(0.02)
    channel.put(2)
    for receiver in receivers:
        receiver.join(5)

    assert sorted(got, key=str) == [1, 2]


cameras = st.sampled_from(["front", "yard", "gate"])


@given(st.lists(st.one_of(cameras, st.none()), max_size=60))
def test_latest_frames_loses_only_what_it_counts_and_no_motion(turns: list[str | None]) -> None:
    """Each turn is a frame of a camera, or None: the accelerator takes one."""
    waiting = LatestFrames()
    sent: dict[str, int] = defaultdict(int)
    taken: list[tuple[Frame, Motion]] = []
    for camera in [*turns, *[None] * 3]:
        if camera:
            sent[camera] += 1
            waiting.put(frame(camera, sent[camera]), moved(sent[camera]))
        elif item := waiting.take(0):
            taken.append(item)
        assert len(waiting) <= 3

    assert len(waiting) == 0
    for camera, count in sent.items():
        own = [(frame.seq, motion.boxes[:, 0].tolist()) for frame, motion in taken if frame.camera == camera]
        assert [seq for seq, _ in own] == sorted({seq for seq, _ in own})
        assert own[-1][0] == count
        assert len(own) + waiting.dropped.get(camera, 0) == count
        assert sorted(number for _, motion in own for number in motion) == list(range(1, count + 1))


def test_the_camera_that_waits_longest_is_first_also_when_its_frame_was_replaced() -> None:
    waiting = LatestFrames()
    for camera, seq in [("front", 1), ("yard", 1), ("front", 2)]:
        waiting.put(frame(camera, seq), Motion.none())

    order = [waiting.take(0) for _ in range(2)]

    assert [(item.frame.camera, item.frame.seq) for item in order if item] == [("front", 2), ("yard", 1)]


def test_a_recording_waits_for_its_turn_and_loses_nothing() -> None:
    waiting = LatestFrames()

    def play(alive: Alive) -> None:
        for seq in range(30):
            waiting.put(frame("clip", seq), Motion.none(), keep_all=True, alive=alive)

    with Worker("clip", play):
        assert soon(lambda: len(waiting) == LatestFrames.DEPTH)
        seqs = [item.frame.seq for _ in range(30) if (item := waiting.take(5))]

    assert seqs == list(range(30))
    assert waiting.dropped == {}


def test_a_camera_that_turns_from_recording_to_live_keeps_its_order() -> None:
    waiting = LatestFrames()
    waiting.put(frame("front", 1), Motion.none(), keep_all=True)
    waiting.put(frame("front", 2), Motion.none(), keep_all=True)
    waiting.put(frame("front", 3), Motion.none())

    assert [item.frame.seq for _ in range(2) if (item := waiting.take(0))] == [1, 3]
