"""Boxes, polygons and lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from math import hypot
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Box, Boxes, Point

Floats: TypeAlias = NDArray[np.floating[Any]]
Edge: TypeAlias = tuple[Point, Point]
Polygons: TypeAlias = tuple[tuple[Point, ...], ...]
Raster: TypeAlias = NDArray[np.uint8]
"""(h, w), 255 where it holds, else 0."""

FLAT = 1e-12
"""A triangle of less than half this area has none: corners are written with a few decimals."""
SUBPIXEL_BITS = 4
MARGIN_PX = 2
"""Around a mask: as far as scaling and the coding of colour smear what lies under it."""
MASKED = 128
"""What a mask leaves, in brightness and colour: a grey in the middle, so that its edge is no contrast."""
RASTERS = 32
"""How many are remembered: a few cameras' masks, each for brightness, for colour and for a larger stream."""


def area(boxes: Floats) -> Floats:
    """(n, 4) boxes → (n,) areas; an inverted box has none."""
    width, height = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).T
    areas: Floats = width * height
    return areas


def iou(a: Floats, b: Floats) -> Floats:
    """(n, 4) and (m, 4) boxes → (n, m) intersection over union, 0 where both are empty."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.prod(np.maximum(sides, 0), axis=2)
    union = area(a)[:, None] + area(b)[None, :] - shared
    ratio: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def height(box: Box) -> float:
    """As a share of the picture's."""
    return box[3] - box[1]


def overlap(a: Box, b: Box) -> float:
    """`iou` of two boxes, without arrays."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def nms(
    boxes: Boxes, scores: Floats, classes: NDArray[Any], same: float = 0.5, other: float = 0.85
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: the rows that stay, best first.

    A box goes when a better one of its own class overlaps it by more than `same`, or a better one of
    another class by more than `other`: one animal that a model calls both dog and cat is one animal,
    while a rider and the bicycle stay two.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = iou(boxes[order], boxes[order])
    limit = np.where(classes[order][:, None] == classes[order][None, :], same, other)
    beaten_by = np.triu(overlap > limit, k=1)
    stays = np.ones(len(order), bool)
    for row in range(len(order)):
        if stays[row]:
            stays &= ~beaten_by[row]
    return order[stays]


@dataclass(frozen=True, slots=True)
class Fit:
    """How a crop of the frame lies in a model's square (or not so square) input."""

    crop: Box
    content_wh: tuple[int, int]
    """Pixels of the input that the picture covers, from the top left corner; the rest is padding."""
    input_wh: tuple[int, int]

    def to_frame(self, boxes: Boxes) -> Boxes:
        """(n, 4) boxes in 0..1 of the model's input → in 0..1 of the frame, cut at the crop's edges."""
        x1, y1, x2, y2 = self.crop
        across, down = self.input_wh[0] / self.content_wh[0], self.input_wh[1] / self.content_wh[1]
        scale = np.array([across * (x2 - x1), down * (y2 - y1)] * 2, np.float32)
        near, far = np.array([[x1, y1] * 2, [x2, y2] * 2], np.float32)
        # Cut last: after the cut no rounding can bring a coordinate over the edge again.
        inside: Boxes = np.clip(boxes * scale + near, near, far).astype(np.float32)
        return inside


def stretch(crop: Box, input_wh: tuple[int, int]) -> Fit:
    """The crop fills the input; its aspect ratio is lost."""
    return Fit(crop, input_wh, input_wh)


