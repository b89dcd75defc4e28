"""What is drawn on a camera's picture: points that make a zone or a line, or a sentence about why they do not."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise
from typing import TypeAlias

from smartcam.data import Point

Edge: TypeAlias = tuple[Point, Point]

NOTHING = 1e-9
"""Areas below it are rounding, in shares of the picture."""


def polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The corners of a zone. Raises ValueError with a sentence."""
    _inside(points)
    if len(points) > 3 and points[0] == points[-1]:
        raise ValueError(f"the last point repeats the first, {_point(points[0])}: take it out, a zone closes itself")
    [(most, times)] = Counter(points).most_common(1)
    if times > 1:
        raise ValueError(f"the point {_point(most)} stands there {_times(times)}: take one out")
    if all(abs(_turn(points[0], points[1], other)) < NOTHING for other in points[2:]):
        raise ValueError("all points are on one line, which has no inside: move one of them aside")
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    for one, other in combinations(edges, 2):
        if _cross(one, other):
            raise ValueError(
                f"the edge from {_edge(one)} crosses the one from {_edge(other)}: "
                "give the points in their order around the zone"
            )
    return points


def polyline(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The points of a line. Raises ValueError with a sentence."""
    _inside(points)
    for one, other in pairwise(points):
        if one == other:
            raise ValueError(f"two points in a row are the same, {_point(one)}: move one of them, or take it out")
    return points


def _inside(points: tuple[Point, ...]) -> None:
    for number, point in enumerate(points, 1):
        if any(not 0 <= share <= 1 for share in point):
            raise ValueError(
                f"point {number}, {_point(point)}, is outside: points are shares of the picture, from 0 to 1; "
                "[0, 0] is its top left corner"
            )


def _cross(one: Edge, other: Edge) -> bool:
    """Whether each edge has its ends on both sides of the other."""
    return all(
        _turn(*edge, start) * _turn(*edge, end) < 0 and min(abs(_turn(*edge, start)), abs(_turn(*edge, end))) > NOTHING
        for edge, (start, end) in ((one, other), (other, one))
    )


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the area of the triangle; its sign tells on which side of a → b the point c lies."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _point(point: Point) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"


def _edge(edge: Edge) -> str:
    return f"{_point(edge[0])} to {_point(edge[1])}"


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"
