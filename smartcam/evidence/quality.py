"""How good a picture of something is, in 0..1: score times size times sharpness, half if the frame's edge cuts it."""

from __future__ import annotations

from math import sqrt

import numpy as np

from smartcam.data import Box, Detections, Luma, Track
from smartcam.geometry import iou

HALF_SIZE = 0.2
"""A thing whose side is this share of the frame's is worth half of one that is as large as can be: twice the pixels
matter a lot when it is small and little once it fills the picture (Michaelis-Menten saturation)."""
HALF_SHARPNESS = 100.0
"""Variance of the Laplacian that counts as half sharp: the usual border between blurred and sharp 8-bit pictures."""
WORST_SHARPNESS = 0.2
"""A blurred picture is still a picture."""
SHARPNESS_SIDE = 128
"""Pixels of the longer side on which sharpness is measured: noise of the sensor is gone, blur of motion is not."""
EDGE = 0.01
"""A box nearer to the frame's border than this is cut by it."""
CUT = 0.5
SAME_BOX = 0.9


def quality_but_sharpness(track: Track, detections: Detections) -> float:
    """What a picture of the track, as seen in this frame, is worth if it is sharp. Cheap."""
    return _score(track, detections) * _size(track.box) * _uncut(track.box)


def sharpness(luma: Luma, box: Box) -> float:
    """How sharp the box's part of the picture is, in `WORST_SHARPNESS`..1.

    Variance of the Laplacian (Pech-Pacheco et al. 2000), on the crop reduced to `SHARPNESS_SIDE`.
    """
    import cv2

    height, width = luma.shape
    x1, y1, x2, y2 = box
    crop = luma[
        max(0, int(y1 * height)) : max(1, int(y2 * height)),
        max(0, int(x1 * width)) : max(1, int(x2 * width)),
    ]
    if min(crop.shape) < 3:
        return WORST_SHARPNESS
    while max(crop.shape) > SHARPNESS_SIDE:
        crop = _shrunk(crop)
    variance = float(cv2.Laplacian(crop, cv2.CV_32F).var())
    return max(WORST_SHARPNESS, variance / (variance + HALF_SHARPNESS))


def _shrunk(crop: Luma) -> Luma:
    """Half as large, or `SHARPNESS_SIDE` if that is more."""
    import cv2

    # INTER_AREA is only fast where it halves exactly.
    height, width = crop.shape
    if max(height, width) >= 2 * SHARPNESS_SIDE:
        half_wh = max(1, width // 2), max(1, height // 2)
        return np.asarray(cv2.resize(crop[: half_wh[1] * 2, : half_wh[0] * 2], half_wh, interpolation=cv2.INTER_AREA))
    shrink = SHARPNESS_SIDE / max(height, width)
    size_wh = max(1, round(width * shrink)), max(1, round(height * shrink))
    return np.asarray(cv2.resize(crop, size_wh, interpolation=cv2.INTER_LINEAR))


def _score(track: Track, detections: Detections) -> float:
    """The score at this very frame; the track's own is that of its recent history."""
    if not len(detections):
        return track.score
    overlap = iou(np.array([track.box], np.float32), detections.boxes)[0]
    same = int(overlap.argmax())
    return float(detections.scores[same]) if overlap[same] > SAME_BOX else track.score


def _size(box: Box) -> float:
    x1, y1, x2, y2 = box
    side = sqrt(max(0.0, x2 - x1) * max(0.0, y2 - y1))
    return side / (side + HALF_SIZE)


def _uncut(box: Box) -> float:
    x1, y1, x2, y2 = box
    return CUT if min(x1, y1) < EDGE or max(x2, y2) > 1 - EDGE else 1.0
