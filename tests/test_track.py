"""Identities over time: what splits, what swaps, what lives and what dies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import Box, Detections, Track
from smartcam.track import Tracker

MOT = Path(__file__).resolve().parents[2] / "shared" / "mot"
LABELS = ("person", "bicycle", "dog", "cat")

Seen = tuple[str, Box, float]
"""Label, box, score."""
DOOR: Box = (0.4, 0.4, 0.5, 0.7)


def seen(*objects: Seen) -> Detections:
    return Detections(
        np.array([box for _, box, _ in objects], np.float32).reshape(-1, 4),
        np.array([score for *_, score in objects], np.float32),
        np.array([LABELS.index(label) for label, *_ in objects], np.int32),
        LABELS,
    )


def person(x: float = 0.1, *, y: float = 0.3, score: float = 0.8, label: str = "person", size: float = 0.1) -> Seen:
    """Somebody whose left edge is at x: `size` wide and three times as high."""
    return label, (x, y, x + size, y + 3 * size), score


def feed(tracker: Tracker, looks: Iterable[tuple[float, Sequence[Seen]]]) -> tuple[Track, ...]:
    """The tracks after all these looks."""
    tracks: tuple[Track, ...] = ()
    for at, objects in looks:
        tracks = tracker.update(at, seen(*objects))
    return tracks


def every(step_s: float, until_s: float, start_s: float = 0.0) -> list[float]:
    return [round(start_s + n * step_s, 6) for n in range(round((until_s - start_s) / step_s) + 1)]


def standing(until_s: float, *objects: Seen, fps: float = 10) -> list[tuple[float, Sequence[Seen]]]:
    return [(at, objects) for at in every(1 / fps, until_s)]


# Birth


def test_one_lucky_frame_confirms_nothing() -> None:
    tracker = Tracker()

    (lucky,) = tracker.update(0.0, seen(person(score=0.99)))

    assert not lucky.confirmed
    assert not any(track.confirmed for at in every(0.1, 2, 0.1) for track in tracker.update(at, seen()))


@pytest.mark.parametrize(("fps", "score", "within_s"), [(1, 0.8, 1), (1, 0.5, 2), (5, 0.5, 0.4), (25, 0.8, 0.16)])
def test_a_real_object_is_confirmed_soon_at_any_frame_rate(fps: float, score: float, within_s: float) -> None:
    tracker = Tracker()

    first = [
        at for at in every(1 / fps, 5) for track in tracker.update(at, seen(person(score=score))) if track.confirmed
    ]

    assert first[0] == pytest.approx(within_s)


def test_many_frames_in_one_blink_are_not_yet_evidence() -> None:
    """At 100 frames/s the same flash of light is seen five times."""
    (track,) = feed(Tracker(), standing(0.05, person(score=0.9), fps=100))

    assert track.hits == 6
    assert not track.confirmed


def test_what_flickers_now_and_then_is_not_real() -> None:
    tracker = Tracker()

    for n, at in enumerate(every(0.1, 20)):
        tracks = tracker.update(at, seen(person(score=0.5)) if n % 4 == 0 else seen())
        assert not any(track.confirmed for track in tracks)


def test_weak_detections_keep_a_track_alive_but_begin_none() -> None:
    weak, strong = person(score=0.3), person(score=0.8)

    assert feed(Tracker(), standing(5, weak)) == ()
    (track,) = feed(Tracker(), [(0.0, [strong]), (0.2, [strong]), *((at, [weak]) for at in every(0.2, 9, 0.4))])
    assert (track.id, track.last_at) == (1, 9.0)


def test_a_second_box_around_a_tracked_object_begins_no_second_track() -> None:
    tracker = Tracker()
    feed(tracker, standing(1, person(0.1)))

    tracks = feed(tracker, [(1.1, [person(0.1), person(0.12)])])

    assert [track.id for track in tracks] == [1]


# Identity


@pytest.mark.parametrize("fps", [1, 2, 5, 15])
def test_someone_who_walks_by_is_one_track_at_any_frame_rate(fps: float) -> None:
    """About 2.8 of their own widths in a second: between two looks at 1 frame/s the boxes do not even touch."""
    tracker = Tracker()

    ids = {track.id for at in every(1 / fps, 6) for track in tracker.update(at, seen(person(0.14 * at, size=0.05)))}

    assert ids == {1}


def test_two_who_pass_each_other_keep_their_ids() -> None:
    tracker = Tracker()
    for at in every(0.1, 5):
        left, right = person(0.05 + 0.15 * at), person(0.8 - 0.15 * at, y=0.33)
        tracks = tracker.update(at, seen(left, right))

    assert [(track.id, round(track.box[0], 2)) for track in tracks] == [(1, 0.8), (2, 0.05)]


def test_who_is_hidden_for_a_while_comes_back_as_the_same() -> None:
    tracker = Tracker()

    walk = [(at, [] if 1.5 < at < 2.9 else [person(0.1 + 0.1 * at)]) for at in every(0.1, 5)]

    assert [track.id for track in feed(tracker, walk)] == [1]


def test_a_dog_that_is_called_cat_for_a_while_stays_one_dog() -> None:
    tracker = Tracker()
    ids, labels = set(), set()
    for n, at in enumerate(every(0.2, 6)):
        for track in tracker.update(at, seen(person(0.3 + 0.02 * at, label="cat" if n % 5 == 3 else "dog"))):
            ids.add(track.id)
            labels.add(track.label)

    assert (ids, labels) == ({1}, {"dog"})


def test_a_wrong_first_name_is_outvoted() -> None:
    looks = [(at, [person(label="cat" if at < 0.3 else "dog")]) for at in every(0.1, 1)]

    assert [track.label for track in feed(Tracker(), looks)] == ["dog"]


@pytest.mark.parametrize("fps", [1, 5])
def test_a_rider_and_the_bicycle_stay_two_also_when_one_of_them_is_missed(fps: float) -> None:
    tracker = Tracker()
    for n, at in enumerate(every(1 / fps, 8)):
        x = 0.05 * at
        rider: Seen = ("person", (x, 0.2, x + 0.06, 0.56), 0.8)
        bicycle: Seen = ("bicycle", (x - 0.03, 0.34, x + 0.09, 0.6), 0.6)
        tracks = tracker.update(at, seen(*([rider], [bicycle], [rider, bicycle], [rider, bicycle])[n % 4]))

    assert {(track.id, track.label) for track in tracks} == {(1, "person"), (2, "bicycle")}


def test_one_lucky_frame_does_not_raise_the_score_of_a_track() -> None:
    looks = [(at, [person(score=0.95 if at == 1 else 0.5)]) for at in every(0.1, 1.4)]

    (track,) = feed(Tracker(), looks)

    assert track.score == 0.5


def test_a_trembling_box_is_smoothed() -> None:
    tracker, rng = Tracker(), np.random.default_rng(1)

    lefts = [tracker.update(at, seen(person(0.4 + rng.normal(0, 0.01))))[0].box[0] for at in every(0.04, 4)]

    assert np.std(lefts) < 0.007
    assert np.mean(lefts) == pytest.approx(0.4, abs=0.003)


def test_a_box_never_leaves_the_frame() -> None:
    """Who runs out of the picture is cut at its edge, and the filter would swing over it."""
    tracker = Tracker()
    for at in every(0.04, 1):
        left = min(0.1 + 1.0 * at, 0.94)
        tracks = tracker.update(at, seen(("person", (left, 0.3, min(left + 0.2, 1), 0.6), 0.8)))
        assert all(track.box[2] <= 1 for track in tracks)


# Death


def test_who_is_gone_is_forgotten_after_the_gap_and_not_before() -> None:
    tracker = Tracker(max_gap_s=2)
    feed(tracker, standing(1, ("person", DOOR, 0.8)))

    alive = [at for at in every(0.1, 5, 1.1) if tracker.update(at, seen())]

    assert alive[-1] == pytest.approx(2.9)


def test_an_unconfirmed_track_goes_much_sooner() -> None:
    tracker = Tracker(max_young_gap_s=0.6)
    tracker.update(0.0, seen(person()))

    alive = [at for at in every(0.1, 5, 0.1) if tracker.update(at, seen())]

    assert alive[-1] == pytest.approx(0.5)


def test_what_stands_still_outlives_a_shut_motion_gate_and_one_look_that_misses_it() -> None:
    """Looked at every 2 s, as `look_again` has it; in between nobody looks, and no such time counts."""
    tracker = Tracker(max_gap_s=2)
    feed(tracker, standing(1, person()))

    for at in every(0.1, 60, 1.1):
        missed = round(at % 6, 1) == 0
        looked = round(at % 2, 1) == 0
        tracks = tracker.update(at, seen() if missed else seen(person())) if looked else tracker.carried(at)
        assert [track.id for track in tracks] == [1]


def test_two_looks_that_miss_it_end_it_at_a_low_frame_rate() -> None:
    tracker = Tracker(max_gap_s=2)
    feed(tracker, standing(3, person(), fps=1))

    assert [len(tracker.update(at, seen())) for at in (33.0, 43.0)] == [1, 0]


def test_an_offline_camera_carries_its_tracks_as_they_were_but_not_for_ever() -> None:
    tracker = Tracker(max_blind_s=60)
    before = feed(tracker, standing(1, person()))

    assert tracker.carried(60.9) == before
    assert tracker.carried(61.1) == ()
    assert tracker.update(61.2, seen(person()))[0].id == 2


def test_an_object_that_stopped_while_nobody_looked_is_found_again() -> None:
    tracker = Tracker()
    feed(tracker, [(at, [person(0.1 + 0.25 * at)]) for at in every(0.1, 1)])

    assert [track.id for track in feed(tracker, [(3.0, [person(0.36)])])] == [1]


def test_a_missed_track_keeps_its_last_box() -> None:
    tracker = Tracker()
    (walking,) = feed(tracker, [(at, [person(0.1 + 0.2 * at)]) for at in every(0.1, 1)])

    (missed,) = tracker.update(1.5, seen())

    assert missed == walking
    assert missed.last_at == 1.0


# Everything at once

boxes = st.tuples(*[st.floats(0, 1, width=32)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
objects = st.lists(st.tuples(st.sampled_from(LABELS), boxes, st.floats(0, 1, width=32)), max_size=6)
looks = st.lists(st.tuples(st.floats(0, 5), st.one_of(st.none(), objects)), max_size=12)


@given(looks)
def test_whatever_comes_ids_are_new_tracks_are_whole_and_a_replay_repeats(
    steps: list[tuple[float, list[Seen] | None]],
) -> None:
    """None is a frame that nobody looked at."""

    def run() -> list[tuple[Track, ...]]:
        tracker, at, told = Tracker(), 0.0, []
        for wait_s, found in steps:
            at += wait_s
            told.append(tracker.carried(at) if found is None else tracker.update(at, seen(*found)))
        return told

    told = run()

    assert told == run()
    highest = 0
    for before, after in zip([(), *told], told, strict=False):
        known, ids = {track.id for track in before}, [track.id for track in after]
        assert ids == sorted(set(ids))
        assert all(new > highest for new in set(ids) - known)
        highest = max([highest, *ids])
        for track in after:
            assert 0 <= track.box[0] <= track.box[2] <= 1
            assert 0 <= track.box[1] <= track.box[3] <= 1
            assert track.first_at <= track.last_at
            assert 0 <= track.score <= 1


@pytest.mark.skipif(not MOT.is_dir(), reason="needs ../shared/mot")
@pytest.mark.parametrize(("every_nth", "most_switches"), [(1, 10), (2, 6), (4, 24)])
def test_real_walkers_seldom_change_their_ids(every_nth: int, most_switches: int) -> None:
    """PETS09-S2L1 at 7, 3.5 and 1.75 frames/s, a sixth of its boxes missing and all of them trembling."""
    truth = np.loadtxt(MOT / "PETS09-S2L1-frames-1-300.gt.txt", delimiter=",")
    truth = truth[truth[:, 6] != 0]
    rng = np.random.default_rng(0)
    tracker, owners, switches = Tracker(), dict[float, int](), 0
    for number in range(1, 301, every_nth):
        rows = truth[(truth[:, 0] == number) & (rng.random(len(truth)) > 1 / 6)]
        corners = rows[:, 2:4] + rng.normal(0, 0.04, (len(rows), 2)) * rows[:, 4:6]
        found = np.hstack([corners, corners + rows[:, 4:6]]) / [768, 576, 768, 576]
        tracks = tracker.update(number / 7, seen(*(("person", tuple(box), 0.6) for box in found.tolist())))
        for track in tracks:
            if track.confirmed and track.last_at == number / 7:
                nearest = np.abs(found - track.box).sum(axis=1).argmin()
                who = rows[nearest, 1]
                switches += owners.get(who, track.id) != track.id
                owners[who] = track.id

    assert len(owners) == 10
    assert switches <= most_switches
