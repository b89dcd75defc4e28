"""What nobody may recognise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.data import Box, Rgb
from smartcam.evidence.blur import BLOCKS, blurred, blurred_whole, masked, to_blur
from smartcam.geometry import MASKED
from tests.evidence.pictures import noise
from tests.rules.scenes import config

BOX: Box = (0.3, 0.2, 0.6, 0.8)
share = st.floats(-0.2, 1.2)
boxes = st.tuples(share, share, share, share).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def shades_across(pixels: Rgb) -> int:
    """How many different colours stand side by side, at most."""
    changes = (pixels[:, 1:] != pixels[:, :-1]).any(axis=2).sum(axis=1)
    return int(changes.max()) + 1


def test_a_box_is_no_more_than_a_few_blocks_and_all_else_is_as_it_was() -> None:
    picture = noise(640, 360).pixels

    shown = blurred(picture, [BOX])

    inside = shown[72:288, 192:384]
    assert shades_across(inside) <= BLOCKS + 1
    assert shades_across(inside.transpose(1, 0, 2)) <= BLOCKS * 216 / 192 + 2
    assert np.array_equal(shown[:, :150], picture[:, :150])
    assert np.array_equal(shown[:, 430:], picture[:, 430:])


def test_the_picture_itself_is_left_alone() -> None:
    picture = noise(64, 48).pixels
    before = picture.copy()

    blurred(picture, [BOX])
    masked(picture, [((0, 0), (1, 0), (1, 1))])

    assert np.array_equal(picture, before)


def test_a_box_is_padded_because_hair_and_hands_stick_out_of_it() -> None:
    picture = noise(640, 360).pixels
    changed = (blurred(picture, [BOX]) != picture).any(axis=2)
    rows, columns = np.nonzero(changed)

    assert (columns.min(), columns.max()) == pytest.approx((192 - 29, 384 + 29), abs=2)
    assert (rows.min(), rows.max()) == pytest.approx((72 - 32, 288 + 32), abs=2)


def test_a_small_and_far_person_is_a_handful_of_blocks() -> None:
    shown = blurred(noise(640, 360).pixels, [(0.5, 0.5, 0.52, 0.6)])

    assert shades_across(shown[180:216, 320:333]) <= 3


@settings(deadline=None)
@given(st.lists(boxes, max_size=4), st.integers(1, 64), st.integers(1, 64))
def test_any_boxes_on_any_picture_leave_a_picture(many: list[Box], width: int, height: int) -> None:
    assert blurred(noise(width, height).pixels, many).shape == (height, width, 3)


@settings(deadline=None, max_examples=50)
@given(boxes, st.integers(0, 5))
def test_what_is_blurred_tells_only_the_means_of_blocks(box: Box, seed: int) -> None:
    """Details that leave a block's mean alone change nothing: from the result nobody can compute them."""
    x1, y1, x2, y2 = 0.25, 0.25, 0.75, 0.75
    fine = np.zeros((64, 64, 3), np.uint8) + 100
    rough = fine.copy()
    rough[16:48:2, 16:48] += np.uint8(20 + seed)
    rough[17:48:2, 16:48] -= np.uint8(20 + seed)

    one, other = (blurred(pixels, [(x1, y1, x2, y2), box])[20:44, 20:44].astype(int) for pixels in (fine, rough))

    assert np.abs(one - other).max() <= 12


def test_as_a_whole_nothing_is_left_but_large_blocks() -> None:
    shown = blurred_whole(noise(640, 360).pixels)

    assert shown.shape == (360, 640, 3)
    assert shades_across(shown) <= 22
    assert shades_across(shown.transpose(1, 0, 2)) <= 12


def test_a_mask_is_grey() -> None:
    shown = masked(noise(100, 100).pixels, [((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6))])

    assert (shown[20:60, 20:60] == MASKED).all()
    assert not (shown[70:] == MASKED).all(axis=2).any()


@pytest.mark.parametrize(
    ("blur", "labels"),
    [
        ("", frozenset()),
        ('blur = ["person"]', {"person"}),
        ('blur = ["person", "@pets"]', {"person", "dog", "cat"}),
        ('blur = ["@any", "person"]', None),
    ],
)
def test_a_rule_says_what_is_blurred(blur: str, labels: frozenset[str] | None) -> None:
    rules = config(f'see = "person"\ndo = ["snapshot"]\n{blur}')

    assert to_blur(rules, next(iter(rules.rule))) == labels
