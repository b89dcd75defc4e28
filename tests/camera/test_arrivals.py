"""The clock of a live stream, against ours."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import av
import pytest

from smartcam.camera.arrivals import Arrivals

STEP_S = 0.04
TICKS = 90_000


class Stream:
    """A camera, of which `Arrivals` sees packets that come when we say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_clock: bool = True) -> None:
        self.now = 0.0
        monkeypatch.setattr("smartcam.camera.arrivals.time.monotonic", lambda: self.now)
        self._pictures = av.open("/dev/null", "w", format="mpegts").add_stream("mpeg4", rate=25)
        self._arrivals = Arrivals(has_clock)

    def comes(self, at: float, timestamp_s: float | None) -> float:
        """When the picture was taken, of which the packet comes at `at`."""
        packet = av.Packet(b"x")
        packet.stream = self._pictures
        packet.time_base = Fraction(1, TICKS)
        packet.pts = None if timestamp_s is None else round(timestamp_s * TICKS)
        self.now = at
        return self._arrivals.of(packet)

    def shows(self, timestamp_s: float) -> float:
        return self._arrivals.picture(round(timestamp_s * TICKS))[0]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    return Stream(monkeypatch)


def test_jitter_of_the_network_is_seen_through(stream: Stream) -> None:
    jitter = random.Random(7)
    taken = [stream.comes(100 + n * STEP_S + jitter.choice([0, 0.01, 0.15]), 7 + n * STEP_S) for n in range(500)]

    steps = [b - a for a, b in itertools.pairwise(taken[20:])]
    assert steps == pytest.approx([STEP_S] * len(steps), abs=1e-4)
    assert taken[-1] == pytest.approx(100 + 499 * STEP_S, abs=1e-3)


def test_no_picture_is_taken_after_it_came(stream: Stream) -> None:
    jitter = random.Random(8)
    for n in range(2000):
        at = 100 + n * STEP_S + jitter.random() ** 4
        assert stream.comes(at, n * STEP_S) <= at + 1e-9


@pytest.mark.parametrize("rate", [0.9999, 1.0001])
def test_clocks_that_drift_apart_stay_together(stream: Stream, rate: float) -> None:
    """By nine seconds a day here."""
    late = [n * STEP_S - stream.comes(n * STEP_S, n * STEP_S * rate) for n in range(20_000)]

    assert max(map(abs, late)) < 0.002


@pytest.mark.parametrize("jump_s", [-1000.0, -3.0, 3.0, 1000.0])
def test_a_clock_that_is_set_is_followed(stream: Stream, jump_s: float) -> None:
    for n in range(100):
        stream.comes(n * STEP_S, 50 + n * STEP_S)
    for n in range(100, 600):
        at = stream.comes(n * STEP_S, 50 + jump_s + n * STEP_S)
        assert at == pytest.approx(n * STEP_S, abs=1e-3)


def test_a_clock_that_is_set_back_by_a_little_is_followed_within_seconds(stream: Stream) -> None:
    for n in range(100):
        stream.comes(n * STEP_S, 50 + n * STEP_S)
    taken = [stream.comes(n * STEP_S, 49 + n * STEP_S) for n in range(100, 600)]

    assert taken[-1] == pytest.approx(599 * STEP_S, abs=1e-3)


def test_what_came_in_a_heap_after_a_pause_was_taken_before_it(stream: Stream) -> None:
    """The link stood still for a second."""
    for n in range(100):
        stream.comes(n * STEP_S, n * STEP_S)
    taken = [stream.comes(125 * STEP_S, n * STEP_S) for n in range(100, 125)]

    assert taken == pytest.approx([n * STEP_S for n in range(100, 125)], abs=1e-3)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_clock_that_runs_wrongly_is_given_up(stream: Stream, rate: float) -> None:
    late = [n * STEP_S - stream.comes(n * STEP_S, n * STEP_S * rate) for n in range(1000)]

    assert max(late) <= 2.1
    assert set(late[-500:]) == {0.0}


def test_without_a_clock_arrival_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg counts timestamps for raw streams, at a rate that nobody gave."""
    stream = Stream(monkeypatch, has_clock=False)
    assert [stream.comes(at, at * 3) for at in (1.0, 2.0, 5.0)] == [1.0, 2.0, 5.0]

    other = Stream(monkeypatch)
    assert [other.comes(at, None) for at in (1.0, 2.0, 5.0)] == [1.0, 2.0, 5.0]


def test_a_picture_has_the_time_of_its_packet(stream: Stream) -> None:
    """Although others are decoded before it."""
    stream.comes(8.0, 0.0)
    taken = [stream.comes(at, timestamp_s) for at, timestamp_s in ((8.4, 0.4), (8.5, 0.2), (8.6, 0.3))]

    assert taken == pytest.approx([8.4, 8.2, 8.3])
    assert [stream.shows(timestamp_s) for timestamp_s in (0.2, 0.3, 0.4)] == pytest.approx([8.2, 8.3, 8.4])


def test_the_time_of_pictures_never_goes_back(stream: Stream) -> None:
    seen = []
    for n in range(300):
        timestamp_s = n * STEP_S - (1.5 if n > 150 else 0)
        stream.comes(n * STEP_S, timestamp_s)
        seen.append(stream.shows(timestamp_s))

    assert seen == sorted(seen)
