"""What the ring keeps, and what it lets go."""

from __future__ import annotations

import itertools
import threading
import tracemalloc

from smartcam.camera.ring import Ring
from smartcam.data import Coding, Packet

H264 = Coding("h264", (160, 120))
SOUND = Coding("aac", (8000, 1))
STEP_S = 0.04
GROUP = 10


def stream(count: int, *, first: int = 0, size: int = 100, coding: Coding = H264) -> list[Packet]:
    """Packets with a key frame every ten; number `n` is shown at 0.04 n."""
    return [Packet(n, n * STEP_S, n * STEP_S, n % GROUP == 0, bytes(size), coding) for n in range(first, first + count)]


def sound(n: int) -> Packet:
    return Packet(n, n * STEP_S, n * STEP_S, True, b"la", SOUND, audio=True)


def filled(ring: Ring, *packets: Packet) -> Ring:
    for packet in packets:
        ring.add(packet)
    return ring


def numbers(packets: list[Packet]) -> list[int]:
    return [packet.seq for packet in packets]


def test_it_begins_with_a_key_frame() -> None:
    ring = filled(Ring(20), *stream(20, first=5))

    assert numbers(ring.since(0)) == list(range(10, 25))


def test_it_keeps_the_seconds_that_it_promises_and_little_more() -> None:
    ring = Ring(max_s=1.0)
    for packet in stream(100):
        ring.add(packet)
        assert ring.span_s >= min(1.0, packet.at) - 1e-9
        assert ring.span_s < 1.0 + STEP_S * GROUP


def test_it_never_holds_more_bytes_than_it_may() -> None:
    ring = Ring(20, max_bytes=2500)
    for packet in stream(60):
        ring.add(packet)
        assert ring.size_bytes <= 2500

    assert numbers(ring.since(0)) == list(range(40, 60))


def test_it_says_when_there_is_no_room_for_its_seconds() -> None:
    """And not when what went was older than them anyway."""
    ring = filled(Ring(1.0, max_bytes=10_000), *stream(200))
    assert not ring.overflows

    assert filled(Ring(20, max_bytes=2500), *stream(60)).overflows


def test_a_group_that_alone_is_too_large_is_let_go() -> None:
    """Until the next key frame there is nothing that could be decoded."""
    ring = Ring(20, max_bytes=350)
    filled(ring, *stream(7))
    assert (ring.size_bytes, ring.since(0)) == (0, [])

    filled(ring, *stream(5, first=7))
    assert numbers(ring.since(0)) == [10, 11]


def test_what_comes_after_a_cut_begins_at_a_key_frame() -> None:
    """After a reconnection what is here stays usable, and packets that need an unseen key frame are dropped."""
    ring = filled(Ring(20), *stream(8))
    ring.cut()
    filled(ring, *stream(9, first=13))

    assert numbers(ring.since(0)) == [*range(8), 20, 21]
    assert numbers(ring.until(12 * STEP_S)) == list(range(8))
    assert numbers(ring.until(21 * STEP_S)) == [20, 21]


def test_packets_of_another_coding_do_not_continue_a_group() -> None:
    """Of the session before, say: its decoder knows nothing of these."""
    other = Coding("h264", (160, 120))
    assert other == H264
    ring = filled(Ring(20), *stream(8), *stream(4, first=13, coding=other), *stream(2, first=20, coding=other))

    assert numbers(ring.since(0)) == [*range(8), 20, 21]


def test_it_gives_what_shows_a_moment_and_all_after_it() -> None:
    ring = filled(Ring(20), *stream(40, first=10))

    assert numbers(ring.since(25 * STEP_S)) == list(range(20, 50))
    assert numbers(ring.since(30 * STEP_S)) == list(range(30, 50)), "a key frame at that moment is early enough"
    assert numbers(ring.since(0.0)) == list(range(10, 50)), "as early as there is"
    assert numbers(ring.since(99.0)) == list(range(40, 50)), "the last group may go on to that moment"


def test_it_gives_what_is_newer_than_a_number() -> None:
    ring = filled(Ring(20), *stream(25))

    assert numbers(ring.after(17)) == list(range(18, 25))
    assert numbers(ring.after(-1)) == list(range(25))
    assert ring.after(24) == []


def test_pulling_again_and_again_gives_every_packet_once() -> None:
    """While another thread adds them, which is how clips are filled."""
    ring, packets = Ring(1000), stream(5000)
    adder = threading.Thread(target=lambda: filled(ring, *packets))
    adder.start()
    pulled = [-1]
    while pulled[-1] < 4999:
        pulled += numbers(ring.after(pulled[-1]))
    adder.join()

    assert pulled == list(range(-1, 5000))


def test_there_is_no_picture_of_a_moment_far_from_all_packets() -> None:
    ring = filled(Ring(20), *stream(10))

    assert ring.until(9 * STEP_S + 2.1) == []
    assert numbers(ring.until(9 * STEP_S + 1.9)) == list(range(10))
    assert Ring(20).until(0.0) == []


def test_sound_goes_with_the_pictures_that_it_came_with() -> None:
    ring = filled(Ring(20), sound(1), *stream(3, first=10), sound(13), *stream(6, first=14), sound(21))

    assert numbers(ring.since(0)) == [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21], "none before the first picture"
    assert numbers(ring.until(21 * STEP_S)) == [10, 11, 12, *range(14, 20)], "and none where a picture is asked for"


def test_it_keeps_nothing_unless_it_is_told_to() -> None:
    ring = filled(Ring(), *stream(15))
    assert ring.since(0) == []

    ring.max_s = 5.0
    filled(ring, *stream(10, first=15))
    assert numbers(ring.since(0)) == list(range(20, 25))

    ring.max_s = 0.0
    assert (ring.since(0), ring.size_bytes, ring.span_s) == ([], 0, 0.0)


def test_fewer_seconds_take_effect_with_the_next_packet() -> None:
    ring = filled(Ring(20), *stream(100))
    ring.max_s = 0.5
    filled(ring, *stream(1, first=100))

    assert ring.span_s < 1.0


def test_ten_seconds_of_1080p_at_4_mbit_take_little_more_than_they_are() -> None:
    """At most 8 MB, of which 5 are the video: 25 packets a second, an eighth of the bits in a key frame a second."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        ring = Ring(10.0)
        for n, is_key in zip(range(1000), itertools.cycle([True] + [False] * 24), strict=False):
            size = 62_500 if is_key else 18_230
            ring.add(Packet(n, n * STEP_S, n * STEP_S, is_key, bytes(size), H264))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert ring.span_s >= 10.0
    assert after - before < 8e6
