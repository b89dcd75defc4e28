"""Pictures as JPEG."""

from __future__ import annotations

import numpy as np
import pytest

from smartcam.data import Box, Rgb
from smartcam.evidence import Mark, jpeg
from smartcam.evidence.snapshot import padded
from smartcam.geometry import MASKED
from tests.evidence.pictures import Painting, decoded, flat, noise


def test_a_whole_picture_keeps_its_size_and_colours() -> None:
    red = Painting(np.full((120, 160, 3), (200, 30, 40), np.uint8))

    pixels = decoded(jpeg(red))

    assert pixels.shape == (120, 160, 3)
    assert np.abs(pixels.astype(int) - (200, 30, 40)).max() < 6


def test_a_picture_without_boxes_has_nothing_drawn() -> None:
    assert np.ptp(decoded(jpeg(flat()))) == 0


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_box_and_its_text_can_be_seen_on_any_background(shade: int) -> None:
    pixels = decoded(jpeg(flat(640, 360, shade), [Mark((0.25, 0.5, 0.75, 0.9), "person 0.87")])).astype(int)

    def contrast(top: float, bottom: float, left: float, right: float) -> int:
        return int(np.ptp(pixels[round(top * 360) : round(bottom * 360), round(left * 640) : round(right * 640)]))

    assert contrast(0.68, 0.72, 0.23, 0.27) > 100, "the left line"
    assert contrast(0.88, 0.92, 0.48, 0.52) > 100, "the lower line"
    assert contrast(0.44, 0.49, 0.25, 0.4) > 100, "the text above"
    assert contrast(0.6, 0.8, 0.4, 0.6) < 10, "nothing inside"


def test_drawing_leaves_the_picture_itself_alone() -> None:
    picture = flat()
    jpeg(picture, [Mark((0.2, 0.2, 0.8, 0.8), "person")])

    assert np.ptp(picture.pixels) == 0


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 1.0, 1.0), (0.95, 0.0, 1.0, 0.1), (0.9, 0.95, 1.3, 1.4), (0.0, 0.98, 0.1, 1.0)]
)
def test_the_text_stays_in_the_picture_wherever_the_box_is(box: tuple[float, float, float, float]) -> None:
    """A bar of black with white in it, as many pixels of it as in the middle."""
    text = "tiger \N{LATIN SMALL LETTER E WITH ACUTE} 0.87"

    def letters(at: tuple[float, float, float, float]) -> int:
        plain, marked = (decoded(jpeg(flat(640, 360, 128), [Mark(at, words)])) for words in ("", text))
        return int((np.abs(plain.astype(int) - marked) > 60).any(axis=2).sum())

    assert letters(box) == pytest.approx(letters((0.4, 0.4, 0.6, 0.6)), rel=0.25)


def test_a_crop_is_the_box_with_some_of_what_is_around_it() -> None:
    assert padded((0.4, 0.4, 0.6, 0.5), (100, 100)) == pytest.approx((0.36, 0.36, 0.64, 0.54))
    assert padded((0.0, 0.4, 0.5, 1.0), (100, 100))[0::3] == (0.0, 1.0), "within the picture"

    pixels = decoded(jpeg(noise(500, 300), crop=(0.4, 0.4, 0.6, 0.6)))
    assert pixels.shape == (60 + 2 * 20, 100 + 2 * 20, 3)


def test_boxes_are_drawn_where_they_are_in_the_crop() -> None:
    box = (0.4, 0.4, 0.6, 0.6)
    pixels = decoded(jpeg(flat(500, 300), [Mark(box, "")], crop=box)).astype(int)

    dark = np.argwhere(pixels[:, 70].max(axis=1) < 60)
    assert (dark.min(), dark.max()) == pytest.approx((20, 80), abs=3)


def test_what_is_outside_a_crop_is_not_drawn_into_it() -> None:
    pixels = decoded(jpeg(flat(500, 300), [Mark((0.8, 0.4, 0.9, 0.6), "dog")], crop=(0.4, 0.4, 0.6, 0.6)))

    assert np.ptp(pixels) == 0


