from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from smartcam.detect.layouts import TensorInfo
from smartcam.detect.pixels import PADDING, pixels_for

RAMP = np.arange(256 * 3, dtype=np.int64).reshape(16, 16, 3).astype(np.uint8)


def written(dtype: str, normalise: Any, scale: float = 0.0, zero_point: int = 0, exactly: bool = False) -> NDArray[Any]:
    picture = np.zeros((1, 16, 16, 3), dtype)
    pixels = pixels_for(TensorInfo("", picture.shape, dtype, scale, zero_point), normalise, exactly=exactly)
    assert pixels is not None
    pixels.write(RAMP, picture)
    image: NDArray[Any] = picture[0]
    return image


@pytest.mark.parametrize(("normalise", "low", "high"), [("signed", -1, 1), ("unit", 0, 1), ("raw", 0, 255)])
def test_a_float_input_gets_its_range(normalise: str, low: float, high: float) -> None:
    assert written("float32", normalise) == pytest.approx(low + RAMP / 255 * (high - low), abs=1e-5)


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(0.0, 0), (1 / 128, 128), (0.0078125, 127), (1 / 127.5, 127), (1 / 255, 0), (1.0, 0)]
)
def test_an_unsigned_input_gets_the_pixels_themselves(scale: float, zero_point: int) -> None:
    """Each of these quantisations means one of the common ranges already."""
    assert (written("uint8", "signed", scale, zero_point) == RAMP).all()


@pytest.mark.parametrize(("scale", "zero_point"), [(0.0, 0), (1 / 128, 0), (0.0078431, -1), (1 / 255, -128)])
def test_a_signed_input_gets_the_pixels_less_128(scale: float, zero_point: int) -> None:
    assert (written("int8", "signed", scale, zero_point) == RAMP.astype(np.int16) - 128).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_an_uncommon_quantisation_is_calculated(dtype: str) -> None:
    """A range of about -2..2: the pixels must use its middle half only, and what does not fit is cut."""
    zero_point = 128 if dtype == "uint8" else 0

    stored = written(dtype, "signed", 1 / 64, zero_point).astype(float)

    assert (stored - zero_point) / 64 == pytest.approx(RAMP / 127.5 - 1, abs=1 / 64)


def test_a_normalisation_that_was_asked_for_is_kept_exactly() -> None:
    stored = written("uint8", "unit", 1 / 128, 128, exactly=True).astype(float)

    assert (stored - 128) / 128 == pytest.approx(RAMP / 255, abs=1 / 128)


def test_other_inputs_take_no_picture() -> None:
    assert pixels_for(TensorInfo("", (1, 8, 8, 3), "int32"), "signed", exactly=False) is None


def test_what_a_letterboxed_picture_leaves_over_is_grey_again_every_time() -> None:
    """The memory is used again: an earlier, larger picture must not show beside this one."""
    picture = np.full((1, 6, 8, 3), 255, np.uint8)
    pixels = pixels_for(TensorInfo("", picture.shape, "uint8"), "unit", exactly=False)
    assert pixels is not None

    pixels.write(np.zeros((4, 5, 3), np.uint8), picture)

    assert (picture[0, :4, :5] == 0).all()
    assert (picture[0, 4:] == PADDING).all()
    assert (picture[0, :, 5:] == PADDING).all()
