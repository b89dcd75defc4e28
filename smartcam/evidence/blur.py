"""Pixels that nobody may recognise: averaged over large blocks where a thing is, grey where a mask lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np

from smartcam.config import Config
from smartcam.config.contradictions import ANY
from smartcam.data import WHOLE, Box, Point, Rgb
from smartcam.geometry import MASKED, raster

BLOCKS = 6
"""Across a box's shorter side, which a face is not wider than: by six blocks nobody is known."""
BLOCKS_OF_ALL = 12
"""Across a whole picture's shorter side, where nobody knows what is in it: a face of half its height has six."""
LEAST_BLOCK_PX = 8
PADDING = 0.15
"""Of a box's own sides, at each of them: models cut off hair and hands."""
LEAST_PADDING_PX = 4


def blurred(rgb: Rgb, boxes: Iterable[Box], blocks: int = BLOCKS) -> Rgb:
    """(h, w, 3) with every box (in 0..1, padded) averaged over blocks: nothing can compute what was there.

    `blocks` is how many a box has across its shorter side.
    """
    canvas = rgb.copy()
    height, width = canvas.shape[:2]
    for box in boxes:
        left, top, right, bottom = _padded(box, (width, height))
        part = canvas[top:bottom, left:right]
        if part.size:
            part[:] = _averaged(part, _block(box, (width, height), blocks))
    return canvas


def blurred_whole(rgb: Rgb) -> Rgb:
    """(h, w, 3), all of it averaged over blocks: for a moment of which nobody knows where things were."""
    return blurred(rgb, [WHOLE], BLOCKS_OF_ALL)


def masked(rgb: Rgb, polygons: Sequence[Sequence[Point]]) -> Rgb:
    """(h, w, 3), upright, with every polygon (points in 0..1) filled with grey."""
    height, width = rgb.shape[:2]
    canvas = rgb.copy()
    canvas[raster(tuple(map(tuple, polygons)), (width, height)) > 0] = MASKED
    return canvas


def to_blur(config: Config, rule: str) -> frozenset[str] | None:
    """The labels that a rule's pictures and clips must not show: none of them when empty, and None is everything."""
    names = config.rule[rule].blur
    if ANY in names:
        return None
    groups = [config.group[name[1:]] for name in names if name.startswith("@")]
    return frozenset(name for name in names if not name.startswith("@")).union(*groups)


def _padded(box: Box, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in 0..1 → left, top, right, bottom in whole pixels, with the padding, within the picture."""
    (width, height), (x1, y1, x2, y2) = size_wh, box
    across = max((x2 - x1) * width * PADDING, LEAST_PADDING_PX)
    down = max((y2 - y1) * height * PADDING, LEAST_PADDING_PX)
    return (
        max(0, int(x1 * width - across)),
        max(0, int(y1 * height - down)),
        min(width, ceil(x2 * width + across)),
        min(height, ceil(y2 * height + down)),
    )


def _block(box: Box, size_wh: tuple[int, int], blocks: int) -> int:
    """The side of a block, in pixels."""
    (width, height), (x1, y1, x2, y2) = size_wh, box
    return max(LEAST_BLOCK_PX, ceil(min((x2 - x1) * width, (y2 - y1) * height) / blocks))


def _averaged(pixels: Rgb, block_px: int) -> Rgb:
    """(h, w, 3) in blocks of about that size, each of one colour."""
    import cv2

    height, width = pixels.shape[:2]
    few = max(1, width // block_px), max(1, height // block_px)
    small = cv2.resize(pixels, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
