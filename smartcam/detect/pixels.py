"""How the pixels of a picture become the numbers of a model's input. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Rgb
from smartcam.detect.layouts import TensorInfo

RANGES = {"signed": (1 / 127.5, -1.0), "unit": (1 / 255, 0.0), "raw": (1.0, 0.0)}
"""Factor and offset of each normalisation."""
PADDING = 114
"""Grey beside a letterboxed picture, as the YOLO families are trained with."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """stored = pixel x factor + offset, for one model's input."""

    factor: float
    offset: float

    def write(self, rgb: Rgb, picture: NDArray[Any]) -> None:
        """Fill `picture` (1, h, w, 3) in place: `rgb` at the top left, grey in what is left over."""
        height, width = rgb.shape[:2]
        self._convert(rgb, picture[0, :height, :width])
        grey = np.empty((1, 1, 3), picture.dtype)
        self._convert(np.full((1, 1, 3), PADDING, np.uint8), grey)
        picture[0, height:] = grey
        picture[0, :height, width:] = grey

    def _convert(self, rgb: Rgb, target: NDArray[Any]) -> None:
        if target.dtype.kind == "f":
            np.multiply(rgb, target.dtype.type(self.factor), out=target)
            np.add(target, target.dtype.type(self.offset), out=target)
        elif self == SAME[target.dtype.name]:
            np.bitwise_xor(rgb, 128 if target.dtype == np.int8 else 0, out=target.view(np.uint8))
        else:
            limits = np.iinfo(target.dtype)
            table = np.rint(np.arange(256) * self.factor + self.offset).clip(limits.min, limits.max)
            np.take(table.astype(target.dtype), rgb, out=target, mode="clip")


SAME = {"uint8": Pixels(1.0, 0.0), "int8": Pixels(1.0, -128.0)}
"""The eight bits of a pixel as they are, shifted to signed ones for int8."""


def pixels_for(tensor: TensorInfo, normalise: Literal["signed", "unit", "raw"], *, exactly: bool) -> Pixels | None:
    """How to write pixels into this input; None for a type that no picture fits into.

    A quantised input mostly takes the eight bits as they are: its scale and zero point map them onto one of
    the common ranges by themselves. Unless the normalisation is meant `exactly`, near enough to that is
    taken for it (1/128 is as common a scale as 1/127.5).
    """
    if tensor.dtype in ("float32", "float16"):
        return Pixels(*RANGES[normalise])
    same = SAME.get(tensor.dtype)
    if same is None or not tensor.scale:
        return same
    ranges = [RANGES[normalise]] if exactly else RANGES.values()
    quantised = [Pixels(factor / tensor.scale, offset / tensor.scale + tensor.zero_point) for factor, offset in ranges]
    if any(abs(pixels.factor - 1) < 0.02 and abs(pixels.offset - same.offset) < 2 for pixels in quantised):
        return same
    factor, offset = RANGES[normalise]
    return Pixels(factor / tensor.scale, offset / tensor.scale + tensor.zero_point)
