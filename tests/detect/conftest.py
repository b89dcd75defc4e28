"""Tiny models and plain pictures, as fixtures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from smartcam.data import WHOLE, Box, Frame, Luma, Rgb
from tests.tiny_models import Canned, model_bytes

SHARED = Path(__file__).resolve().parents[3] / "shared"


WriteModel: TypeAlias = Callable[..., Path]


@pytest.fixture
def canned() -> type[Canned]:
    return Canned


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """``write_model(outputs, echo=…, dtype=…, size=…, custom_op=…)`` → the path of a model file."""
    count = iter(range(1000))

    def write(outputs: Sequence[Canned] = (), **options: Any) -> Path:
        path = tmp_path / f"tiny-{next(count)}.tflite"
        path.write_bytes(model_bytes(outputs, **options))
        return path

    return write


class Plain:
    """A picture that is an array already; crops are scaled by nearest neighbour."""

    def __init__(self, rgb: Rgb) -> None:
        self._rgb = rgb

    @property
    def size(self) -> tuple[int, int]:
        return self._rgb.shape[1], self._rgb.shape[0]

    @property
    def luma(self) -> Luma:
        return self._rgb[..., 1]

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        width, height = self.size
        x1, y1, x2, y2 = box
        part = self._rgb[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)]
        wide, high = size or (part.shape[1], part.shape[0])
        rows = np.arange(high) * part.shape[0] // high
        columns = np.arange(wide) * part.shape[1] // wide
        scaled: Rgb = part[rows][:, columns]
        return scaled


@pytest.fixture
def frame_of() -> Callable[[Rgb], Frame]:
    """``frame_of(rgb)`` → a Frame of that picture."""
    return lambda rgb: Frame("front", 1, 0.0, 0.0, Plain(rgb))


@pytest.fixture
def shared() -> Path:
    """The folder of real models and pictures beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("there is no ../shared with real models and pictures")
    return SHARED
