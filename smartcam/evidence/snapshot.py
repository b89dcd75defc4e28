"""A picture → JPEG bytes: whole or cropped, plain or with boxes, never larger than a message may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smartcam.data import WHOLE, Box, Picture, Point, Rgb
from smartcam.evidence.blur import BLOCKS_OF_ALL, blurred
from smartcam.geometry import MASKED, raster

MAX_BYTES = 512 * 1024
"""Far below what a broker takes as one message (1.9 MB), and what a mobile link carries in some seconds."""
QUALITIES = (85, 75, 65, 55)
"""Tried in turn: from 85 up a JPEG only grows, below 55 its blocks show, and fewer pixels are better."""
SHRINK = 0.75
MIN_SIDE = 32
CROP_PADDING = 0.2
"""Of the box's longer side, at each side of it: a thing is recognised by what is around it."""
LINE_SHARE = 1 / 400
"""Of the picture's shorter side: a box's line is 2 pixels thick at 720 lines."""
TEXT_SHARE = 1 / 30
MIN_TEXT_PX = 11
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to be drawn, in 0..1 of the whole picture, and its text."""

    box: Box
    text: str


def jpeg(
    picture: Picture,
    marks: Sequence[Mark] = (),
    *,
    crop: Box | None = None,
    blur: Sequence[Box] | None = (),
    mask: Sequence[Sequence[Point]] = (),
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """The picture with `marks` drawn, or its part around `crop`, at its own resolution if that fits `max_bytes`.

    What lies under the polygons of `mask` (points in 0..1 of the whole picture) is grey, whatever the picture itself
    shows: it may have been taken before the camera had that mask. What is in the boxes of `blur` cannot be recognised;
    None blurs everything. Too large, it loses quality first, then pixels; marks are drawn after, so that they stay
    readable.
    """
    part = padded(crop, picture.size) if crop else WHOLE
    pixels = _masked(picture, part, mask)
    if blur is None:
        pixels = blurred(pixels, [_within(WHOLE, part)], BLOCKS_OF_ALL)
    elif blur:
        pixels = blurred(pixels, [_within(box, part) for box in blur])
    marks = [Mark(_within(mark.box, part), mark.text) for mark in marks if _overlap(mark.box, part)]
    while True:
        drawn = draw(pixels, marks)
        for quality in QUALITIES:
            if len(data := encode(drawn, quality)) <= max_bytes:
                return data
        if min(pixels.shape[:2]) * SHRINK < MIN_SIDE:
            return data
        pixels = _shrunk(pixels)


def draw(pixels: Rgb, marks: Sequence[Mark]) -> Rgb:
    """(h, w, 3) with a thin box and a label for each mark: white on black, readable on any background."""
    import cv2

    if not marks:
        return pixels
    canvas = pixels.copy()
    height, width = canvas.shape[:2]
    line = max(1, round(min(height, width) * LINE_SHARE))
    for mark in marks:
        left, top, right, bottom = (
            round(share * side) for share, side in zip(mark.box, (width, height) * 2, strict=True)
        )
        cv2.rectangle(canvas, (left, top), (right, bottom), BLACK, line * 3, cv2.LINE_AA)
        cv2.rectangle(canvas, (left, top), (right, bottom), WHITE, line, cv2.LINE_AA)
    for mark in marks:
        _write(canvas, mark, line)
    return canvas


def encode(pixels: Rgb, quality: int) -> bytes:
    """(h, w, 3) → JPEG."""
    import cv2

    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def padded(box: Box, size_wh: tuple[int, int]) -> Box:
    """The box with `CROP_PADDING` around it, within the picture."""
    width, height = size_wh
    x1, y1, x2, y2 = box
    padding_px = max((x2 - x1) * width, (y2 - y1) * height) * CROP_PADDING
    across, down = padding_px / width, padding_px / height
    return max(0.0, x1 - across), max(0.0, y1 - down), min(1.0, x2 + across), min(1.0, y2 + down)


def _write(canvas: Rgb, mark: Mark, line: int) -> None:
    """The mark's text on a black bar: above its box where there is room, else inside; never out of the picture."""
    import cv2

    height, width = canvas.shape[:2]
    text_px = max(MIN_TEXT_PX, round(min(height, width) * TEXT_SHARE))
    font = cv2.FONT_HERSHEY_SIMPLEX
    # The built-in font knows ASCII only.
    text = mark.text.encode("ascii", "replace").decode()
    scale = cv2.getFontScaleFromHeight(font, text_px, line)
    (text_w, text_h), below = cv2.getTextSize(text, font, scale, line)
    bar_w, bar_h = text_w + 2 * below, text_h + 2 * below
    left = min(max(0, round(mark.box[0] * width)), max(0, width - bar_w))
    above = round(mark.box[1] * height) - bar_h
    top = above if above >= 0 else max(0, above + bar_h)
    cv2.rectangle(canvas, (left, top), (left + bar_w, top + bar_h), BLACK, cv2.FILLED)
    cv2.putText(canvas, text, (left + below, top + below + text_h), font, scale, WHITE, line, cv2.LINE_AA)


def _masked(picture: Picture, part: Box, mask: Sequence[Sequence[Point]]) -> Rgb:
    """A part of the picture, with the polygons burned into it."""
    pixels = picture.rgb(part)
    if not mask:
        return pixels
    (width, height), (rows, columns) = picture.size, pixels.shape[:2]
    left, top = min(round(part[0] * width), width - 1), min(round(part[1] * height), height - 1)
    hidden = raster(tuple(map(tuple, mask)), picture.size)[top : top + rows, left : left + columns]
    pixels = pixels.copy()
    pixels[hidden > 0] = MASKED
    return pixels


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _within(box: Box, part: Box) -> Box:
    """A box of the whole picture → the same in 0..1 of its part."""
    left, top, right, bottom = part
    across, down = right - left, bottom - top
    x1, y1, x2, y2 = box
    return (x1 - left) / across, (y1 - top) / down, (x2 - left) / across, (y2 - top) / down


def _shrunk(pixels: Rgb) -> Rgb:
    import cv2

    height, width = pixels.shape[:2]
    size = max(1, round(width * SHRINK)), max(1, round(height * SHRINK))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
