import gc
import weakref

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from smartcam.camera.picture import CHROMA_STEP, DecodedPicture, Degrees, as_decoded, pixels, turned
from tests.clips import drawing

NATIVE = sorted(CHROMA_STEP)
CONVERTED = ["yuyv422", "p010le", "yuv420p10le", "yuva420p"]
RGB = ["rgb24", "bgr24", "rgba", "gbrp"]
BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2


def slopes(size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3): no edges, so that how colour is interpolated hardly matters."""
    width, height = size
    return np.array(drawing(0, (width + 16, height))[:, 16:], np.uint8)


def yuv444(rgb: NDArray[np.uint8], space: int, span: int) -> NDArray[np.uint8]:
    """(3, h, w) by the definition in ITU-R BT.601 and BT.709: E'Y, then the scaled differences of blue and red."""
    kr, kb = (0.2126, 0.0722) if space == BT709 else (0.299, 0.114)
    red, green, blue = np.moveaxis(rgb / 255.0, -1, 0)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    parts = np.stack([y, (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))])
    steps, zero = ([219, 224, 224], [16, 128, 128]) if span == LIMITED else ([255] * 3, [0, 128, 128])
    scaled = parts * np.reshape(steps, (3, 1, 1)) + np.reshape(zero, (3, 1, 1))
    return np.asarray(np.clip(np.round(scaled), 0, 255), np.uint8)


def decoded(
    pixel_format: str, space: int = BT601, span: int = LIMITED, size: tuple[int, int] = (160, 120)
) -> av.VideoFrame:
    """The slopes as a decoder would give them. What FFmpeg does here is to drop colour or repack, no more."""
    if pixel_format in RGB:
        return av.VideoFrame.from_ndarray(slopes(size), "rgb24").reformat(format=pixel_format)
    planes = yuv444(slopes(size), space, span)
    if pixel_format == "gray":
        return av.VideoFrame.from_ndarray(planes[0], "gray")
    full = "yuvj444p" if pixel_format.startswith("yuvj") else "yuv444p"
    frame = av.VideoFrame.from_ndarray(planes, full)
    if pixel_format != full:
        frame = frame.reformat(format=pixel_format)
    frame.colorspace, frame.color_range = space, span
    return frame


@pytest.mark.parametrize("space", [BT601, BT709])
@pytest.mark.parametrize(
    ("pixel_format", "span"),
    [
        (name, span)
        for name in NATIVE + CONVERTED
        for span in (LIMITED, FULL)
        if name != "gray" and not (name.startswith("yuvj") and span == LIMITED)
    ],
)
def test_colour_is_what_it_was(pixel_format: str, span: int, space: int) -> None:
    rgb = DecodedPicture(decoded(pixel_format, space, span)).rgb()

    error = np.abs(rgb.astype(int) - slopes((160, 120)))
    assert error.max() <= 6
    assert error.mean() < 1.5


@pytest.mark.parametrize("pixel_format", RGB)
def test_a_source_in_rgb_keeps_its_colours(pixel_format: str) -> None:
    rgb = DecodedPicture(decoded(pixel_format)).rgb()

    assert np.abs(rgb.astype(int) - slopes((160, 120))).max() <= 3


@pytest.mark.parametrize("pixel_format", ["gray", "gray16le"])
def test_gray_is_gray(pixel_format: str) -> None:
    values = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    deep = np.left_shift(values, 8, dtype=np.uint16)
    given = values if pixel_format == "gray" else deep

    rgb = DecodedPicture(av.VideoFrame.from_ndarray(np.asarray(given), pixel_format)).rgb()

    assert np.abs(rgb.astype(int) - values[:, :, None]).max() <= 1


@pytest.mark.parametrize(("pixel_format", "span"), [("yuv420p", LIMITED), ("yuvj420p", FULL), ("nv12", LIMITED)])
def test_colour_is_what_ffmpeg_makes_of_it(pixel_format: str, span: int) -> None:
    frame = decoded(pixel_format, BT601, span)

    rgb = DecodedPicture(frame).rgb()

    assert np.abs(rgb.astype(int) - by_ffmpeg(frame)).max() <= 6


