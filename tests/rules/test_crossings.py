"""Who crosses a line: those who walk over it, however fast, and not those who stand on it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smartcam.data import Box, Point, Track
from smartcam.rules.crossings import CLEAR_BOX, LEAST_CLEAR, Crossing, Way

TALL = 0.2
CLEAR = CLEAR_BOX * TALL
FENCE: tuple[Point, ...] = ((0.2, 0.5), (0.8, 0.5))
"""From left to right: its inner side is below."""
BENT: tuple[Point, ...] = ((0.1, 0.5), (0.3, 0.5), (0.4, 0.3), (0.6, 0.7), (0.7, 0.5), (0.9, 0.5))
OUTSIDE, INSIDE = (0.5, 0.4), (0.5, 0.6)


def seen(foot: Point, tall: float = TALL) -> Track:
    x, y = foot
    box: Box = (x - 0.05, y - tall, x + 0.05, y)
    return Track(1, "person", box, 0.8, 0.0, 0.0, 3, confirmed=True)


def ways(feet: Iterable[Point], line: tuple[Point, ...] = FENCE, tall: float = TALL) -> list[Way]:
    """The crossings that are believed, one after the other."""
    crossing, believed = None, list[Way]()
    for foot in feet:
        crossing = crossing or Crossing(foot)
        crossing.way, before = None, crossing.way
        crossing.step(line, seen(foot, tall))
        if crossing.way:
            believed.append(crossing.way)
        else:
            crossing.way = before
    return believed


def test_who_walks_over_has_crossed_and_who_comes_back_has_crossed_back() -> None:
    there = [(0.5, 0.4 + step / 50) for step in range(11)]

    assert ways(there) == ["in"]
    assert ways([*there, *there[::-1]]) == ["in", "out"]


def test_a_runner_crosses_in_one_step() -> None:
    """At 2 frames a second, from one end of the picture to the other."""
    assert ways([(0.5, 0.05), (0.5, 0.95)]) == ["in"]


def test_who_appears_on_the_inner_side_has_not_crossed() -> None:
    assert ways([INSIDE, (0.5, 0.7), INSIDE]) == []


def test_who_goes_around_the_end_has_not_crossed() -> None:
    assert ways([OUTSIDE, (0.9, 0.4), (0.9, 0.6), INSIDE]) == []
    assert ways([(0.21, 0.45), (0.19, 0.49), (0.19, 0.51), (0.21, 0.55)]) == []


def test_a_crossing_is_believed_once_the_foot_is_clear_of_the_line() -> None:
    just_over = (0.5, 0.5 + 0.9 * CLEAR)

    assert ways([OUTSIDE, just_over, just_over, just_over]) == []
    assert ways([OUTSIDE, just_over, (0.5, 0.5 + 1.1 * CLEAR)]) == ["in"]


def test_who_turns_around_on_the_line_has_not_crossed() -> None:
    assert ways([OUTSIDE, (0.5, 0.505), (0.5, 0.495), OUTSIDE]) == []


@pytest.mark.parametrize(("tall", "believed"), [(0.02, ["in"]), (0.9, [])])
def test_small_things_need_a_small_step_and_tall_ones_a_large_one(tall: float, believed: list[Way]) -> None:
    """A detector's error is a share of the box."""
    assert ways([(0.5, 0.48), (0.5, 0.5 + 1.5 * LEAST_CLEAR)], tall=tall) == believed


trembling = st.floats(-0.7 * CLEAR, 0.7 * CLEAR)
"""In both directions: 0.99 of the way that would be clear of the line."""


@given(st.floats(0.2, 0.8), st.lists(st.tuples(trembling, trembling), max_size=60))
def test_who_stands_on_a_line_never_crosses_it(x: float, trembles: list[Point]) -> None:
    """Ends of the line included, around which a trembling foot may go."""
    feet = [(x, 0.5)] + [(x + across, 0.5 + down) for across, down in trembles]

    assert ways(feet) == []


@given(st.lists(trembling, min_size=2, max_size=60), st.sampled_from([OUTSIDE, INSIDE]))
def test_who_pauses_on_a_line_crosses_it_once_at_most(trembles: list[float], end: Point) -> None:
    feet = [OUTSIDE, *((0.5, 0.5 + down) for down in trembles), end]

    assert ways(feet) == (["in"] if end == INSIDE else [])


corridor = st.tuples(st.floats(0.25, 0.75), st.floats(0.0, 1.0))
across_all: tuple[Point, ...] = ((-1, 0.5), *BENT[1:-1], (2, 0.5))
"""A line without ends, as far as the picture goes."""


@given(st.lists(corridor, min_size=2, max_size=40))
def test_believed_crossings_add_up_to_the_change_of_sides(feet: list[Point]) -> None:
    """Whatever the way, and however the line bends: first in, then out, then in, and at the end it is where it is."""
    sides = [inner(foot) for foot in feet]
    assume(all(abs(side) > 1e-9 for side in sides))
    assume(clear(feet[-1]))

    believed = ways(feet, across_all)

    assert all(one != other for one, other in pairwise(believed))
    assert sum(1 if way == "in" else -1 for way in believed) == (sides[-1] > 0) - (sides[0] > 0)


@given(st.lists(corridor, min_size=2, max_size=40))
def test_who_is_clear_of_the_line_is_believed_at_once(feet: list[Point]) -> None:
    """There is nothing to wait for: each look that is clear of the line knows the side."""
    clear_feet = [foot for foot in feet if clear(foot)]
    sides = [inner(foot) > 0 for foot in clear_feet]

    changes = ["in" if now else "out" for before, now in pairwise(sides) if before != now]

    assert ways(clear_feet, across_all) == changes


def inner(foot: Point) -> float:
    """How far below the bent line a foot is."""
    x, y = foot
    for (x1, y1), (x2, y2) in pairwise(across_all):
        if x1 <= x <= x2:
            return y - (y1 + (y2 - y1) * (x - x1) / (x2 - x1))
    raise AssertionError(foot)


def clear(foot: Point) -> bool:
    """Whether it is clear of the line beyond doubt: vertically it is farther than straight away from it."""
    return abs(inner(foot)) > 4 * CLEAR
