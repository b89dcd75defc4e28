"""Where things may have been at any moment, also when nobody looked at that very one."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import Box, Detections, Scene, Track
from smartcam.evidence.cover import HOLD_S, MEMORY_S, SETTLES_S, Cover, Labels, named, things
from tests.rules.scenes import config, every

LABELS = ("person", "dog", "car")
LEFT: Box = (0.1, 0.2, 0.2, 0.5)
RIGHT: Box = (0.7, 0.2, 0.8, 0.5)
PERSON = frozenset({"person"})


def look(at: float, *seen: tuple[str, Box], tracks: tuple[Track, ...] = (), score: float = 0.2) -> Scene:
    """A look that gave these detections, of a score that begins no track."""
    boxes = np.array([box for _, box in seen], np.float32).reshape(-1, 4)
    classes = np.array([LABELS.index(label) for label, _ in seen], np.int32)
    found = Detections(boxes, np.full(len(seen), score, np.float32), classes, LABELS)
    return Scene("front", at, 1e6 + at, tracks, looked=True, frame=None, detections=found)


def unlooked(at: float, *tracks: Track, online: bool = True, moved: bool | None = None) -> Scene:
    return Scene("front", at, 1e6 + at, tracks, looked=False, frame=None, online=online, moved=moved)


def track(last_at: float, box: Box = LEFT, label: str = "person", id_: int = 1) -> Track:
    return Track(id_, label, box, 0.8, 0.0, last_at, 3, confirmed=True)


def covered(*scenes: Scene) -> Cover:
    cover = Cover(config('see = "person"'))
    for scene in scenes:
        cover.on_scene(scene)
    return cover


def where(cover: Cover, at: float, labels: Labels) -> list[Box] | None:
    """In four decimals: detections come in single precision."""
    found = cover.boxes_at("front", at, labels)
    return None if found is None else [tuple(round(share, 4) for share in box) for box in found]  # type: ignore[misc]


def holds(outer: Box, inner: Box) -> bool:
    """As far as single precision goes."""
    tiny = 1e-6
    return (
        outer[0] <= inner[0] + tiny
        and outer[1] <= inner[1] + tiny
        and outer[2] >= inner[2] - tiny
        and outer[3] >= inner[3] - tiny
    )


def shifted(box: Box, across: float, down: float = 0.0) -> Box:
    return box[0] + across, box[1] + down, box[2] + across, box[3] + down


def test_a_thing_is_where_it_was_seen_whatever_its_score() -> None:
    cover = covered(look(1.0, ("person", LEFT), ("dog", RIGHT), score=0.01))

    assert where(cover, 1.0, PERSON) == [LEFT]
    assert where(cover, 1.0, {"dog", "person"}) == [LEFT, RIGHT]
    assert where(cover, 1.0, {"car"}) == []
    assert where(cover, 1.0, None) == [LEFT, RIGHT], "every label"


def test_between_two_looks_it_is_anywhere_between_both_boxes() -> None:
    cover = covered(look(1.0, ("person", LEFT)), look(1.5, ("person", shifted(LEFT, 0.05))))

    assert where(cover, 1.3, PERSON) == [(0.1, 0.2, 0.25, 0.5)]


def test_it_is_held_before_it_was_first_seen_and_after_it_was_last() -> None:
    cover = covered(*[look(at, *([("person", LEFT)] if 5 <= at <= 6 else [])) for at in every(0.5, 0, 12)])

    for at in (5 - HOLD_S + 0.01, 5.2, 6 + HOLD_S - 0.01):
        assert where(cover, at, PERSON) == [LEFT]
    for at in (5 - HOLD_S - 0.01, 6 + HOLD_S + 0.01):
        assert where(cover, at, PERSON) == []


def test_one_that_is_missed_for_a_look_or_two_is_held_meanwhile() -> None:
    seen = [("person", LEFT)]
    cover = covered(look(1.0, *seen), look(1.2), look(1.4), look(1.6, ("person", shifted(LEFT, 0.05))))

    [box] = where(cover, 1.3, PERSON) or []
    assert holds(box, LEFT)
    assert holds(box, shifted(LEFT, 0.05))


def test_nobody_knows_of_a_moment_that_lies_not_between_two_looks() -> None:
    """Not even of those a little before or after one: that look may be the first, or the last for long."""
    cover = covered(look(10.0, ("person", LEFT)), look(20.0))

    for at in (9.9, 10.1, 15.0, 19.9, 20.1):
        assert where(cover, at, PERSON) is None, at
    assert where(cover, 10.0, PERSON) == [LEFT]
    assert cover.boxes_at("back", 10.0, PERSON) is None
    assert where(cover, 20.0, PERSON) == []


def test_a_still_scene_counts_as_looked_at_until_a_look_is_overdue() -> None:
    """`look_again` is 2 s: the motion gate was shut for that time, or else the accelerator is away."""
    cover = covered(look(10.0, ("person", LEFT)), *[unlooked(at, track(10.0)) for at in every(0.1, 10.1, 20)])

    assert set(where(cover, 12.4, PERSON) or []) == {LEFT}
    assert where(cover, 12.6, PERSON) is None


def test_where_nothing_moves_all_is_as_it_was_for_as_long_as_it_takes() -> None:
    """Nobody looks at an empty yard for hours: what a clip shows before somebody comes needs no blurring."""
    cover = covered(look(10.0, ("dog", LEFT)), *[unlooked(at, moved=False) for at in every(0.5, 10.5, 100)])

    assert where(cover, 90.0, PERSON) == []
    assert where(cover, 90.0, None) == [LEFT]


def test_what_moved_unseen_may_stand_anywhere_now() -> None:
    """The accelerator was away when somebody came in: they may have been there just after the last look."""
    cover = covered(look(10.0), unlooked(10.2, moved=True), *[unlooked(at, moved=False) for at in every(0.2, 10.4, 15)])

    for at in (10.1, 10.3, 10.9, 14.0):
        assert where(cover, at, PERSON) is None, at


def test_an_accelerator_that_was_away_while_things_moved_leaves_a_gap_from_its_last_look_to_its_next() -> None:
    away = [unlooked(at, moved=True) for at in every(0.2, 10.2, 29.9)]
    cover = covered(*[look(at) for at in every(0.2, 5, 10)], *away, *[look(at) for at in every(0.2, 30, 33)])

    assert [where(cover, at, PERSON) for at in (9.9, 10.3, 10.9, 29.1, 29.9, 30.1)] == [[], None, None, None, None, []]


def test_moments_between_two_looks_are_known_though_things_moved_in_frames_that_nobody_looked_at() -> None:
    """25 frames a second, of which a slow model takes two."""
    scenes = [look(at) if round(at * 25) % 12 == 0 else unlooked(at, moved=True) for at in every(0.04, 0, 10)]
    cover = covered(*scenes)

    assert [where(cover, at, PERSON) for at in every(0.03, 0.5, 9)] == [[]] * len(every(0.03, 0.5, 9))


def test_what_comes_before_somebody_is_known_where_nothing_moved_until_then() -> None:
    """The first seconds of a clip: an empty yard, and the look that finds somebody."""
    still = [unlooked(at, moved=False) for at in every(0.2, 0.2, 59.9)]
    cover = covered(look(0.0), *still, *[look(at, ("person", LEFT)) for at in every(0.2, 60, 64)])

    assert where(cover, 56.1, PERSON) == []
    assert where(cover, 59.9, PERSON) == [LEFT]


def test_in_a_still_scene_also_those_stay_who_are_too_unsure_for_a_track() -> None:
    after = [look(at) for at in every(0.5, 12.1, 15)]
    cover = covered(look(10.0, ("person", LEFT)), *[unlooked(at) for at in every(0.1, 10.1, 12)], *after)

    assert where(cover, 12.0, PERSON) == [LEFT]
    assert where(cover, 12.1 + HOLD_S, PERSON) == []


def test_a_camera_that_is_offline_is_not_watched() -> None:
    cover = covered(look(10.0), *[unlooked(at, online=False) for at in every(0.1, 10.1, 12)])

    assert where(cover, 11.5, PERSON) is None


def test_a_track_that_is_carried_is_covered_though_nobody_sees_it() -> None:
    after = [look(at) for at in every(0.2, 4.2, 6)]
    cover = covered(*[look(at, tracks=(track(1.0),)) for at in every(0.2, 1, 4)], *after)

    assert where(cover, 3.0, PERSON) == [LEFT]
    assert where(cover, 3.9 + HOLD_S, PERSON) == [LEFT]


def test_a_track_is_covered_by_all_names_that_it_ever_had() -> None:
    """Who was called a dog for a look is a person still."""
    cover = covered(
        look(1.0, tracks=(track(1.0, label="dog"),)),
        look(1.2, tracks=(track(1.2, label="person"),)),
    )

    assert where(cover, 1.0, PERSON) == [LEFT]


def test_over_a_span_a_thing_is_everywhere_where_it_was_in_it() -> None:
    walk = [look(at, ("person", shifted(LEFT, at / 10))) for at in every(0.2, 0, 6)]

    [box] = covered(*walk).boxes_over("front", 1.0, 3.0, PERSON) or []

    assert box == pytest.approx((0.2, 0.2, 0.5, 0.5), abs=0.021)
    assert covered(*walk).boxes_over("front", 5.0, 6 + HOLD_S + 0.3, PERSON) is None, "nobody knows its end"


def test_two_that_stand_apart_are_two_boxes_with_nothing_between_them() -> None:
    cover = covered(*[look(at, ("person", LEFT), ("person", RIGHT)) for at in every(0.2, 0, 3)])

    assert sorted(where(cover, 1.1, PERSON) or []) == [LEFT, RIGHT]


def test_one_who_moves_far_between_two_looks_is_covered_on_the_way() -> None:
    """And a detection far away takes nobody's place: the one who was missed is found where they were."""
    cover = covered(look(1.0, ("person", LEFT)), look(2.0, ("person", RIGHT)), look(2.2, ("person", LEFT)))

    boxes = where(cover, 1.5, PERSON) or []
    assert any(holds(box, (0.4, 0.2, 0.5, 0.5)) for box in boxes)
    boxes = where(cover, 2.1, PERSON) or []
    assert any(holds(box, LEFT) for box in boxes)


