"""What a rule has told already, and keeps to itself."""

from __future__ import annotations

import pytest

from smartcam.data import Scene
from smartcam.rules import Engine
from tests.rules.scenes import (
    STREET,
    WALL,
    YARD,
    Thing,
    cat,
    config,
    dog,
    engine,
    every,
    fed,
    offline,
    person,
    scene,
    walk,
)

another_dog, another_cat = Thing(21, "dog"), Thing(22, "cat")
car = Thing(40, "car")


def starts(rules: Engine, scenes: list[Scene]) -> list[tuple[str, float]]:
    return [(event.label, event.at) for event in fed(rules, scenes) if event.phase == "start"]


def passing(thing: Thing, at: float) -> list[Scene]:
    """It comes at `at`, and has been gone for a while five seconds later."""
    return [*walk(thing, at=[at, at + 1]), *walk(at=[at + 2, at + 5])]


def test_a_cooldown_per_label_leaves_other_labels_alone() -> None:
    rules = engine('see = "@pets"\ncooldown = "1m per label"')

    scenes = [*passing(dog, 0), *passing(cat, 10), *passing(another_dog, 20), *passing(another_dog, 70)]

    assert starts(rules, scenes) == [("dog", 0), ("cat", 10), ("dog", 70)]


def test_a_cooldown_per_zone_leaves_other_zones_alone() -> None:
    rules = engine('see = "dog"\ncooldown = "1m per zone"')

    scenes = [*passing(dog.at(YARD), 0), *passing(another_dog.at((0.05, 0.5)), 10), *passing(dog.at(YARD), 20)]

    assert starts(rules, scenes) == [("dog", 0), ("dog", 10)]  # the second one stands in the shed too


def test_what_stands_in_no_zone_rests_as_if_that_were_one() -> None:
    rules = engine('see = "dog"\ncooldown = "1m per zone"')

    assert starts(rules, [*passing(dog.at(STREET), 0), *passing(another_dog.at(STREET), 20)]) == [("dog", 0)]


def test_a_visit_is_told_once_however_often_it_is_lost() -> None:
    rules = engine('see = "dog"\nonce = "visit"')

    grazing = [each for at in range(0, 1200, 240) for each in passing(Thing(100 + at, "dog"), at)]
    later = passing(Thing(99, "dog"), 960 + 6 + 301)

    assert starts(rules, [*grazing, *later]) == [("dog", 0), ("dog", 1267)]


def test_a_visit_of_another_kind_is_another_visit() -> None:
    rules = engine('see = "@pets"\nonce = "visit"')

    assert starts(rules, [*passing(dog, 0), *passing(cat, 10), *passing(another_dog, 20)]) == [("dog", 0), ("cat", 10)]


def test_once_a_day_is_once_whatever_comes() -> None:
    rules = engine('see = "@pets"\nonce = "day"')

    scenes = [*passing(dog, 0), *passing(cat, 100), *passing(another_cat, 86_400)]

    assert starts(rules, scenes) == [("dog", 0), ("cat", 86_400)]


def test_one_that_joins_the_event_of_the_day_is_told_with_it() -> None:
    rules = engine('see = "@pets"\nonce = "day per label"')

    together = [*walk(dog, at=[0, 1]), *walk(dog, cat, at=[2, 3]), *walk(at=[4, 8])]

    assert starts(rules, [*together, *passing(another_cat, 20)]) == [("dog", 0)]


def test_a_parked_car_is_told_once_however_often_it_is_lost() -> None:
    rules = engine('see = "car"')
    parked = walk(car, at=every(1, 0, 120))
    gone = walk(at=every(1, 121, 150))
    found = walk(Thing(41, "car"), at=every(1, 151, 200))

    assert starts(rules, [*parked, *gone, *found, *walk(at=every(1, 201, 210))]) == [("car", 0)]
    assert [miss.reason for miss in rules.misses] == ["this car stands still, and was told"]
    assert [standing.near_misses for standing in rules.standings()] == [0, 0]


def test_a_parked_car_that_drives_off_is_told_again() -> None:
    rules = engine('see = "car"')
    again = Thing(41, "car")
    scenes = [*walk(car, at=every(1, 0, 120)), *walk(at=every(1, 121, 150)), *walk(again, at=every(1, 151, 160))]
    driving = [each for at in range(161, 175) for each in walk(again.at((0.25 + (at - 160) / 30, 0.5)), at=[at])]

    assert [label for label, at in starts(rules, [*scenes, *driving]) if at > 160] == ["car"]


