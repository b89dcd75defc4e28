"""What a rule has told already, and keeps to itself."""

from __future__ import annotations

import pytest

from smartcam.data import Scene
from smartcam.rules import Engine
from tests.rules.scenes import STREET, YARD, Thing, cat, dog, engine, every, fed, offline, walk

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


def test_what_stands_in_no_zone_does_not_rest_per_zone() -> None:
    rules = engine('see = "dog"\ncooldown = "1m per zone"')

    assert starts(rules, [*passing(dog.at(STREET), 0), *passing(another_dog.at(STREET), 20)]) == [
        ("dog", 0),
        ("dog", 20),
    ]


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

    second, _ = first.replaced(engine('see = "car"', 'see = "car"\nzone = "yard"').config)

    assert starts(second, walk(car, at=every(1, 61, 70))) == [("car", 61)]


@pytest.mark.parametrize("gone", [walk(at=every(1, 2, 10)), [offline(at) for at in every(1, 2, 10)]])
def test_a_cooldown_ends_after_its_time_also_while_the_camera_is_away(gone: list[Scene]) -> None:
    rules = engine('see = "dog"\ncooldown = "8s"')

    assert starts(rules, [*walk(dog, at=[0, 1]), *gone, *walk(another_dog, at=[12])]) == [("dog", 0), ("dog", 12)]
