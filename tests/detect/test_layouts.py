from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from smartcam.data import Detections
from smartcam.detect.anchors import ssd_anchors
from smartcam.detect.layouts import TensorInfo, choose
from smartcam.detect.model import ModelFile
from smartcam.errors import BadConfig

LABELS = ("person", "car", "dog")
OP = "TFLite_Detection_PostProcess"


def info(name: str, array: NDArray[Any], scale: float = 0.0, zero_point: int = 0) -> TensorInfo:
    return TensorInfo(name, array.shape, str(array.dtype), scale, zero_point)


def model(labels: tuple[str, ...] = LABELS, layout: str = "auto") -> ModelFile:
    return ModelFile("tiny", Path("tiny.tflite"), labels, layout=layout)


def read(
    arrays: Sequence[NDArray[Any]],
    names: Sequence[str] | None = None,
    labels: tuple[str, ...] = LABELS,
    layout: str = "auto",
    side: int = 300,
    score: float = 0.5,
) -> tuple[str, Detections]:
    infos = [info(name, array) for name, array in zip(names or [""] * len(arrays), arrays, strict=True)]
    chosen = choose(model(labels, layout), (side, side), infos)
    return chosen.name, chosen.read(arrays, score)


def rows(found: Detections) -> list[tuple[str, float, list[float]]]:
    return [(label, round(score, 3), [round(side, 3) for side in box]) for label, score, box in found]


# --- post-process

BOXES = np.array([[[0.1, 0.2, 0.5, 0.6], [0.3, 0.5, 0.9, 0.8], [0.0, 0.0, 0.1, 0.1]]], np.float32)
IDS = np.array([[0.0, 2.0, 1.0]], np.float32)
SCORES = np.array([[0.9, 0.7, 0.99]], np.float32)
COUNT = np.array([2.0], np.float32)
PERSON_AND_DOG = [("person", 0.9, [0.2, 0.1, 0.6, 0.5]), ("dog", 0.7, [0.5, 0.3, 0.8, 0.9])]


def test_a_post_process_output_reads_boxes_ids_scores_count() -> None:
    """Only the first `count` rows are valid: the third, with the best score, is left over from an earlier picture."""
    name, found = read([BOXES, IDS, SCORES, COUNT])

    assert name == "postprocess"
    assert rows(found) == PERSON_AND_DOG


def test_the_tf2_order_reads_scores_boxes_count_ids() -> None:
    name, found = read([SCORES, BOXES, COUNT, IDS])

    assert name == "postprocess-tf2"
    assert rows(found) == PERSON_AND_DOG


def test_the_ops_own_names_decide_in_any_order() -> None:
    name, found = read([SCORES, COUNT, IDS, BOXES], [f"{OP}:2", f"{OP}:3", f"{OP}:1", OP])

    assert name == "postprocess"
    assert rows(found) == PERSON_AND_DOG


def test_a_recurrent_models_state_among_the_outputs_is_passed_over() -> None:
    state = np.zeros((1, 8, 8, 320), np.uint8)

    _, found = read([BOXES, IDS, SCORES, COUNT, state, state])

    assert rows(found) == PERSON_AND_DOG


def test_ids_count_from_the_first_real_class_though_the_file_names_the_background() -> None:
    _, found = read([BOXES, IDS, SCORES, COUNT], labels=("???", "person", "car", "dog"))

    assert [label for label, _, _ in found] == ["person", "dog"]


def test_placeholders_among_the_labels_are_never_detected() -> None:
    _, found = read([BOXES, IDS, SCORES, COUNT], labels=("person", "car", "n/a"))

    assert [label for label, _, _ in found] == ["person"]


def test_an_id_beyond_the_label_file_shows_that_the_file_is_the_wrong_one() -> None:
    _, found = read([BOXES, IDS, SCORES, COUNT], labels=("person",))

    assert [label for label, _, _ in found] == ["person", "class-2"]


