from __future__ import annotations

import numpy as np
import pytest

from smartcam.detect.anchors import decode, ssd_anchors


def test_an_input_of_300_pixels_has_1917_anchors() -> None:
    """The figure that every SSD MobileNet of 300 pixels has, and the corners of its list."""
    anchors = ssd_anchors(300)

    assert anchors.shape == (1917, 4)
    assert anchors[0].tolist() == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors[1, 3] / anchors[1, 2] == pytest.approx(2)
    assert anchors[3, 1] == pytest.approx(1.5 / 19), "x runs before y"
    assert anchors[-6].tolist() == pytest.approx([0.5, 0.5, 0.95, 0.95])
    assert anchors[-1].tolist() == pytest.approx([0.5, 0.5, (0.95 * 1.0) ** 0.5, (0.95 * 1.0) ** 0.5])


def test_zero_encodings_are_the_anchors_themselves() -> None:
    anchors = np.array([[0.5, 0.25, 0.2, 0.1]], np.float32)

    assert decode(np.zeros((1, 4), np.float32), anchors)[0].tolist() == pytest.approx([0.2, 0.4, 0.3, 0.6])


def test_encodings_shift_by_tenths_and_grow_by_fifths() -> None:
    anchors = np.array([[0.5, 0.5, 0.2, 0.2]], np.float32)
    encodings = np.array([[1.0, -1.0, 5 * np.log(2.0), 0.0]], np.float32)

    assert decode(encodings, anchors)[0].tolist() == pytest.approx([0.38, 0.32, 0.58, 0.72])


def test_an_encoding_beyond_all_floats_is_infinite_rather_than_a_warning() -> None:
    encodings = np.array([[0, 0, 1e6, np.nan]], np.float32)

    assert not np.isfinite(decode(encodings, np.ones((1, 4), np.float32))).all()