def by_ffmpeg(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


@pytest.mark.parametrize("height", [360, 720])
def test_a_frame_that_does_not_say_is_bt709_from_720_lines_on(height: int) -> None:
    expected = BT709 if height >= 720 else BT601
    frame = decoded("yuv444p", expected, size=(320, height))
    frame.colorspace = 2

    rgb = DecodedPicture(frame).rgb()

    assert np.abs(rgb.astype(int) - slopes((320, height))).max() <= 3


@pytest.mark.parametrize("pixel_format", NATIVE)
def test_luma_is_a_view_of_the_decoders_plane(pixel_format: str) -> None:
    frame = decoded(pixel_format, size=(150, 90))
    plane = np.frombuffer(memoryview(frame.planes[0]), np.uint8)

    for rotate in (0, 90, 180, 270):
        luma = DecodedPicture(frame, rotate).luma

        assert np.shares_memory(luma, plane)
        assert luma.shape == turned((150, 90), rotate)[::-1]
        assert not luma.flags.writeable, "it is the reference picture of the next frames"


def test_luma_keeps_the_frame_alive() -> None:
    """The views must outlive whoever held the frame."""
    picture = DecodedPicture(decoded("yuv420p"))
    luma = picture.luma
    expected = luma.copy()
    del picture
    gc.collect()
    others = [decoded("yuv420p", size=(160, 120)) for _ in range(8)]

    assert np.array_equal(luma, expected)
    del others


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p", "yuv444p", "gray"])
def test_a_crop_of_a_turned_picture_is_cut_from_the_upright_one(pixel_format: str, rotate: Degrees) -> None:
    frame = decoded(pixel_format)
    upright = np.rot90(by_ffmpeg(frame), k=-rotate // 90)
    height, width = upright.shape[:2]

    picture = DecodedPicture(frame, rotate)
    crop = picture.rgb((0.25, 0.1, 0.75, 0.6))

    assert picture.size == (width, height)
    expected = upright[round(0.1 * height) : round(0.6 * height), round(0.25 * width) : round(0.75 * width)]
    assert crop.shape == expected.shape
    # Near the crop's edge its colour has no neighbour to be interpolated with.
    assert np.abs(crop.astype(int) - expected)[2:-2, 2:-2].max() <= 6


def test_a_picture_turned_by_90_degrees_has_its_left_side_on_top() -> None:
    """Clockwise, as a camera that hangs on its side is corrected."""
    values = np.zeros((80, 120), np.uint8)
    values[:, :20] = 255

    luma = DecodedPicture(av.VideoFrame.from_ndarray(values, "gray"), 90).luma

    assert luma.shape == (120, 80)
    assert luma[:20].min() == 255
    assert luma[20:].max() == 0


@pytest.mark.parametrize("rotate", [0, 90])
@pytest.mark.parametrize("size", [(30, 30), (64, 48), (300, 200)])
def test_a_crop_comes_in_the_size_that_is_asked_for_and_in_its_own_memory(
    size: tuple[int, int], rotate: Degrees
) -> None:
    import cv2

    frame = decoded("yuv420p")
    picture = DecodedPicture(frame, rotate)

    rgb = picture.rgb((0.0, 0.0, 0.5, 1.0), size)

    assert rgb.shape == (size[1], size[0], 3)
    assert rgb.flags.c_contiguous
    assert not any(np.shares_memory(rgb, np.frombuffer(memoryview(plane), np.uint8)) for plane in frame.planes)
    whole = np.rot90(by_ffmpeg(frame), k=-rotate // 90)
    half = np.ascontiguousarray(whole[:, : whole.shape[1] // 2])
    reference = cv2.resize(half, size, interpolation=cv2.INTER_AREA)
    assert np.abs(rgb.astype(int) - reference).max() <= 8


def test_shrinking_much_averages_instead_of_picking_pixels() -> None:
    """Otherwise a fence shimmers, and a model sees patterns that are not there."""
    stripes = np.zeros((480, 640), np.uint8)
    stripes[:, ::2] = 255

    rgb = DecodedPicture(av.VideoFrame.from_ndarray(stripes, "gray")).rgb(size=(100, 75))

    assert abs(int(rgb.min()) - 127) <= 2
    assert abs(int(rgb.max()) - 127) <= 2


def test_other_formats_are_converted_once() -> None:
    picture = DecodedPicture(decoded("rgb24"))

    first = picture.luma

    assert np.shares_memory(first, picture.luma)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (322, 1), (1, 322), (5, 7), (33, 17)])
@pytest.mark.parametrize("pixel_format", NATIVE + CONVERTED + RGB)
def test_pictures_of_odd_and_tiny_sizes_are_pictures(pixel_format: str, size: tuple[int, int]) -> None:
    """A folder may hold anything; half a pixel of colour is still one."""
    frame = decoded(pixel_format, size=size)
    for rotate in (0, 90, 180, 270):
        picture = DecodedPicture(frame, rotate)
        width, height = turned(size, rotate)

        assert picture.size == (width, height)
        assert picture.luma.shape == (height, width)
        assert picture.rgb().shape == (height, width, 3)
        assert picture.rgb((0.5, 0.5, 0.5, 0.5)).shape == (1, 1, 3)
        assert picture.rgb((0.9, 0.0, 1.0, 1.0), (30, 40)).shape == (40, 30, 3)
        assert picture.rgb(size=(1, 1)).shape == (1, 1, 3)


def test_a_frame_is_let_go_with_its_picture() -> None:
    picture = DecodedPicture(decoded("yuv420p"))
    luma = weakref.ref(picture.luma)
    del picture

    assert luma() is None


boxes = st.tuples(*[st.floats(-0.2, 1.2)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(boxes, st.integers(1, 4000), st.integers(1, 4000))
def test_any_box_cuts_at_least_a_pixel_and_none_outside(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    left, top, right, bottom = pixels(box, (width, height))

    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(boxes, st.sampled_from([0, 90, 180, 270]))
def test_turning_a_box_there_and_back_changes_nothing(box: tuple[float, float, float, float], rotate: Degrees) -> None:
    back: dict[int, Degrees] = {0: 0, 90: 270, 180: 180, 270: 90}

    assert np.allclose(as_decoded(as_decoded(box, rotate), back[rotate]), box)
