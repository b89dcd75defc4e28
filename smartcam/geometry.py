"""Boxes and polygons. Pure: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Box, Boxes, Point

Floats: TypeAlias = NDArray[np.floating[Any]]


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
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