def test_a_recording_that_begins_anew_begins_anew() -> None:
    cover = covered(look(100.0, ("person", LEFT)), look(5.0))

    assert where(cover, 100.0, PERSON) is None
    assert where(cover, 5.0, PERSON) == []


def test_what_is_long_ago_is_forgotten_and_memory_does_not_grow() -> None:
    cover = covered(*[look(at, ("person", shifted(LEFT, at % 0.5))) for at in every(0.2, 0, MEMORY_S + 60)])

    assert where(cover, 10.0, PERSON) is None
    assert where(cover, 70.0, PERSON) != []
    [page] = cover._pages.values()
    assert sum(len(strand.sightings) for strand in page.strands) < 4 * MEMORY_S / 0.2


def test_one_who_stands_still_for_an_hour_takes_no_room() -> None:
    cover = covered(*[look(at, ("person", shifted(LEFT, (at % 3) / 1000))) for at in every(0.5, 0, 600)])

    [page] = cover._pages.values()
    assert sum(len(strand.sightings) for strand in page.strands) <= 2
    assert [holds(box, LEFT) for box in where(cover, 550.2, PERSON) or []] == [True]


def test_cameras_that_were_removed_are_forgotten() -> None:
    rules = config('see = "person"')
    cover = covered(look(1.0, ("person", LEFT)))

    cover.renew(rules.model_copy(update={"camera": {"back": rules.camera["back"]}}))

    assert where(cover, 1.0, PERSON) is None