@pytest.mark.parametrize("count", [np.nan, -1.0, 0.0])
def test_a_count_that_counts_nothing_gives_nothing(count: float) -> None:
    _, found = read([BOXES, IDS, SCORES, np.array([count], np.float32)])

    assert len(found) == 0


def test_a_count_beyond_the_rows_is_cut() -> None:
    _, found = read([BOXES, IDS, SCORES, np.array([99.0], np.float32)])

    assert len(found) == 3


def test_what_is_not_finite_or_has_no_area_is_dropped() -> None:
    boxes = np.array(
        [[[0.1, np.nan, 0.5, 0.6], [0.3, 0.5, 0.3, 0.8], [0.2, 0.2, np.inf, 0.9], [0, 0, 1, 1]]], np.float32
    )
    ids = np.array([[0.0, 0.0, 0.0, np.nan]], np.float32)

    _, found = read([boxes, ids, np.full((1, 4), 0.9, np.float32), np.array([4.0], np.float32)])

    assert len(found) == 0


# --- raw SSD

ANCHORS = ssd_anchors(300)


def ssd(hits: dict[int, dict[int, float]], classes: int = 4) -> list[NDArray[np.float32]]:
    """Encodings and logits, of which anchor a sees class c with hits[a][c]; the background is sure everywhere."""
    logits = np.full((1, 1917, classes), -9, np.float32)
    logits[..., 0] = 9
    for anchor, seen in hits.items():
        for index, logit in seen.items():
            logits[0, anchor, index] = logit
    return [np.zeros((1, 1917, 4), np.float32), logits]


def test_an_anchor_sees_its_best_class() -> None:
    name, found = read(ssd({1911: {1: 1.0, 3: 2.0}}))

    y, x, height, width = ANCHORS[1911].tolist()
    expected = [max(0, x - width / 2), max(0, y - height / 2), min(1, x + width / 2), min(1, y + height / 2)]
    assert name == "ssd"
    assert rows(found) == [("dog", 0.881, [round(side, 3) for side in expected])]


def test_the_scores_limit_holds_before_any_sigmoid() -> None:
    hits = {0: {1: 0.01}, 500: {1: -0.01}}

    _, found = read(ssd(hits), score=0.5)

    assert len(found) == 1


def test_the_order_of_encodings_and_logits_does_not_matter() -> None:
    encodings, logits = ssd({1911: {3: 2.0}}, classes=5)
    labels = (*LABELS, "cat")

    assert rows(read([logits, encodings], labels=labels)[1]) == rows(read([encodings, logits], labels=labels)[1])


def test_with_three_classes_the_names_tell_boxes_from_logits() -> None:
    """Then both outputs have four columns."""
    encodings, logits = ssd({1911: {3: 2.0}})

    _, found = read([logits, encodings], ["raw_outputs/class_predictions", "raw_outputs/box_encodings"])

    assert [label for label, _, _ in found] == ["dog"]


def test_a_label_file_may_name_the_background_or_leave_it_out() -> None:
    outputs = ssd({1911: {3: 2.0}})

    assert rows(read(outputs)[1]) == rows(read(outputs, labels=("background", *LABELS))[1])


def test_a_label_file_with_a_real_label_in_the_backgrounds_place_is_the_wrong_one() -> None:
    with pytest.raises(BadConfig, match="3 classes apart, but has 4 labels"):
        read(ssd({}), labels=("cat", *LABELS))


def test_a_placeholder_among_the_labels_gives_way_to_the_next_best_class() -> None:
    outputs = ssd({1911: {2: 1.0, 3: 2.0}})

    assert [label for label, _, _ in read(outputs, labels=("person", "car", "n/a"))[1]] == ["car"]


def test_overlapping_anchors_of_one_thing_become_one_detection() -> None:
    _, found = read(ssd({1911: {3: 2.0}, 1916: {3: 3.0}}))

    assert [score for _, score, _ in found] == pytest.approx([0.9526], abs=1e-3)


