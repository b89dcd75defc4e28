"""How a model's outputs read: chosen from the tensors' shapes, or by name. Pure: arrays in, `Detections` out.

Boxes come out in 0..1 of the model's input. What is not finite, has no area or stands for a placeholder
among the labels is dropped; what is left goes through non-maximum suppression.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Boxes, Detections
from smartcam.detect.anchors import Anchors, decode, ssd_anchors
from smartcam.detect.model import BACKGROUND, UNNAMED, ModelFile
from smartcam.errors import BadConfig
from smartcam.geometry import nms

Tensor: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float32]

LAYOUTS = ("postprocess", "postprocess-tf2", "ssd", "yolov5", "yolov8")
MOST_CANDIDATES = 100
"""Only the best of a frame are compared with each other: suppression is quadratic, and objects are few."""
MOST_CLASSES = 1000
"""A post-process output does not say how many classes there are; ids from here on are taken for rubbish."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a model, as the interpreter describes it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    """Of a quantised tensor: real = (stored - zero_point) x scale. 0 where numbers stand for themselves."""
    zero_point: int = 0

    def real(self, stored: Tensor) -> Floats:
        """Stored numbers → what they stand for; always a copy."""
        numbers = stored.astype(np.float32)
        return (numbers - np.float32(self.zero_point)) * np.float32(self.scale) if self.scale else numbers

    def stored(self, real: float) -> float:
        """The least stored number that stands for `real` or more."""
        return math.ceil(real / self.scale + self.zero_point) if self.scale and math.isfinite(real) else real

    def __str__(self) -> str:
        return f"{list(self.shape)} {self.dtype}"


class Layout(Protocol):
    """A way to read outputs."""

    @property
    def name(self) -> str:
        """One of LAYOUTS."""

    @property
    def labels(self) -> tuple[str, ...]:
        """By the class index that `read` gives."""

    @property
    def resize(self) -> Literal["letterbox", "stretch"]:
        """How models of this family see their pictures."""

    @property
    def normalise(self) -> Literal["signed", "unit"]:
        """What models of this family take for pixels, where their input is float."""

    def read(self, tensors: Sequence[Tensor], min_score: float) -> Detections:
        """All outputs of one invoke, in the model's order → what scores `min_score` or more."""


def choose(model: ModelFile, input_hw: tuple[int, int], outputs: Sequence[TensorInfo]) -> Layout:
    """The layout of a model with these outputs. Raises BadConfig where none is known, or the labels do not fit."""
    if model.layout not in ("auto", *LAYOUTS):
        raise BadConfig(f'{model.name}: there is no layout "{model.layout}"; write one of auto, {", ".join(LAYOUTS)}')
    found = _post_process(model, outputs) or _ssd(model, input_hw, outputs) or _yolo(model, input_hw, outputs)
    if found is None or model.layout not in ("auto", found.name):
        raise _refusal(model, outputs, f"its outputs do not read as layout = {model.layout}")
    return found


def _refusal(model: ModelFile, outputs: Sequence[TensorInfo], why: str) -> BadConfig:
    shapes = ", ".join(map(str, outputs))
    return BadConfig(f"{model.name}: {why}; its outputs are {shapes}; known layouts are {', '.join(LAYOUTS)}")


def _no_such_labels(model: ModelFile, outputs: Sequence[TensorInfo], classes: int) -> BadConfig:
    why = (
        f"the model tells {classes} classes apart, but has {len(model.labels)} labels: give the label file it came with"
    )
    return _refusal(model, outputs, why)


def _class_names(count: int) -> tuple[str, ...]:
    return tuple(f"class-{index}" for index in range(count))


def _hidden(labels: tuple[str, ...]) -> tuple[int, ...]:
    """The classes that are never detected: the background and placeholders."""
    return tuple(index for index, label in enumerate(labels) if label in BACKGROUND)


def _finish(boxes: Boxes, scores: Floats, classes: Tensor, labels: tuple[str, ...]) -> Detections:
    """What is left after everything that is no detection, and all but the best of those that overlap."""
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    boxes, scores, classes = np.clip(boxes[sound], 0, 1), np.minimum(scores[sound], 1), classes[sound].astype(np.int32)
    rows = np.flatnonzero((boxes[:, :2] < boxes[:, 2:]).all(axis=1))
    if len(rows) > MOST_CANDIDATES:
        rows = rows[np.argsort(-scores[rows], kind="stable")[:MOST_CANDIDATES]]
    rows = rows[nms(boxes[rows], scores[rows], classes[rows])]
    return Detections(boxes[rows].astype(np.float32), scores[rows].astype(np.float32), classes[rows], labels)


# --- TFLite_Detection_PostProcess: the model has decoded and suppressed by itself


