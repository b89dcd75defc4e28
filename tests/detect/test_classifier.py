"""What a second model makes of a crop: real models, tiny ones, in a real child process."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import WHOLE, Box, Frame, Rgb
from smartcam.detect.accelerator import Accelerator, AcceleratorLost
from smartcam.detect.classifier import Classifier, Guess, square
from smartcam.detect.detector import Detector
from smartcam.detect.model import ModelFile
from smartcam.errors import BadConfig
from tests.evidence.pictures import Painting

WriteModel = Callable[..., Path]
FrameOf = Callable[[Rgb], Frame]

GREY = np.full((90, 160, 3), 100, np.uint8)
BIRDS = ("robin", "wren", "crow", "background")


@contextlib.contextmanager
def classifier_of(model: ModelFile) -> Iterator[Classifier]:
    with Accelerator(model, device="cpu", threads=1, retry_min_s=0.05) as accelerator:
        classifier = Classifier(model, accelerator)
        classifier.wait_ready(10)
        yield classifier


def said(guesses: list[Guess]) -> list[tuple[str, float]]:
    return [(guess.label, round(guess.score, 3)) for guess in guesses]


def detection(canned: Any, *scores: float) -> list[Any]:
    """Outputs that see a face for each score, one beside the other."""
    boxes = [(0.1, n / 10, 0.2, (n + 1) / 10) for n in range(len(scores))]
    return [
        canned("boxes", np.array([boxes], np.float32)),
        canned("ids", np.zeros((1, len(scores)), np.float32)),
        canned("scores", np.array([scores], np.float32)),
        canned("count", np.array([len(scores)], np.float32)),
    ]


@pytest.mark.parametrize(
    ("values", "quantised"),
    [
        (np.array([[0.1, 0.6, 0.2, 0.1]], np.float32), {}),
        (np.log(np.array([[0.1, 0.6, 0.2, 0.1]], np.float32)), {}),
        (np.array([[20, 120, 40, 20]], np.uint8), {"scale": 1 / 200}),
        (np.array([[[[-108, -8, -88, -108]]]], np.int8), {"scale": 1 / 200, "zero_point": -128}),
    ],
    ids=["probabilities", "logits", "uint8", "int8, with more axes"],
)
def test_guesses_are_probabilities_and_the_best_is_first(
    values: Any, quantised: dict[str, float], write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    with classifier_of(ModelFile("birds", write_model([canned("out", values, **quantised)]), BIRDS)) as classifier:
        guesses = classifier.guess(frame_of(GREY), WHOLE)

    assert said(guesses) == [("wren", 0.6), ("crow", 0.2), ("robin", 0.1), ("background", 0.1)]
    assert [guess.names_nothing for guess in guesses] == [False, False, False, True]


def test_five_guesses_are_told_and_classes_without_a_name_are_numbered(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    shares = np.arange(8, dtype=np.float32)[None] / 28
    with classifier_of(ModelFile("birds", write_model([canned("out", shares)]))) as classifier:
        guesses = classifier.guess(frame_of(GREY), WHOLE)

    assert [guess.label for guess in guesses] == ["class-7", "class-6", "class-5", "class-4", "class-3"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_says_what_is_no_number_says_nothing(
    value: float, write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    values = np.array([[0.1, value, 0.2, 0.1]], np.float32)
    with classifier_of(ModelFile("birds", write_model([canned("out", values)]), BIRDS)) as classifier:
        assert classifier.guess(frame_of(GREY), WHOLE) == []


class Asked(Painting):
    """A picture that remembers what was asked of it."""

    asked: tuple[Box, tuple[int, int] | None] | None = None

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        object.__setattr__(self, "asked", (box, size))
        return super().rgb(box, size)


def test_it_is_shown_a_square_around_the_box_at_the_size_of_its_input(write_model: WriteModel, canned: Any) -> None:
    """A bird of 20 by 10 pixels, with 2 of what is around it at either side."""
    picture = Asked(np.zeros((100, 200, 3), np.uint8))
    path = write_model([canned("out", np.array([[0, 1, 0, 0]], np.float32))], size=(12, 10))
    with classifier_of(ModelFile("birds", path, BIRDS)) as classifier:
        classifier.guess(Frame("front", 1, 0.0, 0.0, picture), (0.2, 0.4, 0.3, 0.5))

    assert picture.asked is not None
    assert picture.asked[0] == pytest.approx((0.19, 0.33, 0.31, 0.57))
    assert picture.asked[1] == (12, 10)


def test_a_detector_says_the_label_of_its_best_detection(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    with classifier_of(ModelFile("faces", write_model(detection(canned, 0.5, 0.8, 0.6)), ("face",))) as classifier:
        assert said(classifier.guess(frame_of(GREY), WHOLE)) == [("face", 0.8)]

    with classifier_of(ModelFile("faces", write_model(detection(canned, 0.2)), ("face",), score=0.3)) as classifier:
        assert classifier.guess(frame_of(GREY), WHOLE) == []


@pytest.mark.parametrize(
    ("shape", "labels", "words"),
    [
        ((1, 4), ("robin",), "tells 4 classes apart, but has 1 labels: give the label file"),
        ((1, 7, 5), (), r"its outputs are \[1, 7, 5\] float32.*; a classifier has one output \[1, classes\]"),
    ],
)
def test_a_model_that_cannot_be_read_is_refused_with_a_sentence_that_is_logged_too(
    shape: tuple[int, ...],
    labels: tuple[str, ...],
    words: str,
    write_model: WriteModel,
    canned: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A daemon goes on without it, so nothing else tells why there are no names."""
    layout = "auto" if labels else "ssd"
    model = ModelFile("birds", write_model([canned("out", np.zeros(shape, np.float32))]), labels, layout=layout)

    with (
        caplog.at_level(logging.ERROR),
        Accelerator(model, device="cpu", threads=1) as accelerator,
    ):
        classifier = Classifier(model, accelerator)
        with pytest.raises(BadConfig, match=words):
            classifier.wait_ready(10)

        assert classifier.state.name == "incompatible"
        assert [record.message for record in caplog.records] == [classifier.state.reason]


