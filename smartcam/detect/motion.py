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

Mask: TypeAlias = NDArray[np.uint8]
"""(h, w) 255 where something holds, else 0."""

LONG_SIDE = 160
"""Pixels at least of the shrunken picture's longer side."""
SAMPLES = 24
"""Pixels at least that are averaged into one; rows beyond that are not even read from memory."""
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
        import cv2

        picture = shrink(luma)
        if picture.shape != self._usual.shape:
            return self._begin(picture, at)
        off, moved = self._compare(picture)
        if some := cv2.countNonZero(moved):
            # A still scene needs no such care: its running average follows the light by itself.
            self._usual *= _gain(self._usual, picture)
            off, moved = self._compare(picture)
            some = cv2.countNonZero(moved)
        if some > EVERYWHERE * moved.size:
            return self._begin(picture, at)
        self._adapt(picture, off, moved if some else None, at)
        return Motion(_boxes(moved)) if some else Motion.none()

    def _begin(self, picture: Small, at: float) -> Motion:
        self._usual, self._at = picture, at
        self._deviation = np.full_like(picture, FIRST_DEVIATION)
        return Motion.everywhere()

    def _compare(self, picture: Small) -> tuple[Small, Mask]:
        """How far each pixel is off, and which are too far."""
        import cv2

        off = cv2.absdiff(picture, self._usual)
        limit = self._deviation * np.float32(DEVIATIONS) + np.float32(MIN_CONTRAST)
        return np.asarray(off), np.asarray(cv2.compare(off, limit, cv2.CMP_GT))

    def _adapt(self, picture: Small, off: Small, moved: Mask | None, at: float) -> None:
        """Follow what is still; where something moves keep the background, and learn slowly how much moves there."""
        import cv2

        elapsed_s, self._at = at - self._at, at
        still = None if moved is None else cv2.bitwise_not(moved)
        cv2.accumulateWeighted(picture, self._usual, _share(elapsed_s, USUAL_S), still)
        cv2.accumulateWeighted(off, self._deviation, _share(elapsed_s, DEVIATION_S), still)
        if moved is not None:
            cv2.accumulateWeighted(off, self._deviation, _share(elapsed_s, DEVIATION_MOVED_S), moved)


def shrink(luma: Luma) -> Small:
    """(h, w) → about `LONG_SIDE` pixels of its longer side, each the mean over a block of whole pixels.

    Only some rows of each block are read, which is what costs; and where it can, the width is halved first, because
    that alone is vectorised. A picture that was turned is a view with negative or swapped strides, of which OpenCV
    would first make a full copy: it is shrunk as it lies in memory, and the small one is turned.
    """
    import cv2

    down, across = luma.strides
    turned = abs(down) < abs(across)
    flips = (slice(None, None, -1 if down < 0 else 1), slice(None, None, -1 if across < 0 else 1))
    plane = luma[flips].T if turned else luma[flips]
    block = max(1, max(plane.shape) // LONG_SIDE)
    height, width = max(1, plane.shape[0] // block), max(1, plane.shape[1] // block)
    rows_needed = min(block, max(2, -(-SAMPLES // block)))
    step = next(step for step in range(block // rows_needed, 0, -1) if block % step == 0)
    sampled = plane[: height * block : step, : width * block]
    if block % 2 == 0 and (block // step) % 2 == 0:
        half = (sampled.shape[1] // 2, sampled.shape[0] // 2)
        sampled = np.asarray(cv2.resize(sampled, half, interpolation=cv2.INTER_AREA))
    small = np.asarray(cv2.resize(sampled, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return np.ascontiguousarray((small.T if turned else small)[flips])


def _gain(usual: Small, picture: Small) -> float:
    """How much brighter the whole picture became: exposure and clouds multiply. The median ignores what moves."""
    return float(np.median((picture[::4, ::4] + 1) / (usual[::4, ::4] + 1)))


def _share(elapsed_s: float, follows_s: float) -> float:
    """How far an average goes towards its present value in that time."""
    return 1 - exp(-elapsed_s / follows_s)


def _boxes(moved: Mask) -> Boxes:
    """(h, w) pixels that moved → (n, 4) padded boxes around what hangs together."""
    import cv2

    # Grown by a pixel, so that the parts of one walker, and where they were and are, become one.
    grown = cv2.dilate(moved, np.ones((3, 3), np.uint8))
    count, blobs, stats, _ = cv2.connectedComponentsWithStats(grown)
    enough = np.bincount(blobs[moved > 0], minlength=count) >= MIN_PIXELS
    x, y, width, height, _ = stats[enough].T.astype(np.float32)
    across, down = width * PADDING + PADDING_PIXELS, height * PADDING + PADDING_PIXELS
    edges = np.stack([x - across, y - down, x + width + across, y + height + down], axis=1)
    boxes: Boxes = np.clip(edges / np.array([*moved.shape[::-1]] * 2, np.float32), 0, 1)
    return boxes
