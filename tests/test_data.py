"""The nouns' few promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import WHOLE, Detections, Motion, Scene, Track


def some(n: int) -> Detections:
    boxes = np.tile(np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), (n, 1))
    return Detections(
        boxes, np.linspace(0.9, 0.1, n, dtype=np.float32), np.arange(n, dtype=np.int32) % 2, ("cat", "dog")
    )


def test_detections_are_filtered_by_a_condition_on_one_column() -> None:
    found = some(5)

    good = found[found.scores > 0.6]

    assert good.boxes.shape == (2, 4)
    assert [label for label, _, _ in good] == ["cat", "dog"]
    assert [score for _, score, _ in good] == pytest.approx([0.9, 0.7])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="different length"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros(3, np.int32), ("cat",))


def test_none_is_empty_and_false_where_it_matters() -> None:
    assert len(Detections.none()) == 0
    assert list(Detections.none()) == []
    assert not Motion.none()
    assert Motion.everywhere()
    assert Motion.everywhere().boxes.tolist() == [list(WHOLE)]


@given(st.lists(st.integers(0, 40), max_size=12))
def test_motion_that_adds_up_stays_small_and_forgets_no_place(sizes: list[int]) -> None:
    """While an accelerator is away, one waiting frame takes over the motion of all that it replaced."""
    rng = np.random.default_rng(len(sizes))
    parts = [Motion(np.sort(rng.random((n, 2, 2), np.float32), axis=1).reshape(n, 4)) for n in sizes]

    total = Motion.none()
    for part in parts:
        total |= part

    assert len(total.boxes) <= 64
    for box in np.concatenate([np.empty((0, 4)), *(part.boxes for part in parts)]):
        inside = (total.boxes[:, :2] <= box[:2]).all(axis=1) & (total.boxes[:, 2:] >= box[2:]).all(axis=1)
        assert inside.any()


def test_a_track_stands_at_the_middle_of_its_lower_edge_and_only_confirmed_ones_count() -> None:
    real = Track(1, "cat", (0.2, 0.1, 0.4, 0.5), 0.8, 0.0, 1.0, 3, confirmed=True)
    young = Track(2, "dog", (0.2, 0.1, 0.4, 0.5), 0.8, 0.0, 1.0, 1, confirmed=False)

    np.testing.assert_allclose(real.foot, (0.3, 0.5))
    assert Scene("yard", 1.0, 0.0, (real, young), looked=True, frame=None).confirmed == (real,)