def test_after_its_child_died_it_is_lost_until_there_is_another(
    write_model: WriteModel, canned: Any, frame_of: FrameOf
) -> None:
    shares = np.array([[0.1, 0.6, 0.2, 0.1]], np.float32)
    with classifier_of(ModelFile("birds", write_model([canned("out", shares)]), BIRDS)) as classifier:
        before = classifier.state.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while classifier.ready():
            assert time.monotonic() < deadline
        with pytest.raises(AcceleratorLost, match="SIGKILL"):
            classifier.guess(frame_of(GREY), WHOLE)

        while not classifier.ready():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert classifier.guess(frame_of(GREY), WHOLE)[0].label == "wren"
        assert classifier.state.pid != before


def test_it_shares_a_child_with_the_detector(write_model: WriteModel, canned: Any, frame_of: FrameOf) -> None:
    faces = ModelFile("faces", write_model(detection(canned, 0.8)), ("face",))
    birds = ModelFile("birds", write_model([canned("out", np.array([[0, 1, 0, 0]], np.float32))]), BIRDS)
    with Accelerator(faces, birds, device="cpu", threads=1) as accelerator:
        detector, classifier = Detector(faces, accelerator), Classifier(birds, accelerator, 1)
        detector.wait_ready(10)
        for _ in range(3):
            detector.submit(frame_of(GREY))
            assert len(detector.collect()) == 1
            assert classifier.guess(frame_of(GREY), WHOLE)[0] == ("wren", 1.0)


shares = st.floats(0, 1, width=32)


@given(st.tuples(shares, shares, shares, shares), st.integers(16, 4000), st.integers(16, 4000))
def test_a_crop_lies_in_the_picture_around_the_box_and_is_square_where_there_is_room(
    corners: Box, width: int, height: int
) -> None:
    x1, x2 = sorted(corners[::2])
    y1, y2 = sorted(corners[1::2])

    left, top, right, bottom = square((x1, y1, x2, y2), (width, height))

    assert 0 <= left <= right <= 1 + 1e-9
    assert 0 <= top <= bottom <= 1 + 1e-9
    assert left <= x1 + 1e-6
    assert top <= y1 + 1e-6
    assert right >= x2 - 1e-6
    assert bottom >= y2 - 1e-6
    side = max((x2 - x1) * width, (y2 - y1) * height) * 1.2
    assert (right - left) * width == pytest.approx(min(side, width), abs=1e-3)
    assert (bottom - top) * height == pytest.approx(min(side, height), abs=1e-3)
