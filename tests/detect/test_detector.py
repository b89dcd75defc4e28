from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartcam.data import Detections, Frame, Rgb
from smartcam.detect.accelerator import Accelerator, AcceleratorLost
from smartcam.detect.catalogue import find
from smartcam.detect.detector import Detector
from smartcam.detect.fetch import cache_folder, fetched
from smartcam.detect.model import ModelFile, load_labels
from smartcam.errors import BadConfig, Unavailable

LABELS = ("person", "car", "dog")
WriteModel = Callable[..., Path]
FrameOf = Callable[[Rgb], Frame]

GREY = np.full((90, 160, 3), 100, np.uint8)


@contextlib.contextmanager
def detector_of(model: ModelFile, **options: Any) -> Iterator[Detector]:
    with Accelerator(model, device="cpu", threads=1, retry_min_s=0.05, **options) as accelerator:
        detector = Detector(model, accelerator)
        detector.wait_ready(10)
        yield detector


def post_process(canned: Any, box: tuple[float, float, float, float] = (0.25, 0.5, 0.75, 1.0)) -> list[Any]:
    """Outputs that see one dog, as ymin, xmin, ymax, xmax, and faintly a person in the corner."""
    return [
        canned("boxes", np.array([[box, (0.0, 0.0, 0.1, 0.1)]], np.float32)),
        canned("ids", np.array([[2, 0]], np.float32)),
        canned("scores", np.array([[0.9, 0.2]], np.float32)),
        canned("count", np.array([2], np.float32)),
    ]


def rows(found: Detections) -> list[tuple[str, float, list[float]]]:
    return [(label, round(score, 3), [round(side, 3) for side in box]) for label, score, box in found]


def test_a_frame_becomes_detections(write_model: WriteModel, canned: Any, frame_of: FrameOf) -> None:
    model = ModelFile("tiny", write_model(post_process(canned)), LABELS)

    with detector_of(model) as detector:
        detector.submit(frame_of(GREY))
        found = detector.collect()

    assert rows(found) == [("dog", 0.9, [0.5, 0.25, 1.0, 0.75])]


def test_boxes_of_a_crop_are_told_in_the_whole_frame(write_model: WriteModel, canned: Any, frame_of: FrameOf) -> None:
    model = ModelFile("tiny", write_model(post_process(canned)), LABELS)

    with detector_of(model) as detector:
        detector.submit(frame_of(GREY), (0.5, 0.0, 1.0, 0.5))
        found = detector.collect()

    assert rows(found) == [("dog", 0.9, [0.75, 0.125, 1.0, 0.375])]