def test_a_rule_that_begins_later_tells_of_what_stands_there_once_too() -> None:
    """Still things are of the place; what was told of them is of each rule."""
    first = engine('see = "car"')
    fed(first, walk(car, at=every(1, 0, 60)))

    second, _ = first.replaced(config('see = "car"', 'see = "car"\nzone = "yard"'), 60, WALL + 60)

    assert starts(second, walk(car, at=every(1, 61, 70))) == [("car", 61)]


@pytest.mark.parametrize("gone", [walk(at=every(1, 2, 10)), [offline(at) for at in every(1, 2, 10)]])
def test_a_cooldown_ends_after_its_time_also_while_the_camera_is_away(gone: list[Scene]) -> None:
    rules = engine('see = "dog"\ncooldown = "8s"')

    assert starts(rules, [*walk(dog, at=[0, 1]), *gone, *walk(another_dog, at=[12])]) == [("dog", 0), ("dog", 12)]


def pacing(id_: int, at: list[float]) -> dict[float, Thing]:
    """Somebody who does not stand still."""
    return {moment: Thing(id_, "person").at((0.7 + 0.15 * (number % 2), 0.5)) for number, moment in enumerate(at)}


def together(statue: Thing, *others: dict[float, Thing], at: list[float]) -> list[Scene]:
    return [scene(moment, statue, *(other[moment] for other in others if moment in other)) for moment in at]


def test_a_statue_does_not_swallow_the_intruder() -> None:
    """It is told once; whoever comes later is an event of its own, with a start and an end, and so is the next one."""
    rules = engine('see = "person"\nlevel = "alert"')
    first, second = pacing(2, every(1, 300, 320)), pacing(3, every(1, 500, 520))

    events = fed(rules, together(Thing(1, "person"), first, second, at=every(1, 0, 600)))

    assert [(event.phase, event.at) for event in events if event.phase != "update"] == [
        ("start", 0),
        ("end", 300),
        ("start", 301),
        ("end", 323),
        ("start", 500),
        ("end", 523),
    ]
    assert [track.id for event in events[2:] for track in event.tracks if event.phase == "start"] == [2, 3]


def test_a_count_with_a_statue_in_it_ends_when_the_others_go() -> None:
    rules = engine('see = "person"\ncount = ">= 2"', 'see = "person"')
    visit = pacing(2, every(1, 300, 320))

    events = fed(rules, together(Thing(1, "person"), visit, at=every(1, 0, 400)))

    first, *_, last = [(event.phase, event.at) for event in events if event.rule == "r0"]
    assert (first, last) == (("start", 300), ("end", 323))


def test_the_rest_of_an_event_that_a_parked_thing_held_counts_from_when_it_came_to_rest() -> None:
    rules = engine('see = "person"\ncooldown = "2m"')

    events = fed(rules, together(Thing(1, "person"), pacing(2, every(1, 300, 310)), at=every(1, 0, 330)))

    assert [(event.phase, event.at) for event in events if event.phase == "start"] == [("start", 0), ("start", 301)]


def test_after_an_event_what_lingers_is_no_near_miss() -> None:
    rules = engine('see = "person"\nzone = "yard"')
    street = [scene(at, Thing(1, "person").at((0.6 + at % 3 / 10, 0.5))) for at in every(1, 5, 15)]

    fed(rules, [*walk(Thing(1, "person"), at=every(1, 0, 4)), *street, *walk(at=every(1, 16, 20))])

    assert not rules.misses
    assert fed(rules, [*walk(Thing(2, "person").at(STREET), at=[30, 31]), *walk(at=[32, 36])]) == []
    assert [miss.reason for miss in rules.misses] == ["person not in yard"]


def test_who_is_back_before_its_own_label_has_rested_is_not_told_by_merely_staying() -> None:
    rules = engine('see = "@pets"\ncooldown = "30s per label"')

    scenes = [*walk(dog, at=[0, 1]), *walk(at=[2]), *walk(at=[5]), *walk(dog, at=every(1, 10, 60))]

    assert starts(rules, scenes) == [("dog", 0)]


def test_a_name_that_comes_during_the_event_rests_with_it() -> None:
    rules = engine('see = ["bird", "robin"]\ncooldown = "1h per label"')
    bird = Thing(50, "bird")

    named = [*walk(bird, at=[0, 1]), *walk(bird.known_as("robin", 0.9), at=[2, 3]), *walk(at=[4, 8])]

    assert starts(rules, [*named, *passing(Thing(51, "bird").known_as("robin", 0.9), 20)]) == [("bird", 0)]


def test_company_that_is_on_its_way_is_no_news_again_and_again() -> None:
    rules = engine('see = "dog"\nwith = "person"\nwithin = "60s"')

    events = fed(rules, [*walk(dog, at=[0, 1]), *walk(person, at=every(1, 2, 59))])

    assert [(event.phase, event.at) for event in events] == [("start", 2)]