def test_it_tells_when_nothing_can_change_any_more() -> None:
    cover = covered(look(10.0, ("person", LEFT)))
    assert cover.settled_until("front") == 10 - SETTLES_S
    assert where(cover, 10.01, PERSON) is None, "who gives up waiting knows nothing"
    assert cover.settled_until("back") is None


def test_it_may_be_read_while_it_is_fed() -> None:
    cover = covered(look(0.0))
    over = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        try:
            while not over.is_set():
                where(cover, 1.0, None)
        except RuntimeError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for at in every(0.1, 0, 150):
        cover.on_scene(look(at, ("person", shifted(LEFT, at % 0.5)), ("dog", RIGHT)))
    over.set()
    reader.join()

    assert not failures


def test_all_that_is_in_a_scene_counts() -> None:
    scene = look(1.0, ("dog", RIGHT), tracks=(track(0.5),))
    seen = things(scene.detections, scene.tracks)

    assert named(seen, PERSON) == [LEFT]
    assert named(seen, None) == [pytest.approx(RIGHT), pytest.approx(LEFT)]
    assert named(seen, ()) == []


side = st.floats(0.02, 0.3)
place = st.floats(0, 0.7)
gaps = st.lists(st.floats(0.04, 2 * HOLD_S - 0.01), min_size=1, max_size=8)
moment = st.floats(0, 1)


