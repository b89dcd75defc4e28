"""Zones and lines: what encloses something, and what leads somewhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.config.outlines import polygon, polyline
from smartcam.data import Point


@given(st.integers(3, 64), st.floats(0, 6.3), st.floats(0.02, 0.5), st.booleans())
def test_corners_around_a_middle_are_a_zone_either_way_round(
    corners: int, turned: float, radius: float, backwards: bool
) -> None:
    points = tuple(
        (0.5 + radius * math.cos(turned + step), 0.5 + radius * math.sin(turned + step))
        for step in (2 * math.pi * n / corners for n in range(corners))
    )
    rounded = tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in points)
    assert polygon(rounded[::-1] if backwards else rounded)


@given(st.integers(0, 3), st.booleans())
def test_a_bow_tie_crosses_itself_wherever_it_begins(first: int, backwards: bool) -> None:
    bow: list[Point] = [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]
    points = tuple(bow[first:] + bow[:first])
    with pytest.raises(ValueError, match=r"the edge from .* crosses the one from"):
        polygon(points[::-1] if backwards else points)


@pytest.mark.parametrize(
    "points",
    [
        [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0)],  # a corner that goes in
        [(0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0), (0.0, 0.3)],
        [(0.1, 0.1), (0.2, 0.1), (0.3, 0.1), (0.3, 0.3)],  # three corners on one edge
        [
            (0.0, 0.0),
            (1.0, 0.0),
            (1.0, 1.0),
            (0.5, 0.0),
            (0.0, 1.0),
        ],  # it touches itself: everything is still in or out
    ],
)
def test_other_shapes_are_zones_too(points: list[Point]) -> None:
    assert polygon(tuple(points)) == tuple(points)


@pytest.mark.parametrize(
    "points", [[(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)], [(0.1, 0.7), (0.4, 0.7), (0.2, 0.7), (0.9, 0.7)]]
)
def test_points_on_one_line_enclose_nothing(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="all points are on one line"):
        polygon(tuple(points))


@pytest.mark.parametrize("outside", [-0.01, 1.01, 640.0, math.nan, math.inf])
def test_points_outside_the_picture_are_refused_by_number(outside: float) -> None:
    for check in polygon, polyline:
        with pytest.raises(ValueError, match=r"point 2, .* is outside"):
            check(((0.5, 0.5), (outside, 0.2), (0.1, 0.1)))


def test_a_line_may_cross_itself_but_not_stand_still() -> None:
    assert polyline(((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)))
    with pytest.raises(ValueError, match=r"two points in a row are the same, \[1, 1\]"):
        polyline(((0.0, 0.0), (1.0, 1.0), (1.0, 1.0)))
