"""Where tracks stand: zones by foot and height, steadied, and kept over a change of hands."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from smartcam.config import Line, Zone
from smartcam.data import Box, Point, Track
from smartcam.rules.places import Places, PlacesMemory
from smartcam.rules.steady import GRACE_S

LEFT = Zone(camera="front", points=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
RIGHT = Zone(camera="front", points=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
ZONES = {"left": LEFT, "right": RIGHT}
LINES = {"fence": Line(camera="front", points=((0.5, 1), (0.5, 0)))}
"""Its inner side is the right one."""
HERE: Point = (0.25, 0.5)
THERE: Point = (0.75, 0.5)


def seen(at: float, foot: Point, tall: float = 0.2, id: int = 1) -> Track:
    x, y = foot
    box: Box = (x - 0.05, y - tall, x + 0.05, y)
    return Track(id, "person", box, 0.8, 0.0, at, 3, confirmed=True)


@pytest.fixture
def memory() -> PlacesMemory:
    return PlacesMemory()


def test_a_thing_is_in_the_zone_that_holds_its_foot(memory: PlacesMemory) -> None:
    places = Places(ZONES, LINES, memory)

    places.follow([seen(0, HERE), seen(0, THERE, id=2)])

    assert places.zones_of(1) == {"left"}
    assert places.zones_of(2) == {"right"}
    assert places.settled([2, 1]) == ("left", "right")


@pytest.mark.parametrize(("tall", "inside"), [(0.09, False), (0.11, True), (0.29, True), (0.31, False)])
def test_a_zone_may_ask_for_a_height(memory: PlacesMemory, tall: float, inside: bool) -> None:
    """A cat near the camera is as tall as a cow at the far end; only one of them can be in the far zone."""
    places = Places({"left": LEFT.model_copy(update={"height": (0.1, 0.3)})}, {}, memory)

    places.follow([seen(0, HERE, tall)])

    assert places.zones_of(1) == ({"left"} if inside else frozenset())


def test_a_zone_is_settled_until_it_has_been_left_for_a_moment(memory: PlacesMemory) -> None:
    places = Places(ZONES, LINES, memory)
    places.follow([seen(0, HERE)])

    places.follow([seen(1, THERE)])
    assert places.zones_of(1) == {"right"}
    assert places.settled([1]) == ("left", "right")

    places.follow([seen(1 + GRACE_S, THERE)])
    assert places.settled([1]) == ("right",)


def test_who_is_only_carried_on_stays_where_it_was(memory: PlacesMemory) -> None:
    places = Places(ZONES, LINES, memory)
    places.follow([seen(0, HERE)])
    stand = asdict(memory.stands[1])

    places.follow([seen(0, HERE)])

    assert asdict(memory.stands[1]) == stand


def test_who_is_gone_is_forgotten(memory: PlacesMemory) -> None:
    places = Places(ZONES, LINES, memory)
    places.follow([seen(0, HERE), seen(0, THERE, id=2)])

    places.follow([seen(1, THERE, id=2)])

    assert memory.stands.keys() == {2}


def walk_over(memory: PlacesMemory, places: Places) -> Places:
    places.follow([seen(0, HERE)])
    places.follow([seen(0.5, THERE)])
    return places


def test_another_over_the_same_memory_goes_on(memory: PlacesMemory) -> None:
    """Before the track is seen again, and after."""
    walk_over(memory, Places(ZONES, LINES, memory))

    places = Places(ZONES, LINES, memory)
    for at in (0.5, 1.0):
        places.follow([seen(at, THERE)])
        assert places.zones_of(1) == {"right"}
        assert places.settled([1]) == ("left", "right")
        assert places.crossed(1, "fence") == "in"


def test_a_zone_that_was_drawn_differently_begins_anew_and_the_others_go_on(memory: PlacesMemory) -> None:
    walk_over(memory, Places(ZONES, LINES, memory))
    smaller = LEFT.model_copy(update={"points": ((0, 0), (0.3, 0), (0.3, 1), (0, 1))})

    places = Places({"left": smaller, "right": RIGHT}, LINES, memory)
    places.follow([seen(0.5, THERE)])

    assert places.settled([1]) == ("right",)
    assert memory.stands[1].zones["right"].since == 0.5
    assert places.crossed(1, "fence") == "in"


def test_a_zone_that_asks_for_another_height_begins_anew(memory: PlacesMemory) -> None:
    walk_over(memory, Places(ZONES, LINES, memory))

    places = Places({"left": LEFT, "right": RIGHT.model_copy(update={"height": (0.5, 1.0)})}, LINES, memory)
    places.follow([seen(0.5, THERE)])

    assert places.settled([1]) == ("left",)


def test_a_zone_drawn_around_who_stands_there_holds_it_at_once(memory: PlacesMemory) -> None:
    """Also while it is only carried on."""
    Places({}, {}, memory).follow([seen(0, HERE)])

    places = Places(ZONES, LINES, memory)
    places.follow([seen(0, HERE)])

    assert places.zones_of(1) == {"left"}


def test_a_line_that_was_drawn_differently_was_crossed_by_nobody(memory: PlacesMemory) -> None:
    walk_over(memory, Places(ZONES, LINES, memory))
    turned = LINES["fence"].model_copy(update={"points": LINES["fence"].points[::-1]})

    places = Places(ZONES, {"fence": turned}, memory)
    places.follow([seen(0.5, THERE)])

    assert places.crossed(1, "fence") is None


def test_the_old_places_go_on_until_the_new_ones_have_seen_a_scene(memory: PlacesMemory) -> None:
    """A configuration that is prepared and then refused has changed nothing."""
    old = walk_over(memory, Places(ZONES, LINES, memory))

    Places({}, {}, memory)

    assert old.settled([1]) == ("left", "right")


def test_the_memory_survives_json(memory: PlacesMemory) -> None:
    walk_over(memory, Places(ZONES, LINES, memory))
    adapter = TypeAdapter(PlacesMemory)

    restored = adapter.validate_python(json.loads(adapter.dump_json(memory)))

    assert restored == replace(memory)
    places = Places(ZONES, LINES, restored)
    places.follow([seen(1.0, THERE)])
    assert places.crossed(1, "fence") == "in"
