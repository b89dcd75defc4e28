"""A still scene is still, whatever the sensor, the encoder and the light do; somebody who walks is seen."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smartcam.data import WHOLE, Luma, Motion
from smartcam.detect.motion import MotionGate, shrink

FPS = 15


def garden(width: int = 1280, height: int = 720) -> NDArray[np.float32]:
    """A picture with light and dark places and some texture."""
    rng = np.random.default_rng(7)
    scene = np.zeros((height, width), np.float32)
    for low, high, shape in ((50, 180, (9, 16)), (-15, 15, (90, 160))):
        layer = rng.uniform(low, high, shape).astype(np.float32)
        scene += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
    return scene


def with_walker(
    scene: NDArray[np.float32], step: int, share: float = 0.06, contrast: float = 40
) -> NDArray[np.float32]:
    """The scene with somebody `share` of its height tall, who has walked so many half widths."""
    height = round(len(scene) * share)
    width = round(height * 0.4)
    top, left = len(scene) // 2, 100 + step * width // 2
    scene = scene.copy()
    scene[top : top + height, left : left + width] += contrast
    return scene


class Sensor:
    """Adds noise of this standard deviation, anew in every picture."""

    def __init__(self, noise: float) -> None:
        self._noise = noise
        self._rng = np.random.default_rng(3)

    def __call__(self, scene: NDArray[np.float32]) -> Luma:
        noise = self._rng.standard_normal(scene.shape, np.float32) * self._noise
        return np.clip(scene + noise, 0, 255).astype(np.uint8)


def encoded(pictures: list[Luma], bit_rate: int) -> Iterator[Luma]:
    """The pictures as they come out of an H.264 encoder with a key frame every two seconds."""
    height, width = pictures[0].shape
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate, stream.gop_size = bit_rate, 2 * FPS
        for picture in pictures:
            planes = np.concatenate([picture, np.full((height // 2, width), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            yield np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, :width]


def moved(gate: MotionGate, pictures: list[Luma], start_s: float = 0.0) -> list[Motion]:
    return [gate.look(picture, start_s + n / FPS) for n, picture in enumerate(pictures)]


def settled(scene: NDArray[np.float32]) -> MotionGate:
    """A gate that has seen the scene for a second."""
    gate = MotionGate()
    moved(gate, [scene.astype(np.uint8)] * FPS, -1.0)
    return gate


def test_the_first_picture_is_looked_at_everywhere_and_the_same_again_nowhere() -> None:
    first, *later = moved(MotionGate(), [garden().astype(np.uint8)] * 3)

    assert first.boxes.tolist() == [list(WHOLE)]
    assert not any(later)


@pytest.mark.parametrize("noise", [2, 6, 12])
def test_a_still_scene_is_still_through_a_noisy_sensor(noise: float) -> None:
    sensor, scene = Sensor(noise), garden(640, 360)

    assert not any(moved(MotionGate(), [sensor(scene) for _ in range(30)])[1:])


@pytest.mark.parametrize("noise", [2, 6])
def test_a_still_scene_is_still_through_an_encoder_short_of_bits(noise: float) -> None:
    """Key frames are where such a picture jumps."""
    sensor, scene = Sensor(noise), garden(640, 360)

    motion = moved(MotionGate(), list(encoded([sensor(scene) for _ in range(5 * FPS)], bit_rate=300_000)))

    assert len(motion) == 5 * FPS
    assert not any(motion[1:])


@pytest.mark.parametrize(("share", "contrast"), [(0.03, 40), (0.04, 20), (0.06, 15)])
def test_a_small_person_who_walks_is_seen_at_every_step(share: float, contrast: float) -> None:
    sensor, scene = Sensor(3), garden()
    gate = MotionGate()
    moved(gate, [sensor(scene)] * FPS, -1.0)

    motion = moved(gate, [sensor(with_walker(scene, step, share, contrast)) for step in range(10)])

    assert all(motion)


def test_the_box_is_around_whoever_moved_with_some_room() -> None:
    scene = garden()
    gate = settled(scene)

    (x1, y1, x2, y2), *others = gate.look(with_walker(scene, 0).astype(np.uint8), 0.0).boxes.tolist()

    assert not others
    assert x1 <= 100 / 1280 < 117 / 1280 <= x2 <= 0.2
    assert 0.4 <= y1 <= 360 / 720 < 403 / 720 <= y2 <= 0.65


def test_boxes_at_the_edge_stay_in_the_frame() -> None:
    scene = garden()
    gate = settled(scene)
    scene[-60:, -60:] -= 40

    boxes = gate.look(scene.clip(0, 255).astype(np.uint8), 0.0).boxes

    assert boxes.min() >= 0
    assert boxes.max() == 1


def test_exposure_and_clouds_are_no_motion() -> None:
    scene = garden()
    gate = settled(scene)

    light = 1 + 0.3 * np.sin(np.linspace(0, 6, 60))

    assert not any(moved(gate, [(scene * gain).clip(0, 255).astype(np.uint8) for gain in light]))


def test_a_change_of_the_whole_scene_is_motion_everywhere_once() -> None:
    """A camera that switches to infrared, or is turned."""
    scene = garden()
    gate = settled(scene)
    other = np.ascontiguousarray(scene[::-1, ::-1]).astype(np.uint8)

    first, *later = moved(gate, [other] * 5)

    assert first.boxes.tolist() == [list(WHOLE)]
    assert not any(later)


@pytest.mark.parametrize("contrast", [20, 70])
@pytest.mark.parametrize("fps", [2, 15])
def test_a_parked_car_becomes_background_after_the_same_time_at_any_frame_rate(fps: int, contrast: float) -> None:
    scene = garden(640, 360)
    gate = settled(scene)
    scene[100:200, 100:300] += contrast
    parked = scene.clip(0, 255).astype(np.uint8)

    seen_at = [at for at in np.arange(0, 40, 1 / fps).tolist() if gate.look(parked, at)]

    assert 2 < seen_at[-1] < 10
    assert len(seen_at) == pytest.approx(seen_at[-1] * fps, abs=2)


def test_leaves_in_the_wind_are_learnt_but_somebody_before_them_is_seen() -> None:
    scene, rng = garden(640, 360), np.random.default_rng(5)
    gate = MotionGate()

    def windy(scene: NDArray[np.float32]) -> Luma:
        scene = scene.copy()
        leaves = rng.uniform(-12, 12, (25, 25)).astype(np.float32)
        scene[40:140, 400:500] += cv2.resize(leaves, (100, 100), interpolation=cv2.INTER_NEAREST)
        return scene.clip(0, 255).astype(np.uint8)

    motion = moved(gate, [windy(scene) for _ in range(40 * FPS)])
    scene[60:120, 430:455] += 60

    assert sum(map(bool, motion[-5 * FPS :])) <= 1
    assert gate.look(windy(scene), 40.0)


def test_a_picture_of_another_size_begins_anew() -> None:
    gate = settled(garden())

    small = garden(640, 480).astype(np.uint8)

    assert gate.look(small, 0.0).boxes.tolist() == [list(WHOLE)]
    assert not gate.look(small, 0.1)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_view_shrinks_to_the_same_as_a_turned_copy(turns: int) -> None:
    """Shrunk as it lies in memory, behind a decoder's padding at the end of each line."""
    padded = np.zeros((720, 1344), np.uint8)
    padded[:, :1280] = garden().astype(np.uint8)
    view = np.rot90(padded[:, :1280], turns)

    small = shrink(view)

    whole = cv2.resize(np.ascontiguousarray(view), small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert small.shape == ((90, 160) if turns % 2 == 0 else (160, 90))
    assert np.abs(small - whole).mean() < 2


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (160, 120), (333, 251), (4096, 16), (3840, 2160)])
def test_any_size_is_shrunk_to_something_small(size: tuple[int, int]) -> None:
    small = shrink(np.full(size[::-1], 77, np.uint8))

    assert max(small.shape) < 320
    assert (small == 77).all()
