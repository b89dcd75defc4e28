"""What lies under a mask leaves a picture in no way: pictures that differ only there look alike, to the last bit."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from smartcam.camera.picture import CHROMA_STEP, DecodedPicture, Degrees, turned, veil
from smartcam.data import WHOLE, Box, Point
from smartcam.geometry import MARGIN_PX, MASKED, Polygons, contains
from tests.clips import drawing

SIZE = (160, 120)
NATIVE = sorted(CHROMA_STEP)
CONVERTED = ["yuyv422", "uyvy422", "yuv420p10le", "p010le", "rgb24", "bgr24", "gbrp"]
"""`yuyv422` is what most USB cameras give."""
YARD: Polygons = (((0.1, 0.1), (0.5, 0.15), (0.45, 0.6), (0.2, 0.5)), ((0.6, 0.7), (1.0, 0.7), (1.0, 1.0)))
TURNS: tuple[Degrees, ...] = (0, 90, 180, 270)


def inside(mask: Polygons, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w): which pixels' middles the mask holds, by the definition."""
    width, height = size
    return np.array(
        [
            [any(contains(polygon, ((x + 0.5) / width, (y + 0.5) / height)) for polygon in mask) for x in range(width)]
            for y in range(height)
        ]
    )


def filmed(under: int, mask: Polygons, rotate: Degrees, pixel_format: str) -> av.VideoFrame:
    """The same scene every time, but for what lies under the mask, as it comes from the decoder: not yet upright."""
    upright = drawing(0, turned(SIZE, rotate)).copy()
    secret = np.random.default_rng(under).integers(0, 256, upright.shape, np.uint8)
    hidden = inside(mask, turned(SIZE, rotate))
    upright[hidden] = secret[hidden]
    rgb = np.ascontiguousarray(np.rot90(upright, k=rotate // 90))
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
    return frame if pixel_format == "rgb24" else frame.reformat(format=pixel_format, interpolation="AREA")


@pytest.mark.parametrize("rotate", TURNS)
@pytest.mark.parametrize("pixel_format", NATIVE + CONVERTED)
def test_nothing_tells_what_lies_under_a_mask(pixel_format: str, rotate: Degrees) -> None:
    one, other = (DecodedPicture(filmed(under, YARD, rotate, pixel_format), rotate, YARD) for under in (1, 2))

    assert np.array_equal(one.luma, other.luma)
    for box in (WHOLE, (0.05, 0.05, 0.4, 0.4), (0.3, 0.2, 0.31, 0.21), (0.44, 0.5, 0.75, 0.95)):
        for size in (None, (7, 5), (64, 48), (320, 240)):
            assert np.array_equal(one.rgb(box, size), other.rgb(box, size))


def test_without_the_mask_it_is_there_to_be_seen() -> None:
    """Else the test above would pass on a grey picture."""
    one, other = (DecodedPicture(filmed(under, YARD, 0, "yuv420p")) for under in (1, 2))

    assert not np.array_equal(one.luma, other.luma)
    assert not np.array_equal(one.rgb(), other.rgb())


@pytest.mark.parametrize("rotate", TURNS)
@pytest.mark.parametrize("pixel_format", [*NATIVE, "yuyv422"])
def test_a_mask_is_grey_and_all_around_it_is_as_it_was(pixel_format: str, rotate: Degrees) -> None:
    frame = filmed(1, (), rotate, pixel_format)
    bare, masked = DecodedPicture(frame, rotate), DecodedPicture(frame, rotate, YARD)
    hidden = inside(YARD, masked.size)
    beside = ~grown(hidden, MARGIN_PX + 4)  # Pixels share a value of colour, and others lie between two.

    assert (masked.luma[hidden] == MASKED).all()
    assert np.abs(masked.rgb()[hidden].astype(int) - MASKED).max() <= 2, "limited range makes 130 of it"
    assert np.array_equal(masked.luma[beside], bare.luma[beside])
    assert np.array_equal(masked.rgb()[beside], bare.rgb()[beside])
    assert beside.mean() > 0.5


def grown(hidden: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    height, width = hidden.shape
    padded = np.pad(hidden, by_px)
    steps = range(2 * by_px + 1)
    shifted = [padded[y : y + height, x : x + width] for y in steps for x in steps]
    return np.asarray(np.logical_or.reduce(shifted), np.bool_)


@pytest.mark.parametrize("pixel_format", NATIVE)
def test_the_decoders_planes_are_never_written_to(pixel_format: str) -> None:
    """It makes the next frames of them."""
    frame = filmed(1, YARD, 0, pixel_format)
    before = [bytes(memoryview(plane)) for plane in frame.planes]

    picture = DecodedPicture(frame, 0, YARD)
    picture.rgb()
    luma = picture.luma

    assert [bytes(memoryview(plane)) for plane in frame.planes] == before
    assert not np.shares_memory(luma, np.frombuffer(memoryview(frame.planes[0]), np.uint8))


def test_where_two_masks_overlap_neither_is_undone() -> None:
    """A polygon's own rule, even and odd, must not hold across several."""
    square = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))

    luma = DecodedPicture(filmed(1, (), 0, "gray"), 0, (square, square)).luma

    assert (luma[inside((square,), SIZE)] == MASKED).all()


def test_a_mask_is_drawn_once_for_all_frames_of_a_size() -> None:
    veil.cache_clear()
    for n in range(5):
        picture = DecodedPicture(filmed(n, YARD, 90, "yuv420p"), 90, YARD)
        assert picture.luma is not None
        picture.rgb()

    assert veil.cache_info().misses == 2, "brightness, and colour"


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3), (5, 7), (33, 17)])
@pytest.mark.parametrize("pixel_format", [*NATIVE, "yuyv422", "rgb24"])
def test_pictures_of_odd_and_tiny_sizes_are_masked(pixel_format: str, size: tuple[int, int]) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 255, np.uint8), "rgb24")
    frame = frame.reformat(format=pixel_format)
    everything: Polygons = (((0, 0), (1, 0), (1, 1), (0, 1)),)
    for rotate in TURNS:
        picture = DecodedPicture(frame, rotate, everything)

        assert (picture.luma == MASKED).all()
        assert np.abs(picture.rgb().astype(int) - MASKED).max() <= 2


share = st.floats(0, 1, width=32)
points = st.tuples(share, share)
corners = st.lists(points, min_size=3, max_size=3, unique=True).map(tuple)


@settings(max_examples=30, deadline=None)
@given(st.lists(corners, min_size=1, max_size=2).map(tuple), st.sampled_from(TURNS), st.tuples(points, points))
def test_whatever_the_mask_nothing_tells_what_lies_under_it(
    mask: Polygons, rotate: Degrees, crop: tuple[Point, Point]
) -> None:
    (x1, y1), (x2, y2) = crop
    box: Box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    one, other = (DecodedPicture(filmed(under, mask, rotate, "yuv420p"), rotate, mask) for under in (1, 2))

    assert np.array_equal(one.luma, other.luma)
    assert np.array_equal(one.rgb(box, (50, 40)), other.rgb(box, (50, 40)))
