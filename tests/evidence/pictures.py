"""Pictures made of numbers, and frames of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smartcam.data import WHOLE, Box, Frame, Luma, Rgb


@dataclass(frozen=True, eq=False)
class Painting:
    """A `Picture` over an (h, w, 3) array."""

    pixels: Rgb

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def luma(self) -> Luma:
        return np.ascontiguousarray(self.pixels[:, :, 1])

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        width, height = self.size
        x1, y1, x2, y2 = box
        crop = self.pixels[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)]
        return np.asarray(cv2.resize(crop, size), np.uint8) if size else crop


def flat(width: int = 160, height: int = 120, shade: int = 128) -> Painting:
    """One grey: as blurred as can be."""
    return Painting(np.full((height, width, 3), shade, np.uint8))


def noise(width: int = 160, height: int = 120, *, seed: int = 0, blur: float = 0) -> Painting:
    """Full of detail, or blurred by so many pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Painting(np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), np.uint8) if blur else pixels)


def decoded(data: bytes) -> Rgb:
    """JPEG → (h, w, 3)."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def frame(at: float, picture: Painting | None = None, camera: str = "front") -> Frame:
    """A frame of a camera at 30 frames a second."""
    return Frame(camera, round(at * 30), at, 1_000_000.0 + at, picture or flat())
