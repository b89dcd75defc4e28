"""The best frame of each track, bounded."""

from __future__ import annotations

from dataclasses import replace

from smartcam.data import Box, Scene, Track
from smartcam.evidence import Album
from tests.evidence.pictures import Painting, flat, frame, noise

SMALL: Box = (0.4, 0.4, 0.5, 0.5)
LARGE: Box = (0.3, 0.3, 0.7, 0.7)
FRAME_BYTES = 160 * 120 * 3 // 2


def track(id_: int, at: float, box: Box = SMALL, score: float = 0.8, *, confirmed: bool = True) -> Track:
    return Track(id_, "person", box, score, 0.0, at, 3, confirmed)


def scene(at: float, *tracks: Track, picture: Painting | None = None) -> Scene:
    return Scene("front", at, 1e6 + at, tracks, looked=True, frame=frame(at, picture))


def best_at(album: Album, *ids: int) -> float:
    best = album.best("front", ids)
    assert best is not None
    return best.frame.at


def test_the_best_frame_since_birth_is_kept_also_from_before_the_track_was_confirmed() -> None:
    album = Album()
    album.look(scene(1, track(1, 1, LARGE, confirmed=False)))
    album.look(scene(2, track(1, 2, SMALL)))

    assert best_at(album, 1) == 1


def test_a_sharp_picture_beats_a_blurred_one() -> None:
    album = Album()
    for at, picture in [(1, noise(blur=6)), (2, noise()), (3, noise(blur=6))]:
        album.look(scene(at, track(1, at), picture=picture))

    assert best_at(album, 1) == 2


def test_a_picture_that_is_hardly_better_does_not_take_the_place_of_another() -> None:
    album = Album()
    album.look(scene(1, track(1, 1, score=0.80)))
    album.look(scene(2, track(1, 2, score=0.85)))

    assert best_at(album, 1) == 1


def test_a_track_that_is_only_carried_on_has_no_picture_in_this_frame() -> None:
    album = Album()
    album.look(scene(1, track(1, 1)))
    album.look(replace(scene(2, track(1, 1, LARGE)), looked=False))

    assert best_at(album, 1) == 1


def test_of_several_tracks_the_best_picture_is_given() -> None:
    album = Album()
    album.look(scene(1, track(1, 1, LARGE)))
    album.look(scene(2, track(1, 1, LARGE), track(2, 2)))

    assert best_at(album, 1, 2) == 1
    assert best_at(album, 2) == 2


def test_without_any_picture_of_the_tracks_the_latest_frame_is_given() -> None:
    album = Album()
    assert album.best("front", [1]) is None

    album.look(scene(5))
    best = album.best("front", [1])

    assert best is not None
    assert (best.frame.at, best.track, best.quality) == (5, None, 0)


def test_a_track_that_ended_is_forgotten_unless_an_event_holds_it() -> None:
    album = Album()
    album.look(scene(1, track(1, 1), track(2, 1)))
    album.hold("front", "event", [1])
    album.look(scene(2))

    assert (best_at(album, 1), best_at(album, 2)) == (1, 2)
    assert album.held_bytes == FRAME_BYTES

    album.release("front", "event")
    album.look(scene(3))
    assert album.held_bytes == 0


def test_each_camera_numbers_its_tracks_by_itself() -> None:
    album = Album()
    album.look(scene(1, track(1, 1)))
    album.hold("back", "event", [1])
    album.look(scene(2))

    assert album.held_bytes == 0


def test_an_event_forgets_the_tracks_that_have_ended_and_are_in_no_picture_any_more() -> None:
    """One that never ends must not grow."""
    album = Album(max_frames=3)
    for number in range(1, 200):
        album.look(scene(number, track(number, number), track(number + 1, number)))
        album.hold("front", "event", [number, number + 1])

    held = album.held("front", "event")
    assert {199, 200} <= held
    assert len(held) <= 6
    assert all(album.best("front", [id_]) for id_ in held)


def test_an_event_keeps_the_tracks_that_are_in_the_picture_of_another() -> None:
    """Their boxes are drawn there."""
    album = Album()
    album.look(scene(1, track(1, 1), track(2, 1, LARGE)))
    album.look(scene(2, track(1, 2, LARGE), track(2, 1, LARGE)))
    album.hold("front", "event", [1, 2])
    album.look(scene(3))

    assert album.held("front", "event") == {1, 2}


def test_tracks_share_frames_and_memory_counts_them_once() -> None:
    album = Album()
    album.look(scene(1, *(track(id_, 1) for id_ in range(5))))

    assert album.held_bytes == FRAME_BYTES


def test_frames_are_bounded_and_the_least_valuable_go_first() -> None:
    """What an event holds stays longest, then what is real, then what is good."""
    album = Album(max_frames=3)
    album.hold("front", "event", [1])
    album.look(scene(1, track(1, 1)))
    album.look(scene(2, track(1, 1), track(2, 2, LARGE)))
    album.look(scene(3, track(1, 1), track(2, 2), track(3, 3)))
    album.look(scene(4, track(1, 1), track(2, 2), track(3, 3), track(4, 4, LARGE, confirmed=False)))

    assert album.held_bytes == 3 * FRAME_BYTES
    assert [best_at(album, id_) for id_ in (1, 2, 3)] == [1, 2, 3]

    album.look(scene(5, track(1, 1), track(2, 2), track(3, 3), track(5, 5, LARGE)))
    assert [best_at(album, id_) for id_ in (1, 2, 5)] == [1, 2, 5]
    assert best_at(album, 3) == 5, "nothing is left of it but the latest frame"


def test_bytes_are_bounded_too_but_one_frame_is_always_kept() -> None:
    album = Album(max_bytes=FRAME_BYTES * 2)
    for at in range(1, 5):
        album.look(scene(at, *(track(id_, id_) for id_ in range(1, at + 1))))
        assert album.held_bytes == min(at, 2) * FRAME_BYTES

    tiny = Album(max_bytes=1)
    tiny.look(scene(1, track(1, 1), picture=flat(1920, 1080)))
    assert tiny.held_bytes == 1920 * 1080 * 3 // 2
