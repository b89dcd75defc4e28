"""One camera's zones and lines, drawn on its picture with a grid of coordinates: what a person edits points by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.config import Line, Zone
from smartcam.data import Point, Rgb
from smartcam.evidence.snapshot import BLACK, WHITE, Mark

Colour: TypeAlias = tuple[int, int, int]
Pixels: TypeAlias = NDArray[np.int32]
"""(n, 2) x, y."""
Mask: TypeAlias = NDArray[np.uint8]
"""(h, w): not 0 where it holds."""

COLOURS: tuple[Colour, ...] = (
    (255, 214, 0),
    (64, 224, 255),
    (255, 120, 220),
    (160, 255, 70),
    (255, 150, 50),
    (200, 180, 255),
)
"""Apart from each other, and each readable on black."""
LEAST_PX = 360
"""A picture whose shorter side is smaller is enlarged: coordinates need room."""
TEXT_SHARE = 1 / 45
"""Of the picture's shorter side."""
LEAST_TEXT_PX = 9
FILL, GRID = 0.2, 0.45
"""How much of the picture they hide."""
ARROW_SHARE = 1 / 9
TENTHS = tuple(n / 10 for n in range(1, 10))


def chart(pixels: Rgb, zones: Mapping[str, Zone], lines: Mapping[str, Line], still: Sequence[Mark] = ()) -> Rgb:
    """(h, w, 3) with the zones and lines of one camera, and the things that stand still there, dashed.

    An arrow through each line points to its inner side. Small pictures are enlarged.
    """
    sheet = Sheet(_large_enough(pixels))
    colours = dict(zip((*zones, *lines), cycle(COLOURS), strict=False))
    for name, zone in zones.items():
        sheet.fill(zone.points, colours[name])
    sheet.grid()
    for name, zone in zones.items():
        sheet.outline([*zone.points, zone.points[0]], colours[name])
    for name, line in lines.items():
        sheet.outline(line.points, colours[name])
    for mark in still:
        sheet.dashes(mark.box)
    sheet.numbers()
    for name, line in lines.items():
        sheet.inwards(line.points, colours[name])
    for name, zone in zones.items():
        sheet.name(name, zone.points, [each.points for each in zones.values() if each is not zone], colours[name])
    for name, line in lines.items():
        sheet.write(name, sheet.middle(line.points), colours[name])
    for mark in still:
        sheet.write(mark.text, sheet.pixels([mark.box[:2]])[0], WHITE)
    return sheet.canvas


