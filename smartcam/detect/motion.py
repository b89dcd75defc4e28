"""Where a camera sees something move: a first, cheap look at brightness alone, so that a still scene costs nothing.

The small picture is compared with its running average, pixel by pixel, and with how far each pixel usually is from it
(the running Gaussian average in Piccardi, "Background subtraction techniques: a review", 2004).
"""

from __future__ import annotations

from math import exp, inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Boxes, Luma, Motion

Small: TypeAlias = NDArray[np.float32]
"""(h, w) brightness of the shrunken picture, or something for each of its pixels."""

LONG_SIDE = 160
"""Pixels at least of the shrunken picture's longer side."""
SAMPLES = 4
"""Rows at least that are averaged into one pixel; the others are not even read from memory."""
MIN_CONTRAST = 7.0
"""Grey levels of 255 that always count as still: what an encoder changes at its key frames stays below."""
DEVIATIONS = 4.0
"""Times its usual deviation that a pixel must be off, on top of `MIN_CONTRAST`."""
FIRST_DEVIATION = 1.5
"""Grey levels, until a new background has been watched for a while."""
EVERYWHERE = 0.5
"""Share of the picture above which the scene itself has changed: a lamp, a cut, an infrared filter."""
MIN_PIXELS = 3
"""Of the shrunken picture, side by side: one or two are noise."""
USUAL_S = 2.0
"""How soon the background follows, where nothing moved; where something did, it does not."""
DEVIATION_S, DEVIATION_MOVED_S = 5.0, 20.0
"""How soon the usual deviation follows, in still pixels and in those that moved. Slowly in the latter: leaves in the
wind become usual, a passer-by does not. So does, after some five seconds, a car that was parked, and then the
background takes it in: tracks that stand still are looked at again without the gate's help."""
PADDING = 0.25
"""What is added to a box at each side, as a share of it; and `PADDING_PIXELS` of the shrunken picture."""
PADDING_PIXELS = 2


class MotionGate:
    """What moves before one camera. Times are seconds, so that its frame rate changes nothing.

    The first picture, and one of another size than before, is motion everywhere: nobody has looked yet. So is one of
    which more than half changed at once; the new picture is then the background at once. A change of the light as
    a whole (exposure, a cloud) is no motion.

    It sees a walking person of 3 % of the picture's height at a contrast of 15 grey levels, in daylight's noise.
    """

    def __init__(self) -> None:
        self._usual: Small = np.empty((0, 0), np.float32)
        self._deviation: Small = self._usual
        self._at = -inf

    def look(self, luma: Luma, at: float) -> Motion:
        """Where the picture of time `at` differs from the usual; padded boxes, at a cost far below a millisecond."""
        picture = shrink(luma)
        if picture.shape != self._usual.shape:
            return self._begin(picture, at)
        self._usual *= _gain(self._usual, picture)
        off = np.abs(picture - self._usual)
        moved = off > MIN_CONTRAST + DEVIATIONS * self._deviation
        if np.count_nonzero(moved) > EVERYWHERE * moved.size:
            return self._begin(picture, at)
        self._adapt(picture, off, moved, at)
        return Motion(_boxes(moved)) if moved.any() else Motion.none()

    def _begin(self, picture: Small, at: float) -> Motion:
        self._usual, self._at = picture, at
        self._deviation = np.full_like(picture, FIRST_DEVIATION)
        return Motion.everywhere()

    def _adapt(self, picture: Small, off: Small, moved: NDArray[np.bool_], at: float) -> None:
        elapsed_s, self._at = at - self._at, at
        follow, learn, learn_moved = (_rate(elapsed_s, s) for s in (USUAL_S, DEVIATION_S, DEVIATION_MOVED_S))
        self._usual += np.where(moved, np.float32(0), follow) * (picture - self._usual)
        self._deviation += np.where(moved, learn_moved, learn) * (off - self._deviation)


def shrink(luma: Luma) -> Small:
    """(h, w) → about `LONG_SIDE` pixels of its longer side, each the mean of a block of whole pixels.

    A picture that was turned is a view with negative or swapped strides, of which OpenCV would first make a full
    copy: it is shrunk as it lies in memory, and the small one is turned.
    """
    import cv2

    rows, columns = luma.strides
    turned = abs(rows) < abs(columns)
    flips = (slice(None, None, -1 if rows < 0 else 1), slice(None, None, -1 if columns < 0 else 1))
    plane = luma[flips].T if turned else luma[flips]
    block = max(1, max(plane.shape) // LONG_SIDE)
    step = next(step for step in range(max(1, block // SAMPLES), 0, -1) if block % step == 0)
    height, width = (max(1, side // block) for side in plane.shape)
    sampled = plane[: height * block : step, : width * block]
    small = cv2.resize(sampled, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.ascontiguousarray((small.T if turned else small)[flips])


def _gain(usual: Small, picture: Small) -> float:
    """How much brighter the whole picture became: exposure and clouds multiply. The median ignores what moves."""
    return float(np.median((picture[::4, ::4] + 1) / (usual[::4, ::4] + 1)))


def _rate(elapsed_s: float, follows_s: float) -> np.float32:
    """How far an average goes towards its present value in that time."""
    return np.float32(1 - exp(-elapsed_s / follows_s))


def _boxes(moved: NDArray[np.bool_]) -> Boxes:
    """(h, w) pixels that moved → (n, 4) padded boxes around what hangs together."""
    import cv2

    # Grown by a pixel, so that the parts of one walker, and where they were and are, become one.
    grown = cv2.dilate(moved.view(np.uint8), np.ones((3, 3), np.uint8))
    count, blobs, stats, _ = cv2.connectedComponentsWithStats(grown)
    enough = np.bincount(blobs[moved], minlength=count) >= MIN_PIXELS
    x, y, width, height, _ = stats[enough].T.astype(np.float32)
    across, down = width * PADDING + PADDING_PIXELS, height * PADDING + PADDING_PIXELS
    edges = np.stack([x - across, y - down, x + width + across, y + height + down], axis=1)
    boxes: Boxes = np.clip(edges / np.array([*moved.shape[::-1]] * 2, np.float32), 0, 1)
    return boxes