def letterbox(crop: Box, frame_wh: tuple[int, int], input_wh: tuple[int, int]) -> Fit:
    """The crop keeps its aspect ratio; what is left over, at the right or below, is padding."""
    width = (crop[2] - crop[0]) * frame_wh[0]
    height = (crop[3] - crop[1]) * frame_wh[1]
    scale = min(input_wh[0] / width, input_wh[1] / height)
    content = max(1, round(width * scale)), max(1, round(height * scale))
    return Fit(crop, content, input_wh)


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether the point is inside, by the even-odd rule; the polygon closes itself."""
    x, y = point
    x1, y1 = polygon[-1]
    inside = False
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        x1, y1 = x2, y2
    return inside


@lru_cache(maxsize=RASTERS)
def raster(polygons: Polygons, size_wh: tuple[int, int]) -> Raster:
    """Every pixel of a picture of this size that a polygon touches, and `MARGIN_PX` around. Never write to it."""
    import cv2

    width, height = size_wh
    drawn = np.zeros((height, width), np.uint8)
    for polygon in polygons:  # One by one: of polygons filled together OpenCV leaves out where two overlap.
        corners = (np.array(polygon) * size_wh - 0.5) * (1 << SUBPIXEL_BITS)
        cv2.fillPoly(drawn, [np.rint(corners).astype(np.int32)], 255, shift=SUBPIXEL_BITS)
    grown: Raster = np.asarray(cv2.dilate(drawn, np.ones((2 * MARGIN_PX + 1, 2 * MARGIN_PX + 1), np.uint8)))
    grown.flags.writeable = False
    return grown


def self_crossing(polygon: Sequence[Point]) -> tuple[int, int] | None:
    """The first two edges that meet where they should not: neighbours that fold back, others that cross or touch.

    Edge i leads from point i to the next, and the last one back to the first. A point that repeats the one before is
    passed over, so a polygon may also end with its first point.
    """
    closed = zip(polygon, [*polygon[1:], *polygon[:1]], strict=True)
    edges = [(index, edge) for index, edge in enumerate(closed) if edge[0] != edge[1]]
    for (nth, (i, one)), (mth, (j, other)) in combinations(enumerate(edges), 2):
        if mth - nth == 1:
            wrong = _folds(one, other)
        elif mth - nth == len(edges) - 1:
            wrong = _folds(other, one)
        else:
            wrong = _meet(one, other)
        if wrong:
            return i, j
    return None


def crossings(polyline: Sequence[Point], a: Point, b: Point) -> int:
    """How often the step from `a` to `b` crosses the line: +1 for each time to its right hand, -1 to its left.

    The right hand is that of who walks along the points, in picture coordinates: y grows downwards. A step that ends
    on the line or leads through one of its points counts neither twice nor never: `a` and `b` are thought to be an
    infinitely small way further right in the picture, and a way yet smaller further down, so that nothing lies on
    anything (simulation of simplicity; Edelsbrunner and Mücke, 1990).
    """
    net = 0
    for start, end in pairwise(polyline):
        inward = _is_right(start, end, b)
        if inward != _is_right(start, end, a) and _is_right(a, b, start, tie=-1) != _is_right(a, b, end, tie=-1):
            net += 1 if inward else -1
    return net


def distance(polyline: Sequence[Point], point: Point) -> float:
    """From the point to the nearest one of the line."""
    return min(_distance(edge, point) for edge in pairwise(polyline))


def _distance(edge: Edge, point: Point) -> float:
    (x1, y1), (x2, y2) = edge
    along, down = x2 - x1, y2 - y1
    length2 = along * along + down * down
    share = ((point[0] - x1) * along + (point[1] - y1) * down) / length2 if length2 else 0.0
    share = min(max(share, 0.0), 1.0)
    return hypot(point[0] - x1 - share * along, point[1] - y1 - share * down)


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the area of the triangle; above 0 where c is at the right hand of who walks from a to b."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_right(a: Point, b: Point, c: Point, tie: int = 1) -> bool:
    """Whether c is at the right hand of who walks from a to b. In line with them, the side decides to which c is moved
    by an infinitely small step to the right in the picture (`tie` 1) or to the left (-1), else down or up."""
    turn = _turn(a, b, c)
    return (turn or tie * (a[1] - b[1]) or tie * (b[0] - a[0])) > 0


def _side(a: Point, b: Point, c: Point) -> int:
    """1 at the right hand of who walks from a to b, -1 at the left, 0 in line with them."""
    turn = _turn(a, b, c)
    return 0 if abs(turn) < FLAT else 1 if turn > 0 else -1


def _folds(one: Edge, after: Edge) -> bool:
    """Whether an edge runs back along the one that leads to it."""
    (x1, y1), (x2, y2), (x3, y3) = *one, after[1]
    return _side(*one, after[1]) == 0 and (x2 - x1) * (x3 - x2) + (y2 - y1) * (y3 - y2) < 0


def _meet(one: Edge, other: Edge) -> bool:
    """Whether two edges have a point in common."""
    sides = _side(*one, other[0]), _side(*one, other[1]), _side(*other, one[0]), _side(*other, one[1])
    if any(sides):
        return sides[0] != sides[1] and sides[2] != sides[3]
    return all(  # in one line: where their shadows on both axes meet
        max(min(a, b), min(c, d)) <= min(max(a, b), max(c, d)) for a, b, c, d in zip(*one, *other, strict=True)
    )