def test_a_letterboxed_frame_fills_the_upper_part_and_boxes_are_unstretched(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    """160x90 in a square of 160: the picture is its upper 90 rows, and half the input's height is 80 of them."""
    outputs = post_process(canned, (0.0, 0.0, 0.28125, 0.5))
    model = ModelFile("tiny", write_model(outputs, size=(160, 160)), LABELS, resize="letterbox")

    with detector_of(model) as detector:
        detector.submit(frame_of(GREY))
        found = detector.collect()

    assert rows(found) == [("dog", 0.9, [0.0, 0.0, 0.5, 0.5])]


def test_what_a_model_sees_in_the_padding_alone_is_no_detection(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    outputs = post_process(canned, (0.8, 0.0, 0.9, 0.5))
    model = ModelFile("tiny", write_model(outputs, size=(160, 160)), LABELS, resize="letterbox")

    with detector_of(model) as detector:
        detector.submit(frame_of(GREY))

        assert len(detector.collect()) == 0


@pytest.mark.parametrize(("dtype", "expected"), [("uint8", 100), ("int8", -28), ("float32", 100 / 127.5 - 1)])
def test_the_model_sees_the_pixels_in_its_own_numbers(
    write_model: WriteModel, canned: Any, frame_of: FrameOf, dtype: str, expected: float
) -> None:
    """The model hands its input on as an output, which the accelerator shows."""
    model = ModelFile("tiny", write_model(post_process(canned), dtype=dtype, echo=True), LABELS)

    with Accelerator(model, device="cpu", threads=1) as accelerator:
        detector = Detector(model, accelerator)
        detector.wait_ready(10)
        detector.submit(frame_of(GREY))
        *_, seen = accelerator.collect()

    assert seen == pytest.approx(np.full((1, 8, 8, 3), expected), abs=1e-5)


def test_two_frames_are_in_flight_and_come_back_in_order(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    model = ModelFile("tiny", write_model(post_process(canned)), LABELS)
    crops = [(0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 0.5)]

    with detector_of(model) as detector:
        for crop in crops:
            detector.submit(frame_of(GREY), crop)
        assert (detector.free, detector.in_flight) == (0, 2)
        lefts = [detector.collect().boxes[0, 0] for _ in crops]

    assert lefts == [0.5, 0.25]


def test_scores_below_the_models_own_limit_are_dropped(write_model: WriteModel, canned: Any, frame_of: FrameOf) -> None:
    model = ModelFile("tiny", write_model(post_process(canned)), LABELS, score=0.1)

    with detector_of(model) as detector:
        detector.submit(frame_of(GREY))

        assert [label for label, _, _ in detector.collect()] == ["dog", "person"]


def test_labels_that_do_not_fit_are_told_and_end_nothing(write_model: WriteModel, canned: Any) -> None:
    """A command gets the exception; the daemon goes on with a detector that says why it is not ready."""
    model = ModelFile("tiny", write_model([canned("yolo", np.zeros((1, 84, 2100), np.float32))]), LABELS)

    with Accelerator(model, device="cpu", threads=1) as accelerator:
        detector = Detector(model, accelerator)
        with pytest.raises(BadConfig, match="80 classes apart, but has 3 labels"):
            detector.wait_ready(10)

        assert not detector.ready()
        assert detector.state.name == "incompatible"
        assert "80 classes apart" in detector.state.reason
        assert detector.free == 0


def test_an_input_of_an_unknown_type_is_told(write_model: WriteModel, canned: Any) -> None:
    model = ModelFile("tiny", write_model(post_process(canned), dtype="int32"), LABELS)

    with pytest.raises(BadConfig, match=r"its input is \[1, 8, 8, 3\] int32"), detector_of(model):
        pass


def test_waiting_ends_with_the_reason_or_the_deadline(tmp_path: Path, write_model: WriteModel) -> None:
    missing = ModelFile("tiny", tmp_path / "missing.tflite", LABELS)
    with pytest.raises(BadConfig, match="no such model file"), detector_of(missing):
        pass

    there = ModelFile("tiny", write_model(), LABELS)
    with Accelerator(there, device="cpu") as accelerator, pytest.raises(Unavailable, match="not ready after 0 s"):
        Detector(there, accelerator).wait_ready(0)


def test_after_a_loss_detection_goes_on_with_a_new_child(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    model = ModelFile("tiny", write_model(post_process(canned)), LABELS)

    with detector_of(model) as detector:
        pid = detector.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        detector.submit(frame_of(GREY), (0.0, 0.0, 0.5, 0.5))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(AcceleratorLost):
            detector.collect()
        assert detector.in_flight == 0

        deadline = time.monotonic() + 10
        while not detector.ready():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        detector.submit(frame_of(GREY))
        assert rows(detector.collect()) == [("dog", 0.9, [0.5, 0.25, 1.0, 0.75])]


# --- real models and pictures, where they are


def picture(path: Path) -> Rgb:
    import cv2

    bgr = cv2.imread(str(path))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@pytest.fixture
def default_model() -> ModelFile:
    found = fetched(find("objectron"), cache_folder())
    if found is None:
        pytest.skip("the default model was not fetched on this machine: run `smartcam models fetch objectron`")
    return ModelFile("objectron", found.model, load_labels(found.labels), found.sha256["model.tflite"])


@pytest.mark.parametrize(
    ("name", "label", "score", "box"),
    [
        ("cat.bmp", "cat", 0.7, (0.03, 0.12, 0.70, 1.0)),
        ("grace_hopper.bmp", "person", 0.4, (0.02, 0.06, 0.98, 0.99)),
        ("cameratrapai__vehicle.jpg", "car", 0.6, (0.0, 0.0, 1.0, 0.72)),
    ],
)
def test_the_default_model_sees_what_a_person_sees(
    default_model: ModelFile, shared: Path, frame_of: FrameOf, name: str, label: str, score: float, box: Any
) -> None:
    with detector_of(default_model) as detector:
        detector.submit(frame_of(picture(shared / "images" / name)))
        best = next(iter(detector.collect()))

    assert best[0] == label
    assert best[1] >= score
    assert overlap(best[2], box) > 0.8


def test_a_recurrent_post_process_model_runs_and_answers_alike_each_time(shared: Path, frame_of: FrameOf) -> None:
    """No picture knows of the one before it: its recurrent state begins anew."""
    model = ModelFile("traffic", shared / "models" / "traffic_model.tflite", score=0.05)

    with detector_of(model) as detector:
        answers = []
        for name in ("cat.bmp", "grace_hopper.bmp", "cat.bmp"):
            detector.submit(frame_of(picture(shared / "images" / name)))
            answers.append(rows(detector.collect()))

    assert answers[0]
    assert answers[0] == answers[2] != answers[1]
