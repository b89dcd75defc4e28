"""A decoded picture, of which only the crop that is asked for is converted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import WHOLE, Box, Luma, Point, Rgb
from smartcam.geometry import MASKED, RASTERS, Polygons, raster

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.plane import VideoPlane

Degrees: TypeAlias = Literal[0, 90, 180, 270]
Plane: TypeAlias = NDArray[np.uint8]
Part: TypeAlias = tuple[slice, slice]

EVERYTHING = np.s_[:, :]

CHROMA_STEP = {
    "yuv420p": (2, 2),
    "yuvj420p": (2, 2),
    "nv12": (2, 2),
    "yuv422p": (2, 1),
    "yuvj422p": (2, 1),
    "yuv444p": (1, 1),
    "yuvj444p": (1, 1),
    "gray": (1, 1),
}
"""Formats read in place: how many pixels, across and down, share one value of colour."""

LUMA_WEIGHTS = {1: (0.2126, 0.0722), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Kr and Kb by AVColorSpace (ITU-T H.273, table 4): BT.709, SMPTE 240M, BT.2020. All others are BT.601."""
BT601 = (0.299, 0.114)
BT709, UNSPECIFIED, BT470BG = 1, 2, 5
FULL_RANGE = 2
"""AVColorRange."""


class DecodedPicture:
    """A `Picture` over a decoder's frame. Its views keep the frame's memory alive.

    `rotate` is the number of degrees, clockwise, that make the picture upright. Formats outside
    `CHROMA_STEP` are converted once, whole, when their pixels are first asked for.

    What lies under a polygon of `mask` (points in 0..1 of the upright picture) leaves it as solid grey, before it is
    scaled. The frame itself is never written to: decoders make the next ones of it.
    """

    __slots__ = ("_frame", "_mask", "_rotate")

    def __init__(self, frame: VideoFrame, rotate: Degrees = 0, mask: Sequence[Sequence[Point]] = ()) -> None:
        self._frame = frame
        self._rotate = rotate
        self._mask: Polygons = tuple(map(tuple, mask))

    @property
    def size(self) -> tuple[int, int]:
        return turned((self._frame.width, self._frame.height), self._rotate)

    @property
    def luma(self) -> Luma:
        luma = self._shown(view(self._planar().planes[0], paired=False), EVERYTHING)
        return np.rot90(luma, k=-self._rotate // 90) if self._rotate else luma

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        """(h, w, 3): the crop `box` (shares of the picture), scaled to `size` (width, height) if that is given."""
        import cv2

        frame = self._planar()
        left, top, right, bottom = pixels(as_decoded(box, self._rotate), (frame.width, frame.height))
        wanted_wh = turned(size, self._rotate) if size else (right - left, bottom - top)
        across, down = CHROMA_STEP[frame.format.name]
        colour = np.s_[top // down : -(-bottom // down), left // across : -(-right // across)]
        luma, *chroma = planes(frame)
        parts = [self._shown(luma, np.s_[top:bottom, left:right]), *[self._shown(plane, colour) for plane in chroma]]
        mixed = cv2.merge([scaled(part, wanted_wh) for part in parts])
        rgb = cv2.transform(mixed, to_rgb(frame))
        upright = np.rot90(rgb, k=-self._rotate // 90)
        return np.ascontiguousarray(upright, dtype=np.uint8)

    def _shown(self, plane: Plane, part: Part) -> Plane:
        """A part of one of the frame's planes as others may see it: a view, or what the mask leaves of it."""
        if not self._mask:
            return plane[part]
        keep, grey = veil(self._mask, self.size, self._rotate, plane.shape)
        masked: Plane = plane[part] & keep[part]
        masked |= grey[part]
        return masked

    def _planar(self) -> VideoFrame:
        if self._frame.format.name not in CHROMA_STEP:
            self._frame = planar(self._frame)
        return self._frame


def planar(frame: VideoFrame) -> VideoFrame:
    """The frame in a format that can be read in place: gray stays gray, and RGB becomes full-range BT.601.

    The formats' names alone say the range ("yuvj" is full): what the arguments mean differs between PyAV's versions.
    """
    name = frame.format.name
    if name.startswith("gray"):
        return frame.reformat(format="gray")
    if frame.format.is_rgb or frame.format.has_palette:
        converted = frame.reformat(format="yuvj444p")
        converted.colorspace = BT470BG
        return converted
    converted = frame.reformat(format="yuvj420p" if name.startswith("yuvj") else "yuv420p")
    converted.colorspace, converted.color_range = frame.colorspace, frame.color_range
    return converted


def planes(frame: VideoFrame) -> list[Plane]:
    """Luma, then colour: (h, w) views of the decoder's own memory, never written to. NV12's colour is (h, w, 2)."""
    paired = frame.format.name == "nv12"
    return [view(plane, paired and n == 1) for n, plane in enumerate(frame.planes)]


def view(plane: VideoPlane, paired: bool) -> Plane:
    values: Plane = np.frombuffer(memoryview(plane), np.uint8)
    values.flags.writeable = False
    rows = values.reshape(-1, plane.line_size)[: plane.height]
    return rows[:, : 2 * plane.width].reshape(len(rows), -1, 2) if paired else rows[:, : plane.width]


@lru_cache(maxsize=RASTERS)
def veil(
    mask: Polygons, upright_wh: tuple[int, int], rotate: Degrees, plane_hw: tuple[int, ...]
) -> tuple[Plane, Plane]:
    """Two rasters in a plane's own shape: the bits to keep of it, and the grey to put in where none are kept.

    A value of colour that several pixels share is kept only if the mask touches none of them.
    """
    hidden = np.rot90(raster(mask, upright_wh), k=rotate // 90)
    down, across = (-(-side // part) for side, part in zip(hidden.shape, plane_hw, strict=False))
    height, width = plane_hw[:2]
    filled = np.pad(hidden, ((0, height * down - hidden.shape[0]), (0, width * across - hidden.shape[1])))
    touched = filled.reshape(height, down, width, across).max(axis=(1, 3))
    if len(plane_hw) == 3:
        touched = np.stack([touched] * plane_hw[2], axis=2)
    return ~touched, touched & np.uint8(MASKED)


def pixels(box: Box, frame_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in 0..1 → left, top, right, bottom in whole pixels of the frame, at least one pixel large."""
    left, top, right, bottom = (
        round(min(max(share, 0.0), 1.0) * side) for share, side in zip(box, frame_wh * 2, strict=True)
    )
    left, top = min(left, frame_wh[0] - 1), min(top, frame_wh[1] - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def as_decoded(box: Box, rotate: Degrees) -> Box:
    """A box of the upright picture → the same place in the picture as it was decoded."""
    x1, y1, x2, y2 = box
    match rotate:
        case 90:
            return y1, 1 - x2, y2, 1 - x1
        case 180:
            return 1 - x2, 1 - y2, 1 - x1, 1 - y1
        case 270:
            return 1 - y2, x1, 1 - y1, x2
    return box


def turned(size_wh: tuple[int, int], rotate: Degrees) -> tuple[int, int]:
    """A width and a height after a turn."""
    return size_wh if rotate in (0, 180) else (size_wh[1], size_wh[0])


def scaled(plane: Plane, size_wh: tuple[int, int]) -> Plane:
    """The plane at another size: halved while it is twice too large, then bilinear.

    As smooth as INTER_AREA where much is shrunk, and ten times as fast: only its exact halving is vectorised.
    """
    import cv2

    width, height = size_wh
    while plane.shape[1] >= 2 * width and plane.shape[0] >= 2 * height:
        half_h, half_w = plane.shape[0] // 2, plane.shape[1] // 2
        plane = np.asarray(
            cv2.resize(plane[: half_h * 2, : half_w * 2], (half_w, half_h), interpolation=cv2.INTER_AREA)
        )
    if plane.shape[:2] == (height, width):
        return plane
    return np.asarray(cv2.resize(plane, size_wh, interpolation=cv2.INTER_LINEAR))


def to_rgb(frame: VideoFrame) -> NDArray[np.float32]:
    """The matrix, (3, 4) or (3, 2) for gray, that takes the frame's (Y, Cb, Cr, 1) to red, green and blue.

    Equations of ITU-R BT.601 and BT.709. A frame that does not say which is BT.709 from 720 lines on, as players
    guess it; what comes from JPEG is full-range BT.601 (JFIF).
    """
    jpeg, gray = frame.format.name.startswith("yuvj"), frame.format.name == "gray"
    full = jpeg or gray or frame.color_range == FULL_RANGE
    space = frame.colorspace
    if space == UNSPECIFIED and not jpeg and frame.height >= 720:
        space = BT709
    kr, kb = LUMA_WEIGHTS.get(space, BT601)
    kg = 1 - kr - kb
    linear = np.array(
        [
            [1, 0, 2 * (1 - kr)],
            [1, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1, 2 * (1 - kb), 0],
        ]
    )
    black, scale = (0, [1, 1, 1]) if full else (16, [255 / 219, 255 / 224, 255 / 224])
    return affine(linear * scale, [black, 128, 128], channels=1 if gray else 3)


def affine(linear: NDArray[Any], zero: Sequence[float], channels: int) -> NDArray[np.float32]:
    """(3, channels + 1): the linear part, and the offset that takes `zero` to black."""
    kept = linear[:, :channels]
    return np.column_stack([kept, -kept @ np.array(zero[:channels])]).astype(np.float32)