def test_hundreds_of_sure_anchors_are_cut_to_the_best() -> None:
    _, found = read(ssd({anchor: {1: 1 + anchor / 1000} for anchor in range(1917)}))

    assert 0 < len(found) <= 100
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2.916)), abs=1e-3)


def test_logits_and_encodings_that_are_not_finite_are_dropped() -> None:
    encodings, logits = ssd({5: {1: np.nan, 2: 3.0}, 6: {1: np.inf}, 300: {1: 3.0}, 900: {2: 3.0}})
    encodings[0, 300] = [0, 0, 1e9, 0]

    _, found = read([encodings, logits])

    assert [label for label, _, _ in found] == ["car"]


def test_quantised_logits_are_compared_as_they_are_stored() -> None:
    encodings, logits = ssd({1911: {3: 2.0}, 0: {1: -0.2}})
    stored = [np.zeros((1, 1917, 4), np.uint8) + 100, np.clip(np.rint(logits / 0.1) + 20, -128, 127).astype(np.int8)]
    infos = [info("boxes", stored[0], 0.05, 100), info("scores", stored[1], 0.1, 20)]

    found = choose(model(), (300, 300), infos).read(stored, 0.5)

    assert rows(found) == rows(read([encodings, logits])[1])


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_the_ends_of_the_score_scale_are_scores_too(score: float) -> None:
    _, found = read(ssd({1911: {3: 2.0}}), score=score)

    assert (len(found) > 0) == (score == 0)


# --- YOLO


def yolo(cells: dict[int, list[float]], columns: int, count: int = 50) -> NDArray[np.float32]:
    """(1, count, columns), with centres spread over the picture and no score but in `cells`."""
    table = np.zeros((1, count, columns), np.float32)
    table[0, :, 0] = table[0, :, 1] = np.linspace(0, 1, count)
    for cell, values in cells.items():
        table[0, cell] = values
    return table


