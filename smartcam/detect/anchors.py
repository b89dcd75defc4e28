"""The anchors of an SSD, and what its raw box encodings mean beside them. Pure."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Boxes

Anchors: TypeAlias = NDArray[np.float32]
"""(n, 4) centre y, centre x, height, width in 0..1 of the input."""

MAPS = 6
FIRST_STRIDE = 16
LOWEST_SCALE, HIGHEST_SCALE = 0.2, 0.95
CENTRE_SCALE, SIZE_SCALE = 10.0, 5.0
"""How far the encodings are stretched: y and x by 10, height and width by 5."""


def ssd_anchors(input_side: int) -> Anchors:
    """The anchors of a square SSD MobileNet, map by map, row by row.

    Six maps, each half of the one before (19, 10, 5, 3, 2, 1 for an input of 300 pixels), scales from
    0.2 to 0.95, three shapes on the first map and six on each other: the defaults of the TensorFlow
    Object Detection API's `ssd_anchor_generator`, with which the public SSD MobileNets were trained.
    """
    scales = [LOWEST_SCALE + (HIGHEST_SCALE - LOWEST_SCALE) * n / (MAPS - 1) for n in range(MAPS)] + [1.0]
    sides = [math.ceil(input_side / (FIRST_STRIDE << n)) for n in range(MAPS)]
    return np.concatenate([_map(side, _shapes(n, scales)) for n, side in enumerate(sides)])


def decode(encodings: NDArray[np.float32], anchors: Anchors) -> Boxes:
    """(n, 4) encodings y, x, h, w beside their (n, 4) anchors → (n, 4) boxes x1, y1, x2, y2.

    The box coder of "Faster R-CNN" (Ren et al. 2015, eq. 2), as the Object Detection API scales it. An
    encoding too large for a float becomes an infinite box, which the caller drops.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centre = encodings[:, :2] / CENTRE_SCALE * anchors[:, 2:] + anchors[:, :2]
        half = np.exp(encodings[:, 2:] / SIZE_SCALE) * anchors[:, 2:] / 2
        boxes: Boxes = np.concatenate([centre - half, centre + half], axis=1)[:, [1, 0, 3, 2]]
    return boxes


def _shapes(index: int, scales: list[float]) -> list[tuple[float, float]]:
    """(scale, aspect ratio) of each anchor of a cell; the last is the square between this map's scale and the next."""
    if index == 0:
        return [(0.1, 1.0), (LOWEST_SCALE, 2.0), (LOWEST_SCALE, 0.5)]
    between = math.sqrt(scales[index] * scales[index + 1])
    return [(scales[index], aspect) for aspect in (1.0, 2.0, 1 / 2, 3.0, 1 / 3)] + [(between, 1.0)]


def _map(side: int, shapes: list[tuple[float, float]]) -> Anchors:
    places = (np.arange(side) + 0.5) / side
    sizes = np.array([(scale / math.sqrt(aspect), scale * math.sqrt(aspect)) for scale, aspect in shapes])
    cells = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    columns = np.broadcast_to(cells, (side * side, len(shapes), 2)), np.broadcast_to(sizes, (side * side, *sizes.shape))
    return np.concatenate(columns, axis=2).reshape(-1, 4).astype(np.float32)