@dataclass(frozen=True, slots=True, eq=False)
class PostProcess:
    """Boxes (1, n, 4) as ymin, xmin, ymax, xmax; ids (1, n); scores (1, n); count (1)."""

    name: str
    labels: tuple[str, ...]
    outputs: Sequence[TensorInfo]
    boxes_at: int
    ids_at: int
    scores_at: int
    count_at: int
    hidden: tuple[int, ...]
    resize: Literal["letterbox", "stretch"] = "stretch"
    normalise: Literal["signed", "unit"] = "signed"

    def read(self, tensors: Sequence[Tensor], min_score: float) -> Detections:
        """What the outputs say, in 0..1 of the model's input, without scores below `min_score`."""
        count = self._real(tensors, self.count_at).ravel()[0]
        # Rows beyond the count are left over from earlier pictures.
        valid = int(np.clip(np.nan_to_num(count), 0, self.outputs[self.boxes_at].shape[1]))
        boxes = self._real(tensors, self.boxes_at)[0, :valid][:, [1, 0, 3, 2]]
        ids = self._real(tensors, self.ids_at).ravel()[:valid]
        scores = self._real(tensors, self.scores_at).ravel()[:valid]
        rows = np.flatnonzero((scores >= min_score) & (ids >= 0) & (ids < len(self.labels)))
        rows = rows[~np.isin(ids[rows], self.hidden)]
        return _finish(boxes[rows], scores[rows], ids[rows], self.labels)

    def _real(self, tensors: Sequence[Tensor], at: int) -> Floats:
        return self.outputs[at].real(tensors[at])


def _post_process(model: ModelFile, outputs: Sequence[TensorInfo]) -> PostProcess | None:
    """By the op's own names in any order; else by position: four outputs, the last or the third with one element.

    Outputs of other shapes (a recurrent model's state) may stand among them.
    """
    boxes = [at for at, tensor in enumerate(outputs) if len(tensor.shape) == 3 and tensor.shape[2] == 4]
    if len(boxes) != 1:
        return None
    rows = outputs[boxes[0]].shape[1]
    columns = [
        at for at, tensor in enumerate(outputs) if len(tensor.shape) <= 2 and math.prod(tensor.shape) in (1, rows)
    ]
    places = sorted(boxes + columns)
    if len(places) != 4:
        return None
    # Ids count from the first real class, also where the label file begins with the background.
    labels = model.labels[1:] if model.labels and model.labels[0] in BACKGROUND else model.labels
    labels += _class_names(MOST_CLASSES)[len(labels) :]
    suffixes = [re.fullmatch(r"TFLite_Detection_PostProcess(?::([123]))?", outputs[at].name) for at in places]
    if all(suffixes):
        places = [
            at for _, at in sorted((found[1] or "0", at) for found, at in zip(suffixes, places, strict=True) if found)
        ]
    single = [math.prod(outputs[at].shape) == 1 for at in places]
    if single[3] and places[0] == boxes[0]:
        at_boxes, at_ids, at_scores, at_count = places
        return PostProcess("postprocess", labels, outputs, at_boxes, at_ids, at_scores, at_count, _hidden(labels))
    if single[2] and places[1] == boxes[0]:
        at_scores, at_boxes, at_count, at_ids = places
        return PostProcess("postprocess-tf2", labels, outputs, at_boxes, at_ids, at_scores, at_count, _hidden(labels))
    return None


# --- SSD: box encodings and class logits for every anchor


