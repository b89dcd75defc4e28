"""How fast pictures may be written, by a clock that the test moves."""

from __future__ import annotations

import pytest

from smartcam.mqtt.pace import BURST_S, DEBT_S, WRITE_BYTES, Lane, Pace

RATE = 2000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def written(lane: Lane, clock: Clock, seconds: float) -> int:
    """Bytes that go in that time, with a network that takes all."""
    end, total = clock.now + seconds, 0
    while clock.now < end:
        while not lane.wait_s():
            total += lane.write(len, b"x" * 100_000)
        clock.now += 0.05
    return total


def test_what_gives_way_is_written_at_the_rate_in_small_pieces(clock: Clock) -> None:
    lane = Lane(Pace(RATE, clock=clock), gives_way=True)
    clock.now += 3600
    assert [lane.write(len, b"x" * 100_000) for _ in range(2)] == [RATE * BURST_S] * 2
    with pytest.raises(BlockingIOError):
        lane.write(len, b"x")
    assert lane.wait_s() == pytest.approx(BURST_S)
    assert written(lane, clock, 60) == pytest.approx(60 * RATE, rel=0.02)


def test_what_matters_more_is_never_held_up_and_is_taken_off_the_rest(clock: Clock) -> None:
    pace = Pace(RATE, clock=clock)
    first, media = Lane(pace, gives_way=False), Lane(pace, gives_way=True)
    assert first.write(len, b"x" * 3000) == 3000
    assert first.wait_s() == 0
    assert written(media, clock, 20) == pytest.approx(20 * RATE - 3000, rel=0.03)


def test_a_storm_of_events_does_not_hold_up_pictures_for_ever(clock: Clock) -> None:
    pace = Pace(RATE, clock=clock)
    for _ in range(100):
        Lane(pace, gives_way=False).write(len, b"x" * 10_000)
    assert Lane(pace, gives_way=True).wait_s() <= DEBT_S + BURST_S


def test_what_websockets_took_in_part_is_offered_again(clock: Clock) -> None:
    """They tell so by taking nothing, upon which paho would forget the rest."""
    lane = Lane(Pace(None, clock=clock), gives_way=True)
    with pytest.raises(BlockingIOError):
        lane.write(lambda _: 0, b"x" * 1000)
    assert lane.write(len, b"x" * 1000) == 1000


def test_without_a_rate_the_kernel_is_given_little_at_a_time(clock: Clock) -> None:
    lane = Lane(Pace(None, clock=clock), gives_way=True)
    assert [lane.write(len, b"x" * 10**6) for _ in range(3)] == [WRITE_BYTES] * 3
    assert lane.wait_s() == 0


def test_what_the_network_did_not_take_is_offered_again_as_long_as_before(clock: Clock) -> None:
    """OpenSSL refuses to go on with less than it was given."""
    pace = Pace(RATE, clock=clock)
    lane = Lane(pace, gives_way=True)
    offered: list[int] = []

    def full(data: bytes | bytearray) -> int:
        offered.append(len(data))
        raise BlockingIOError

    clock.now += 1
    with pytest.raises(BlockingIOError):
        lane.write(full, b"x" * 1000)
    pace.rate = RATE // 2
    with pytest.raises(BlockingIOError):
        lane.write(full, b"x" * 1000)
    assert offered == [500, 500]