@given(st.data(), gaps)
def test_wherever_one_thing_was_between_two_looks_its_cover_was_there_too(
    data: st.DataObject, gaps_s: list[float]
) -> None:
    """However far it went; some looks may have missed it."""
    times = np.cumsum([1.0, *gaps_s]).tolist()
    boxes = []
    for _ in times:
        x, y, width, height = (data.draw(each) for each in (place, place, side, side))
        boxes.append((x, y, x + width, y + height))
    cover = covered(*[look(at, ("person", box)) for at, box in zip(times, boxes, strict=True)])

    for n in range(len(times) - 1):
        part = data.draw(moment)
        at = times[n] + part * (times[n + 1] - times[n])
        there = tuple((1 - part) * a + part * b for a, b in zip(boxes[n], boxes[n + 1], strict=True))
        found = cover.boxes_at("front", at, PERSON) or []
        assert any(holds(box, there) for box in found), (at, there, found)  # type: ignore[arg-type]  # four numbers


@given(st.data(), st.lists(st.floats(0.04, 0.6), min_size=2, max_size=10))
def test_of_several_that_keep_apart_each_is_covered(data: st.DataObject, gaps_s: list[float]) -> None:
    """Each walks up and down in a lane of its own, and is missed now and then, but not for long."""
    times = np.cumsum([1.0, *gaps_s]).tolist()
    lanes = {lane: [data.draw(st.floats(0, 0.1)) for _ in times] for lane in (0.05, 0.4, 0.75)}
    hits = {lane: [data.draw(st.booleans()) for _ in times] for lane in lanes}
    for at_all in hits.values():
        at_all[0] = at_all[-1] = True

    def box(lane: float, n: int) -> Box:
        return lane + lanes[lane][n], 0.3, lane + lanes[lane][n] + 0.1, 0.8

    cover = covered(
        *[look(at, *[("person", box(lane, n)) for lane in lanes if hits[lane][n]]) for n, at in enumerate(times)]
    )
    for lane in lanes:
        seen = [n for n in range(len(times)) if hits[lane][n]]
        for n, m in pairwise(seen):
            if times[m] - times[n] > 2 * HOLD_S:
                continue
            part = data.draw(moment)
            there = tuple((1 - part) * a + part * b for a, b in zip(box(lane, n), box(lane, m), strict=True))
            found = cover.boxes_at("front", times[n] + part * (times[m] - times[n]), PERSON) or []
            assert any(holds(each, there) for each in found)  # type: ignore[arg-type]  # four numbers
