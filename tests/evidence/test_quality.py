"""What makes one picture of a thing better than another."""

from __future__ import annotations

import numpy as np
import pytest

from smartcam.data import Box, Detections, Track
from smartcam.evidence.quality import WORST_SHARPNESS, quality_but_sharpness, sharpness
from tests.evidence.pictures import flat, noise

MIDDLE: Box = (0.4, 0.4, 0.6, 0.6)


def track(box: Box = MIDDLE, score: float = 0.8) -> Track:
    return Track(1, "person", box, score, 0.0, 1.0, 3, confirmed=True)


def worth(box: Box) -> float:
    return quality_but_sharpness(track(box), Detections.none())


def test_a_larger_one_is_better_but_ever_less_so() -> None:
    sides = [worth((0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half)) for half in (0.05, 0.15, 0.25, 0.35)]
    gains = np.diff(sides)

    assert all(gains > 0)
    assert list(gains) == sorted(gains, reverse=True)


@pytest.mark.parametrize("box", [(0.0, 0.4, 0.2, 0.6), (0.4, 0.005, 0.6, 0.205), (0.8, 0.4, 1.0, 0.6)])
def test_one_that_is_cut_by_the_edge_is_worth_half(box: Box) -> None:
    assert worth(box) == pytest.approx(worth(MIDDLE) / 2, rel=0.01)


def test_the_score_is_that_of_this_very_frame_where_a_detection_tells_it() -> None:
    """The track's own score is typical of its recent history, and hardly differs from frame to frame."""
    boxes, scores, classes = np.array([MIDDLE], np.float32), np.array([0.4], np.float32), np.zeros(1, np.int32)
    now = Detections(boxes, scores, classes, ("person",))
    elsewhere = Detections(boxes / np.float32(2), scores, classes, ("person",))

    assert quality_but_sharpness(track(), now) == pytest.approx(worth(MIDDLE) / 2)
    assert quality_but_sharpness(track(), elsewhere) == worth(MIDDLE)


def test_blur_lowers_sharpness_down_to_a_floor() -> None:
    found = [sharpness(noise(blur=blur).luma, MIDDLE) for blur in (0, 1, 3, 8)]

    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9
    assert sharpness(flat().luma, MIDDLE) == WORST_SHARPNESS


@pytest.mark.parametrize("box", [(-0.1, -0.1, 1.2, 1.2), (0.5, 0.5, 0.5, 0.5), (1.0, 1.0, 1.1, 1.1)])
def test_boxes_out_of_the_picture_or_without_an_inside_do_no_harm(box: Box) -> None:
    assert WORST_SHARPNESS <= sharpness(noise().luma, box) <= 1