class Sheet:
    """What is drawn on, and where there is text already."""

    def __init__(self, canvas: Rgb) -> None:
        self.canvas = canvas
        height, width = canvas.shape[:2]
        self._size = np.array([width, height])
        self._text_px = max(LEAST_TEXT_PX, round(min(width, height) * TEXT_SHARE))
        self._line_px = max(1, round(self._text_px / 9))
        self._taken: Mask = np.zeros((height, width), np.uint8)

    def pixels(self, points: Iterable[Point]) -> Pixels:
        """Points in 0..1 → pixels of the canvas."""
        return np.asarray(np.rint(np.array(list(points)) * (self._size - 1)), np.int32)

    def fill(self, points: Sequence[Point], colour: Colour) -> None:
        """Colour a zone, and let the picture shine through."""
        self._veil(self._inside(points), colour, FILL)

    def grid(self) -> None:
        """A line every tenth."""
        mask = np.zeros_like(self._taken)
        for x, y in self._tenths():
            mask[:, x] = mask[y, :] = 1
        # One pixel of light beside one of dark is seen on snow and in the night.
        self._veil(np.roll(mask, (1, 1), (0, 1)), BLACK, GRID)
        self._veil(mask, WHITE, GRID)

    def numbers(self) -> None:
        """What each line of the grid stands for, at all four edges."""
        width, height = self._size
        for tenth, (x, y) in zip(TENTHS, self._tenths(), strict=True):
            for place in ((x, 0), (x, height), (0, y), (width, y)):
                self._text(f"{tenth:.1f}", np.array(place), WHITE)

    def outline(self, points: Sequence[Point], colour: Colour) -> None:
        """A line through the points, with a dot at each; on black, so that it is seen on every picture."""
        import cv2

        path = self.pixels(points)
        for shade, thickness, radius in ((BLACK, 3, 3), (colour, 1, 2)):
            cv2.polylines(self.canvas, [path], False, shade, self._line_px * thickness, cv2.LINE_AA)
            for x, y in path.tolist():
                cv2.circle(self.canvas, (x, y), self._line_px * radius, shade, cv2.FILLED, cv2.LINE_AA)

    def inwards(self, points: Sequence[Point], colour: Colour) -> None:
        """An arrow across the line, to the right hand of who walks along it, and the word at its tip."""
        import cv2

        start, end = _longest(self.pixels(points))
        along = (end - start) / max(1.0, float(np.hypot(*(end - start))))
        right = np.array([-along[1], along[0]])
        length = min(self._size) * ARROW_SHARE
        middle = (start + end) / 2
        tip = np.clip(middle + right * length / 2, 0, self._size - 1)
        tail = tip - right * length
        first, last = np.rint([tail, tip]).astype(int).tolist()
        for shade, thickness in ((BLACK, 4), (colour, 2)):
            cv2.arrowedLine(self.canvas, first, last, shade, self._line_px * thickness, cv2.LINE_AA, tipLength=0.3)
        cv2.line(self._taken, first, last, (1,), self._line_px * 8)
        self.write("in", tip, colour)

    def dashes(self, box: Sequence[float]) -> None:
        """A box of dashes."""
        import cv2

        (left, top), (right, bottom) = self.pixels([(box[0], box[1]), (box[2], box[3])]).tolist()
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        for shade, thickness in ((BLACK, 3), (WHITE, 1)):
            for (x1, y1), (x2, y2) in pairwise(corners):
                dashes = max(1, round(np.hypot(x2 - x1, y2 - y1) / (self._text_px * 0.8))) | 1
                ends = np.rint(np.linspace((x1, y1), (x2, y2), dashes + 1)).astype(int).tolist()
                for start, end in list(pairwise(ends))[::2]:
                    cv2.line(self.canvas, start, end, shade, self._line_px * thickness)

    def name(self, text: str, points: Sequence[Point], others: Iterable[Sequence[Point]], colour: Colour) -> None:
        """Write a zone's name where it is widest, and, if it can be, where no other zone is."""
        import cv2

        own = self._inside(points)
        alone = own.copy()
        for other in others:
            alone[self._inside(other) > 0] = 0
        depth = cv2.distanceTransform(_framed(alone if alone.any() else own), cv2.DIST_L2, 3)
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        self.write(text, np.array([x, y]), colour)

    def middle(self, points: Sequence[Point]) -> Pixels:
        """Of a line's longest part."""
        start, end = _longest(self.pixels(points))
        return np.asarray((start + end) // 2, np.int32)

    def write(self, text: str, place: NDArray[np.number], colour: Colour) -> None:
        """On black, as near to this place as there is room."""
        import cv2

        (width, height), _ = self._bar(text)
        around = np.ones((height + self._text_px, width + self._text_px), np.uint8)
        taken = cv2.dilate(self._taken, around, borderType=cv2.BORDER_CONSTANT, borderValue=(1,))
        ys, xs = np.nonzero(taken == 0)
        if len(xs):
            nearest = np.hypot(xs - place[0], ys - place[1]).argmin()
            place = np.array([xs[nearest], ys[nearest]])
        self._text(text, place, colour)

    def _text(self, text: str, place: NDArray[np.number], colour: Colour) -> None:
        """On a black bar around this place, moved inside the picture."""
        import cv2

        (width, height), (scale, margin) = self._bar(text)
        left, top = (
            np.clip(np.rint(place - np.array([width, height]) / 2), 0, np.maximum(self._size - (width, height), 0))
            .astype(int)
            .tolist()
        )
        right, bottom = left + width - 1, top + height - 1
        cv2.rectangle(self.canvas, (left, top), (right, bottom), BLACK, cv2.FILLED)
        cv2.rectangle(self._taken, (left, top), (right, bottom), (1,), cv2.FILLED)
        origin = left + margin, bottom - margin
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(self.canvas, _ascii(text), origin, font, scale, colour, self._line_px, cv2.LINE_AA)

    def _bar(self, text: str) -> tuple[tuple[int, int], tuple[float, int]]:
        """Width and height of a text's bar; the font's scale, and the margin around the text."""
        import cv2

        font = cv2.FONT_HERSHEY_SIMPLEX
        scale = cv2.getFontScaleFromHeight(font, self._text_px, self._line_px)
        (width, height), _ = cv2.getTextSize(_ascii(text), font, scale, self._line_px)
        margin = max(2, self._text_px // 4)
        return (width + 2 * margin, height + 2 * margin), (scale, margin)

    def _tenths(self) -> Pixels:
        return self.pixels(zip(TENTHS, TENTHS, strict=True))

    def _inside(self, points: Sequence[Point]) -> Mask:
        import cv2

        mask = np.zeros_like(self._taken)
        cv2.fillPoly(mask, [self.pixels(points)], (1,))
        return mask

    def _veil(self, mask: Mask, colour: Colour, strength: float) -> None:
        where = mask > 0
        mixed = self.canvas[where] * (1 - strength) + np.array(colour) * strength
        self.canvas[where] = np.rint(mixed).astype(np.uint8)


def _longest(path: Pixels) -> tuple[Pixels, Pixels]:
    """The longest part of a line: where it begins and ends."""
    return max(pairwise(path), key=lambda part: float(np.hypot(*(part[1] - part[0]))))


def _framed(mask: Mask) -> Mask:
    """Without the pixels at the picture's edge, which is then an edge like any other."""
    framed = np.zeros_like(mask)
    framed[1:-1, 1:-1] = mask[1:-1, 1:-1]
    return framed


def _ascii(text: str) -> str:
    """The built-in font knows no more."""
    return text.encode("ascii", "replace").decode()


def _large_enough(pixels: Rgb) -> Rgb:
    import cv2

    height, width = pixels.shape[:2]
    scale = LEAST_PX / min(height, width)
    if scale <= 1:
        return pixels.copy()
    size = round(width * scale), round(height * scale)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)
