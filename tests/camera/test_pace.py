from hypothesis import given
from hypothesis import strategies as st

from smartcam.camera.pace import Pace, Timeline


def test_a_timeline_starts_at_zero_and_follows_the_timestamps() -> None:
    timeline = Timeline(interval_s=0.04)

    assert [timeline.at(t) for t in (3600.0, 3600.5, 3601.25)] == [0.0, 0.5, 1.25]


def test_a_repeated_recording_goes_on_after_one_interval() -> None:
    timeline = Timeline(interval_s=0.5)

    assert [timeline.at(t) for t in (0.0, 0.5, 1.0, 0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_frames_without_timestamps_are_an_interval_apart() -> None:
    timeline = Timeline(interval_s=0.25)

    assert [timeline.at(None) for _ in range(3)] == [0.0, 0.25, 0.5]


@given(st.lists(st.none() | st.floats(-1e6, 1e6)))
def test_a_timeline_never_goes_back(timestamps: list[float | None]) -> None:
    timeline = Timeline(interval_s=0.04)
    times = [timeline.at(t) for t in timestamps]

    assert times == sorted(times)


def test_a_stop_ends_the_wait_for_the_next_frame() -> None:
    """Otherwise a folder with a picture an hour would hold up the shutdown for an hour."""
    turns = iter([True, False])

    assert Pace(1e9, 0.0, real_time=True).reach(0.0, lambda: next(turns)) == (1e9, 0.0)


def test_a_recording_played_fast_does_not_wait() -> None:
    assert Pace(100.0, 5000.0, real_time=False).reach(3600.0, lambda: True) == (3700.0, 8600.0)