def test_a_picture_that_is_too_large_loses_quality_and_then_pixels() -> None:
    picture = noise(640, 360)
    full = jpeg(picture)
    poorer = jpeg(picture, max_bytes=len(full) - 1)
    smaller = jpeg(picture, [Mark((0.2, 0.2, 0.8, 0.8), "person")], max_bytes=len(full) // 5)

    assert len(poorer) < len(full)
    assert decoded(poorer).shape == (360, 640, 3)
    assert len(smaller) <= len(full) // 5
    assert decoded(smaller).shape[1] < 640


def test_the_worst_4k_picture_fits_a_message() -> None:
    assert len(jpeg(noise(3840, 2160))) <= 512 * 1024


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert jpeg(noise(), [Mark((0.2, 0.2, 0.8, 0.8), "a")]) == jpeg(noise(), [Mark((0.2, 0.2, 0.8, 0.8), "a")])


def test_what_is_blurred_cannot_be_recognised_and_all_else_can() -> None:
    picture = noise(640, 360, blur=2)
    plain = decoded(jpeg(picture))
    shown = decoded(jpeg(picture, blur=[(0.25, 0.25, 0.5, 0.75)]))

    assert detail(shown[90:270, 160:320]) < 0.1 * detail(plain[90:270, 160:320])
    assert detail(shown[:, 420:]) == pytest.approx(detail(plain[:, 420:]), rel=0.05)


def test_what_is_blurred_is_blurred_in_a_crop_too_also_where_the_crop_cuts_it() -> None:
    crop = jpeg(noise(640, 360, blur=2), crop=(0.4, 0.4, 0.6, 0.6), blur=[(0.1, 0.0, 0.5, 1.0)])

    pixels = decoded(crop)
    middle = pixels.shape[1] // 2
    assert detail(pixels[:, :middle]) < 0.1 * detail(pixels[:, middle + 50 :])


def test_where_nobody_knows_everything_is_blurred() -> None:
    picture = noise(640, 360, blur=2)

    for crop in (None, (0.4, 0.4, 0.6, 0.6)):
        assert detail(decoded(jpeg(picture, crop=crop, blur=None))) < 0.1 * detail(decoded(jpeg(picture, crop=crop)))


def test_boxes_are_drawn_after_what_is_in_them_is_blurred() -> None:
    box = (0.25, 0.25, 0.5, 0.75)
    pixels = decoded(jpeg(flat(640, 360), [Mark(box, "person 0.87")], blur=[box])).astype(int)

    assert np.ptp(pixels[170:190, 155:165]) > 100, "the left line"


HALF = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)


@pytest.mark.parametrize("crop", [None, (0.4, 0.4, 0.6, 0.6), (0.1, 0.1, 0.2, 0.2), (0.9, 0.9, 1.0, 1.0)])
def test_a_mask_is_burned_into_the_whole_and_into_every_crop(crop: Box | None) -> None:
    """It is drawn on the whole picture, whatever part of it is shown."""
    picture = noise(640, 360)
    left, _, right, _ = padded(crop, picture.size) if crop else (0.0, 0.0, 1.0, 1.0)
    pixels = decoded(jpeg(picture, crop=crop, mask=HALF)).astype(int)

    edge = round((0.5 - left) / (right - left) * pixels.shape[1])
    assert np.abs(pixels[:, : max(edge - 20, 0)] - MASKED).max(initial=0) <= 3
    assert pixels[:, max(edge + 8, 0) :].size == 0 or detail(pixels[:, max(edge + 8, 0) :]) > 30


def test_what_is_blurred_beside_a_mask_is_no_mean_of_what_is_under_it() -> None:
    picture = Painting(np.zeros((360, 640, 3), np.uint8))
    picture.pixels[:, :318] = 255
    blurred = decoded(jpeg(picture, blur=[(0.3, 0.2, 0.7, 0.8)], mask=HALF))

    assert blurred.max() <= MASKED + 20


def test_a_mask_leaves_the_picture_itself_alone() -> None:
    picture = flat(shade=7)
    jpeg(picture, mask=HALF)

    assert (picture.pixels == 7).all()


def detail(pixels: Rgb) -> float:
    """How much neighbours differ."""
    return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())