def in_pixels(table: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    pixels = table.copy()
    pixels[..., :4] *= side
    return pixels


DOG = [0.5, 0.4, 0.2, 0.4]
DOG_BOX = [0.4, 0.2, 0.6, 0.6]


@pytest.mark.parametrize("side", [1, 320])
def test_yolov5_scores_are_objectness_times_class(side: int) -> None:
    """Whether boxes come in pixels or in 0..1 is the exporter's choice."""
    table = in_pixels(yolo({7: [*DOG, 0.9, 0.1, 0.0, 0.8], 8: [*DOG, 0.6, 0.7, 0, 0]}, 8), side)

    name, found = read([table], side=320)

    assert name == "yolov5"
    assert rows(found) == [("dog", 0.72, DOG_BOX)]


@pytest.mark.parametrize("side", [1, 320])
@pytest.mark.parametrize("cells_last", [True, False])
def test_yolov8_has_no_objectness_and_its_cells_along_either_axis(side: int, cells_last: bool) -> None:
    table = in_pixels(yolo({7: [*DOG, 0.1, 0.0, 0.8]}, 7), side)

    name, found = read([table.transpose(0, 2, 1) if cells_last else table], side=320)

    assert name == "yolov8"
    assert rows(found) == [("dog", 0.8, DOG_BOX)]


def test_a_lone_yolo_detection_in_the_corner_is_still_in_pixels() -> None:
    """Its own numbers are as small as if they were normalised: the other cells tell."""
    table = in_pixels(yolo({0: [0.002, 0.002, 0.004, 0.004, 0.9, 0, 0]}, 7), 320)

    _, found = read([table], side=320)

    assert rows(found) == [("person", 0.9, [0.0, 0.0, 0.004, 0.004])]


def test_yolo_placeholders_give_way_too() -> None:
    table = yolo({7: [*DOG, 0.6, 0.0, 0.8], 9: [0.1, 0.1, 0.1, 0.1, 0, 0, 0.9]}, 7)

    assert [label for label, _, _ in read([table], labels=("person", "car", "???"))[1]] == ["person"]


def test_yolo_with_quantised_outputs() -> None:
    table = yolo({7: [*DOG, 0.1, 0.0, 0.8]}, 7)
    stored = np.rint(table / 0.005 - 100).astype(np.int8)

    found = choose(model(), (320, 320), [info("", stored, 0.005, -100)]).read([stored], 0.5)

    assert rows(found) == [("dog", 0.8, DOG_BOX)]


def test_without_labels_the_axes_tell_the_yolo_family() -> None:
    table = yolo({7: [*DOG, 0.9, 0.1, 0.0, 0.8]}, 8)

    assert read([table], labels=())[0] == "yolov5"
    assert read([table.transpose(0, 2, 1)], labels=())[0] == "yolov8"
    assert read([table], labels=(), layout="yolov8")[0] == "yolov8"
    assert [label for label, _, _ in read([table], labels=())[1]] == ["class-2"]


def test_yolo_cells_that_are_not_finite_are_dropped() -> None:
    table = yolo({7: [np.nan, 0.4, 0.2, 0.4, 0.1, 0, 0.8], 9: [*DOG, np.nan, 0, 0.8], 11: [*DOG, 0, np.inf, 0]}, 7)

    assert len(read([table])[1]) == 0


# --- refusals


@pytest.mark.parametrize(
    ("arrays", "labels", "layout", "said"),
    [
        ([np.zeros((1, 1001), np.uint8)], LABELS, "auto", r"outputs are \[1, 1001\] uint8"),
        ([np.zeros((1, 1917, 4)), np.zeros((1, 1917, 91))], LABELS, "auto", "90 classes apart, but has 3 labels"),
        ([np.zeros((1, 2034, 4)), np.zeros((1, 2034, 4))], LABELS, "auto", "has 2034 anchors"),
        ([np.zeros((1, 84, 2100))], LABELS, "auto", "80 classes apart, but has 3 labels"),
        ([np.zeros((1, 2100, 85))], LABELS, "auto", "80 classes apart, but has 3 labels"),
        ([np.zeros((1, 896, 16)), np.zeros((1, 896, 1))], LABELS, "auto", r"\[1, 896, 16\] float64, \[1, 896, 1\]"),
        ([BOXES, IDS, SCORES, COUNT], LABELS, "yolov8", "do not read as layout = yolov8"),
        ([BOXES, COUNT, SCORES, IDS], LABELS, "auto", "do not read as layout = auto"),
        ([], LABELS, "auto", "known layouts"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_shapes_and_the_known_layouts(
    arrays: list[NDArray[Any]], labels: tuple[str, ...], layout: str, said: str
) -> None:
    with pytest.raises(BadConfig, match=said) as refused:
        read(arrays, labels=labels, layout=layout)

    assert "known layouts are postprocess, postprocess-tf2, ssd, yolov5, yolov8" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_layout_is_named() -> None:
    with pytest.raises(BadConfig, match='there is no layout "yolov99"'):
        read([BOXES, IDS, SCORES, COUNT], layout="yolov99")


# --- any bytes at all

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "postprocess": [(1, 3, 4), (1, 3), (1, 3), (1,)],
    "ssd": [(1, 1917, 4), (1, 1917, 4)],
    "yolov5": [(1, 20, 8)],
    "yolov8": [(1, 7, 20)],
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.randoms(use_true_random=False), st.floats(0, 1))
def test_whatever_the_outputs_hold_detections_are_sound(family: str, random: Any, score: float) -> None:
    """An accelerator that goes wrong may answer anything: it must not raise, nor come out as a box."""
    numbers = np.random.default_rng(random.getrandbits(32))
    special = np.array([0, 1, -1, 0.5, 1e38, -1e38, np.nan, np.inf, -np.inf, 3], np.float32)
    arrays = [numbers.choice(special, shape) for shape in SHAPES[family]]

    name, found = read(arrays, score=score)

    assert name == family
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
    assert (found.boxes[:, :2] < found.boxes[:, 2:]).all()
    assert ((found.scores >= min(score, 0.999)) & (found.scores <= 1)).all()
    assert all(found.labels[index] for index in found.classes)