@dataclass(frozen=True, slots=True, eq=False)
class Ssd:
    """Encodings (1, n, 4) and logits (1, n, c); a sigmoid makes them scores."""

    labels: tuple[str, ...]
    hidden: tuple[int, ...]
    encodings: TensorInfo
    encodings_at: int
    logits: TensorInfo
    logits_at: int
    anchors: Anchors
    name: str = "ssd"
    resize: Literal["letterbox", "stretch"] = "stretch"
    normalise: Literal["signed", "unit"] = "signed"

    def read(self, tensors: Sequence[Tensor], min_score: float) -> Detections:
        rows, classes, best = self._hits(tensors[self.logits_at][0], min_score)
        encodings = self.encodings.real(tensors[self.encodings_at][0][rows])
        with np.errstate(over="ignore"):
            scores = (1 / (1 + np.exp(-best))).astype(np.float32)
        return _finish(decode(encodings, self.anchors[rows]), scores, classes, self.labels)

    def _hits(self, logits: Tensor, min_score: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """The anchors that see something, what, and its logit: stored numbers are compared, before any arithmetic."""
        hits = logits >= self.logits.stored(_logit(min_score))
        hits[:, self.hidden] = False
        rows = np.unique(np.flatnonzero(hits) // hits.shape[1])
        values = self.logits.real(logits[rows])
        values[:, self.hidden] = -np.inf
        classes = values.argmax(axis=1)
        best = values[np.arange(len(rows)), classes]
        finite = np.isfinite(best)
        return rows[finite], classes[finite], best[finite]


def _logit(score: float) -> float:
    if score <= 0:
        return -math.inf
    return math.log(score / (1 - score)) if score < 1 else math.inf


def _ssd(model: ModelFile, input_hw: tuple[int, int], outputs: Sequence[TensorInfo]) -> Ssd | None:
    """Two outputs over the same anchors; where both have four columns, their names or else their order decide."""
    tables = [at for at, tensor in enumerate(outputs) if len(tensor.shape) == 3 and tensor.shape[0] == 1]
    tables.sort(key=lambda at: (outputs[at].shape[2] != 4, "box" not in outputs[at].name.lower()))
    if len(tables) != 2 or outputs[tables[0]].shape[:2] != outputs[tables[1]].shape[:2]:
        return None
    encodings, logits = outputs[tables[0]], outputs[tables[1]]
    if encodings.shape[2] != 4:
        return None
    anchors, (_, count, classes) = ssd_anchors(input_hw[1]), logits.shape
    if len(anchors) != count or input_hw[0] != input_hw[1]:
        size = f"{input_hw[1]}x{input_hw[0]}"
        why = f"it has {count} anchors, and an SSD with an input of {size} is known with {len(anchors)}"
        raise _refusal(model, outputs, why)
    # Column 0 is the background, whether the label file names it or not.
    labels = model.labels or _class_names(classes - 1)
    labels = (UNNAMED, *labels) if len(labels) == classes - 1 else labels
    if len(labels) != classes or labels[0] not in BACKGROUND:
        raise _no_such_labels(model, outputs, classes - 1)
    return Ssd(labels, _hidden(labels), encodings, tables[0], logits, tables[1], anchors)


# --- YOLO: centre, size and class scores for every cell


@dataclass(frozen=True, slots=True, eq=False)
class Yolo:
    """One table of x, y, w, h, (objectness in v5,) and a score for each class; cells along either axis."""

    name: str
    labels: tuple[str, ...]
    hidden: tuple[int, ...]
    table: TensorInfo
    cells_last: bool
    input_hw: tuple[int, int]
    resize: Literal["letterbox", "stretch"] = "letterbox"
    normalise: Literal["signed", "unit"] = "unit"

    def read(self, tensors: Sequence[Tensor], min_score: float) -> Detections:
        """What the outputs say, in 0..1 of the model's input, without scores below `min_score`."""
        cells = tensors[0][0].T if self.cells_last else tensors[0][0]
        # A class cannot score more than the objectness that it is multiplied with.
        first = cells[:, 4:5] if self.name == "yolov5" else cells[:, 4:]
        candidates = self.table.real(cells[(first >= self.table.stored(min_score)).any(axis=1)])
        with np.errstate(over="ignore", invalid="ignore"):
            by_class = candidates[:, 5:] * candidates[:, 4:5] if self.name == "yolov5" else candidates[:, 4:]
        by_class[:, self.hidden] = -1
        classes = by_class.argmax(axis=1)
        scores = by_class[np.arange(len(classes)), classes]
        rows = np.flatnonzero(scores >= min_score)
        return _finish(self._boxes(cells, candidates[rows]), scores[rows], classes[rows], self.labels)

    def _boxes(self, cells: Tensor, candidates: Floats) -> Boxes:
        """Exporters disagree whether boxes are in pixels or in 0..1: cells lie all over the picture, so most tell."""
        in_pixels = 2 * np.count_nonzero(cells[:, 0] > self.table.stored(2.0)) > len(cells)
        height, width = self.input_hw if in_pixels else (1, 1)
        centre, half = candidates[:, :2], candidates[:, 2:4] / 2
        with np.errstate(over="ignore", invalid="ignore"):
            boxes: Boxes = np.concatenate([centre - half, centre + half], axis=1)
        boxes /= np.array([width, height, width, height], np.float32)
        return boxes


def _yolo(model: ModelFile, input_hw: tuple[int, int], outputs: Sequence[TensorInfo]) -> Yolo | None:
    """One output (1, a, b): the number of labels tells v5 from v8 and cells from columns, else the longer axis does."""
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].shape[0] != 1 or min(outputs[0].shape) < 1:
        return None
    table, (_, down, across) = outputs[0], outputs[0].shape
    forms = [("yolov8", True, down - 4), ("yolov5", False, across - 5), ("yolov8", False, across - 4)]
    forms = [form for form in forms if form[2] > 0 and model.layout in ("auto", form[0])]
    fitting = [form for form in forms if form[2] == len(model.labels)]
    likely = [form for form in forms if form[1] == (down < across)]
    if model.labels and not fitting and likely:
        raise _no_such_labels(model, outputs, likely[0][2])
    name, cells_last, classes = next(iter(fitting or likely), ("", False, 0))
    if not classes:
        return None
    labels = model.labels or _class_names(classes)
    return Yolo(name, labels, _hidden(labels), table, cells_last, input_hw)
