"""Scenes → events: when a rule starts, goes on, tells more and ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smartcam.data import Event
from smartcam.rules import Engine
from tests.rules.scenes import (
    STREET,
    WALL,
    YARD,
    Thing,
    carried,
    cat,
    cattle,
    config,
    dog,
    engine,
    every,
    fed,
    offline,
    person,
    scene,
    skipped,
    told,
    visitor,
    walk,
)

# --- what matches ---


@pytest.mark.parametrize(
    ("see", "fires"),
    [('"person"', False), ('"dog"', True), ('["person", "dog"]', True), ('"@pets"', True), ('"@any"', True)],
)
def test_a_rule_sees_its_labels_and_groups(see: str, fires: bool) -> None:
    assert bool(fed(engine(f"see = {see}"), walk(dog, at=[0, 1]))) is fires


def test_a_track_that_is_not_confirmed_raises_nothing() -> None:
    assert fed(engine('see = "person"'), walk(replace(person, confirmed=False), at=[0, 1])) == []


def test_a_score_below_the_rules_raises_nothing() -> None:
    assert fed(engine('see = "person"\nscore = 0.9'), walk(person, at=[0, 1])) == []
    assert len(fed(engine('see = "person"\nscore = 0.87'), walk(person, at=[0, 1]))) == 1


bird = Thing(6, "bird", 0.7)
robin = bird.known_as("robin", 0.6)


@pytest.mark.parametrize(
    ("see", "fires"),
    [('"robin"', True), ('["cat", "robin"]', True), ('"bird"', True), ('"wren"', False), ('"@any"', True)],
)
def test_a_rule_sees_what_a_second_model_says_too(see: str, fires: bool) -> None:
    assert bool(fed(engine(f"see = {see}"), walk(robin, at=[0, 1]))) is fires


def test_a_score_is_that_of_the_label_which_the_rule_names() -> None:
    """Surely a bird, and perhaps a robin."""
    assert fed(engine('see = "robin"\nscore = 0.65'), walk(robin, at=[0, 1])) == []
    assert len(fed(engine('see = "robin"\nscore = 0.6'), walk(robin.scored(0.5), at=[0, 1]))) == 1
    assert len(fed(engine('see = ["bird", "robin"]\nscore = 0.65'), walk(robin, at=[0, 1]))) == 1
    assert len(fed(engine('see = ["bird", "robin"]\nscore = 0.6'), walk(robin.scored(0.5), at=[0, 1]))) == 1


def test_a_kind_that_is_only_known_later_fires_when_it_is_and_dwells_from_then_on() -> None:
    rules = engine('see = "robin"', 'see = "robin"\nfor = "3s"')

    events = fed(rules, [*walk(bird, at=[0, 1, 2, 3]), *walk(robin, at=[4, 5, 6, 7])])

    assert [(event.rule, event.at) for event in events] == [("r0", 4), ("r1", 7)]
    assert (events[0].label, events[0].sublabel, events[0].sublabel_score) == ("bird", "robin", 0.6)
    assert events[0].reasons == ("bird (robin 0.60) seen with score 0.70",)


def test_a_kind_that_wavers_from_look_to_look_does_not_end_its_event() -> None:
    events = fed(engine('see = "robin"'), [scene(at, robin if at % 2 else bird) for at in every(1, 0, 30)])

    assert [event.phase for event in events] == ["start", "update", "update"]


def test_a_zone_counts_by_the_foot_point_and_only_on_its_own_camera() -> None:
    rule = 'see = "person"\nzone = "yard"'

    assert fed(engine(rule), walk(person.at(STREET), at=[0, 1])) == []
    assert fed(engine(rule), [scene(0, person, camera="back")]) == []
    assert len(fed(engine(rule), walk(person.at(YARD), at=[0, 1]))) == 1


def test_a_rule_that_is_not_enabled_is_silent() -> None:
    assert fed(engine('see = "person"\nenabled = false'), walk(person, at=[0, 1])) == []


def test_a_foot_that_trembles_over_the_border_of_a_zone_does_not_leave_it() -> None:
    """Hysteresis in seconds: three looks outside within a second are no leaving, and start no new dwell."""
    rules = engine('see = "person"\nzone = "yard"\nfor = "3s"')
    scenes = [
        *walk(person, at=[0.0, 0.5, 1.0]),
        *walk(person.at(STREET), at=[1.2, 1.6, 2.1]),
        *walk(person, at=[2.2, 3.0]),
    ]

    assert told(fed(rules, scenes)) == [("start", 3.0)]


def test_who_stays_outside_for_a_second_has_left() -> None:
    rules = engine('see = "person"\nzone = "yard"\nfor = "3s"')
    scenes = [*walk(person, at=[0.0, 1.0]), *walk(person.at(STREET), at=[1.1, 2.1]), *walk(person, at=[2.2, 3.0, 5.2])]

    assert told(fed(rules, scenes)) == [("start", 5.2)]


# --- for ---


def test_a_person_who_lingers_raises_one_event() -> None:
    """Dwell counts seconds, so dropped frames change nothing."""
    rules = engine('see = "person"\nfor = "3s"')

    events = fed(rules, walk(person, at=[0.0, 0.2, 3.1, 3.2]))

    assert told(events) == [("start", 3.1)]
    assert events[0].dwell_s == pytest.approx(3.1)


def test_a_gap_that_the_tracker_bridges_does_not_interrupt_dwell_but_does_not_add_to_it_either() -> None:
    """A thing that nobody has seen since cannot have stayed."""
    rules = engine('see = "person"\nfor = "3s"')

    assert fed(rules, [scene(0, person), *[carried(at, person, last_at=0) for at in every(0.5, 0.5, 3.5)]]) == []
    assert told(fed(rules, walk(person, at=[4.0]))) == [("start", 4.0)]


def test_each_track_dwells_by_itself() -> None:
    """Two who pass one after the other are no loiterers."""
    rules = engine('see = "person"\nfor = "3s"')

    assert fed(rules, [*walk(person, at=[0, 1, 2]), *walk(visitor, at=[2.5, 3, 4])]) == []


# --- count ---


def test_a_herd_counts_once_enough_are_there_for_long_enough() -> None:
    rules = engine('see = "cattle"\ncount = ">= 3"\nfor = "5s"')
    scenes = [*walk(*cattle[:2], at=every(1, 0, 9)), *walk(*cattle[:3], at=every(1, 10, 16))]

    events = fed(rules, scenes)

    assert told(events) == [("start", 15)]
    assert events[0].count == 3
    assert events[0].reasons == ("cattle seen with score 0.52", "3 cattle (count >= 3)", "held 5 s (for = 5 s)")


def test_the_event_of_a_herd_goes_on_while_any_of_it_is_there() -> None:
    rules = engine('see = "cattle"\ncount = 3')

    assert told(fed(rules, [*walk(*cattle[:3], at=[0]), *walk(cattle[0], at=every(1, 1, 9))])) == [("start", 0)]


def test_absence_is_believed_after_three_seconds_and_told_without_tracks() -> None:
    events = fed(engine('see = "dog"\nzone = "yard"\ncount = "== 0"'), walk(person, at=every(0.5, 0, 4)))

    assert told(events) == [("start", 3.0)]
    assert (events[0].label, events[0].count, events[0].score, events[0].tracks) == ("dog", 0, 0.0, ())
    assert events[0].reasons == ("no dog seen", "in zone yard", "0 dog (count == 0)")


def test_an_event_about_a_number_goes_on_while_the_number_holds() -> None:
    rules = engine('see = "cattle"\ncount = "< 3"\nfor = "5s"')
    scenes = [*walk(*cattle[:2], at=every(1, 0, 20)), *walk(*cattle, at=every(1, 21, 25))]

    events = fed(rules, scenes)

    assert told(events) == [("start", 5), ("end", 23)]
    assert events[1].end == WALL + 20


def test_one_that_shows_up_for_a_moment_breaks_an_absence() -> None:
    rules = engine('see = "dog"\ncount = "< 1"\nfor = "5s"')
    scenes = [*walk(at=every(1, 0, 4)), scene(4.5, dog), *walk(at=every(1, 5, 9)), scene(10)]

    assert told(fed(rules, scenes)) == [("start", 10)]


def test_an_offline_camera_proves_no_absence() -> None:
    rules = engine('see = "dog"\ncount = "== 0"\nfor = "5s"')
    scenes = [*walk(at=every(1, 0, 4)), *[offline(at) for at in every(1, 5, 20)], *walk(at=every(1, 21, 26))]

    assert told(fed(rules, scenes)) == [("start", 26)]


def test_a_herd_that_is_one_short_for_a_moment_goes_on_counting_but_does_not_fire_then() -> None:
    rules = engine('see = "cattle"\ncount = ">= 3"\nfor = "5s"')
    scenes = [*walk(*cattle[:3], at=every(0.5, 0, 4.5)), scene(5, *cattle[:2]), scene(5.5, *cattle[:3])]

    assert [(event.at, event.count) for event in fed(rules, scenes)] == [(5.5, 3)]


# --- start, cooldown ---


def test_a_start_says_what_when_where_and_why() -> None:
    rules = engine('see = "person"\nzone = "yard"\nfor = "60s"\nlevel = "alert"\ndo = ["snapshot"]')

    (start,) = fed(rules, walk(person, dog, at=[100, 130, 162]))

    assert start == Event(
        id=start.id,
        seq=1,
        camera="front",
        rule="r0",
        level="alert",
        phase="start",
        at=162,
        start=WALL + 162,
        end=None,
        label="person",
        score=0.87,
        count=1,
        zones=("yard",),
        dwell_s=62,
        tracks=(person.track(162),),
        reasons=("person seen with score 0.87", "in zone yard", "stayed 62 s (for = 60 s)"),
        evidence=("snapshot",),
    )
    assert start.tracks[0].first_at == 162


def test_a_rule_without_a_camera_runs_on_each_by_itself() -> None:
    rules = engine('see = "person"\ncooldown = "1h"')

    events = fed(rules, [scene(0, person), scene(0, person, camera="back")])

    assert [(event.camera, event.phase) for event in events] == [("front", "start"), ("back", "start")]
    assert events[0].id != events[1].id


def test_after_an_end_the_rule_is_silent_until_its_cooldown_is_over() -> None:
    """It is counted from the time that the event tells as its end."""
    rules = engine('see = "person"\ncooldown = "60s"')
    scenes = [*walk(person, at=[0, 1]), *walk(at=[4]), *walk(visitor, at=[20, 30]), *walk(at=[31, 34])]

    assert told(fed(rules, scenes)) == [("start", 0), ("end", 4)]
    assert fed(rules, [scene(60.9, dog.named("person"))]) == []
    assert told(fed(rules, [scene(61.0, dog.named("person"))])) == [("start", 61.0)]


def test_a_new_one_that_came_during_the_cooldown_and_is_still_there_fires() -> None:
    rules = engine('see = "person"\ncooldown = "60s"')
    scenes = [scene(0, person), *walk(at=[1, 4]), *walk(visitor, at=every(10, 10, 70))]

    assert told(fed(rules, scenes)) == [("start", 0), ("end", 4), ("start", 60)]


def test_one_that_was_told_and_came_back_during_the_cooldown_does_not_fire_by_merely_staying() -> None:
    rules = engine('see = "person"\nzone = "yard"\ncooldown = "60s"')
    scenes = [
        *walk(person, at=[0, 1]),
        *walk(person.at(STREET), at=every(1, 2, 9)),
        *walk(person, at=every(1, 10, 90)),
    ]
    assert told(fed(rules, scenes)) == [("start", 0), ("end", 5)]

    leaves_and_comes_back = [*walk(person.at(STREET), at=[91, 92]), scene(93, person)]
    assert told(fed(rules, leaves_and_comes_back)) == [("start", 93)]


# --- update ---


@pytest.mark.parametrize(
    "later",
    [
        (person, visitor),
        (person.named("dog"),),
        (person.scored(0.98),),
        (person.at((0.05, 0.5)),),
        (person.known_as("face", 0.6),),
    ],
    ids=["one joins", "label", "score", "zone", "sublabel"],
)
def test_a_change_that_a_person_cares_about_is_told_ten_seconds_after_the_last_message(
    later: tuple[Thing, ...],
) -> None:
    rules = engine('see = "@any"')

    events = fed(rules, [scene(0, person), *walk(*later, at=every(1, 1, 30))])

    assert told(events) == [("start", 0), ("update", 10)]
    assert [event.seq for event in events] == [1, 2]


def test_what_nobody_would_notice_is_not_told() -> None:
    """A score that trembles, a box that moves within its zones."""
    rules = engine('see = "person"')
    scenes = [scene(at, person.scored(0.8 + at % 2 / 20).at((0.2 + at / 500, 0.5))) for at in every(1, 0, 60)]

    assert told(fed(rules, scenes)) == [("start", 0)]


def test_who_goes_away_while_another_stays_is_told_as_a_smaller_count() -> None:
    rules = engine('see = "person"')

    events = fed(rules, [*walk(person, visitor, at=every(1, 0, 15)), *walk(visitor, at=every(1, 16, 20))])

    assert [(event.phase, event.at, event.count) for event in events] == [("start", 0, 2), ("update", 16, 1)]


def test_one_joins_only_once_it_has_dwelt_itself() -> None:
    rules = engine('see = "person"\nfor = "20s"')

    restless = [person.at(YARD), person.at((0.3, 0.6))]
    alone = [scene(at, restless[int(at) % 2]) for at in every(1, 0, 24)]
    events = fed(rules, [*alone, *(scene(at, restless[int(at) % 2], visitor) for at in every(1, 25, 50))])

    assert [(event.phase, event.at, event.count) for event in events] == [("start", 20, 1), ("update", 45, 2)]


def test_the_label_is_that_of_most_tracks() -> None:
    (start,) = fed(engine('see = "@pets"'), [scene(0, cat.scored(0.99), dog, replace(dog, id=9))])

    assert (start.label, start.score, start.count) == ("dog", 0.99, 3)


def test_the_sublabel_is_the_surest_one_and_stays_when_its_track_goes() -> None:
    rules = engine('see = "bird"')
    wren = replace(bird, id=7).known_as("wren", 0.9)
    scenes = [scene(0, bird), *walk(robin, wren, at=[1, 10]), *walk(replace(bird, id=8), at=every(1, 11, 20))]

    events = fed(rules, scenes)

    kinds = [(event.at, event.sublabel, event.sublabel_score) for event in events]
    assert kinds == [(0, "", 0.0), (10, "wren", 0.9), (20, "wren", 0.9)]


def test_a_sublabel_that_its_track_loses_is_taken_back() -> None:
    rules = engine('see = "bird"')

    events = fed(rules, [*walk(bird, at=[0]), *walk(robin, at=[1, 10]), *walk(bird, at=every(1, 11, 20))])

    assert [(event.at, event.sublabel) for event in events] == [(0, ""), (10, "robin"), (20, "")]


def test_one_who_joined_and_went_is_news_once() -> None:
    """Between two messages: the number is the same again, and yet somebody was there."""
    events = fed(
        engine('see = "person"'),
        [scene(0, person), scene(1, person, visitor), *walk(person, at=every(1, 2, 30))],
    )

    assert told(events) == [("start", 0), ("update", 10)]


def test_who_leaves_the_zone_and_comes_back_need_not_dwell_again_while_the_event_goes_on() -> None:
    rules = engine('see = "person"\nzone = "yard"\nfor = "5s"')
    both, alone = every(1, 0, 10), every(1, 11, 22)
    scenes = [
        *walk(person, visitor, at=both),
        *walk(person.at(STREET), visitor, at=alone),
        *walk(person, visitor, at=every(1, 23, 26)),
    ]

    assert [(event.at, event.count) for event in fed(rules, scenes)] == [(5, 2), (15, 1), (25, 2)]


def test_an_event_that_never_ends_does_not_grow() -> None:
    """A road that is never empty for three seconds: every car is another track."""
    rules = engine('see = "@any"\ncooldown = "60s"')

    def pass_by(first: int, last: int) -> int:
        """Bytes that the engine holds after so many cars."""
        for number in range(first, last):
            rules.feed(scene(number * 0.5, *(Thing(number + n, "car") for n in range(3))))
        return len(rules.memory.to_json())

    few, many = pass_by(0, 300), pass_by(300, 3000)
    assert many <= few * 1.05


# --- end ---


def test_an_event_ends_three_seconds_after_nothing_matched_and_tells_its_last_match() -> None:
    rules = engine('see = "person"')

    events = fed(rules, [*walk(person, at=[0, 2, 14.2]), *walk(at=every(0.5, 14.5, 20))])

    assert told(events) == [("start", 0), ("end", 17.5)]
    end = events[1]
    assert (end.start, end.end) == (WALL, WALL + 14.2)
    assert end.dwell_s == pytest.approx(14.2)
    assert (end.seq, end.label, end.count, end.tracks) == (2, "person", 1, (person.track(14.2),))


def test_another_visit_before_the_end_is_the_same_event() -> None:
    rules = engine('see = "person"')

    assert told(fed(rules, [scene(0, person), *walk(at=[1, 2, 2.9]), *walk(visitor, at=[3, 4])])) == [("start", 0)]


def test_a_parked_car_goes_on_while_nobody_looks_and_while_its_camera_is_away() -> None:
    rules = engine('see = "person"')
    scenes = [
        scene(0, person),
        *[skipped(at, person, last_at=0) for at in every(1, 1, 10)],
        *[offline(at, person, last_at=0) for at in every(1, 11, 60)],
    ]
    assert told(fed(rules, scenes)) == [("start", 0)]

    events = fed(rules, [offline(at) for at in every(1, 61, 70)])
    assert told(events) == [("end", 63)]
    assert events[0].end == WALL, "it was last seen when the camera was there"


def test_nothing_starts_while_a_camera_is_away() -> None:
    rules = engine('see = "person"\ncooldown = "20s"')
    fed(rules, [scene(0, person), *walk(at=[1, 4]), scene(5, visitor)])

    assert fed(rules, [offline(at, visitor, last_at=5) for at in every(5, 10, 40)]) == []
    assert told(fed(rules, [scene(41, visitor)])) == [("start", 41)]


def test_finishing_ends_what_is_open_and_nothing_else() -> None:
    rules = engine('see = "person"', 'see = "dog"')
    fed(rules, walk(person, at=[0, 2]))

    ends = rules.finish(2.5, WALL + 2.5)

    assert [(event.rule, event.phase, event.seq, event.end) for event in ends] == [("r0", "end", 2, WALL + 2)]
    assert rules.finish(3, WALL + 3) == []


def test_a_clock_that_is_set_during_an_event_corrects_its_start() -> None:
    """A board without a clock starts in 1970 and learns the time once the network is there."""
    rules = engine('see = "person"')
    (start,) = fed(rules, [scene(0, person)])
    fed(rules, [scene(5, person)])

    (end,) = rules.finish(6, WALL + 1e9 + 6)

    assert start.start == WALL
    assert (end.start, end.end) == (WALL + 1e9, WALL + 1e9 + 5)


def test_two_engines_say_the_same_to_the_same_scenes() -> None:
    scenes = [*walk(person, dog, at=every(0.5, 0, 20)), *walk(at=[21, 25])]
    one, other = (Engine(config('see = "@any"', 'see = "dog"'), lambda wall: f"{wall}") for _ in range(2))

    assert fed(one, scenes) == fed(other, scenes)
