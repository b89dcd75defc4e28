"""A second model, which says what kind of thing a crop shows: a classifier, or a detector that looks closer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Box, Frame
from smartcam.detect.accelerator import Accelerator, AcceleratorLost, AcceleratorState, wait_until
from smartcam.detect.failover import Failover
from smartcam.detect.layouts import Layout, TensorInfo, choose
from smartcam.detect.model import BACKGROUND, ModelFile
from smartcam.detect.pixels import Pixels, pixels_for
from smartcam.detect.process import Hello
from smartcam.errors import BadConfig
from smartcam.geometry import Floats

log = logging.getLogger(__name__)

ROOM = 0.1
"""What is added around a box at each side, as a share of its longer one: classifiers want some background."""
BEST = 5
"""Guesses that are told: of those further down nobody is ever sure."""


class Guess(NamedTuple):
    """What a crop may show."""

    label: str
    score: float
    """A probability, 0..1."""

    @property
    def names_nothing(self) -> bool:
        """Whether its label only holds a place in the model's numbering: the background."""
        return self.label in BACKGROUND


Read: TypeAlias = Callable[[Sequence[NDArray[Any]]], list[Guess]]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """How the model that a child has opened is fed and read."""

    input_wh: tuple[int, int]
    pixels: Pixels
    read: Read


class Classifier:
    """One second model. Used by one thread, like the accelerator behind it, one crop at a time."""

    def __init__(self, model: ModelFile, accelerator: Accelerator | Failover, index: int = 0) -> None:
        """`index` is the model's place among those of the accelerator."""
        self.model = model
        self.problem: BadConfig | None = None
        """Why the opened model cannot be used: its outputs are of no known layout, or its labels do not fit."""
        self._accelerator = accelerator
        self._index = index
        self._reading: _Reading | None = None
        self._heard: Hello | None = None

    @property
    def state(self) -> AcceleratorState:
        """The accelerator's, or incompatible with the reason why this model's outputs cannot be read."""
        state = self._accelerator.state
        return replace(state, name="incompatible", reason=str(self.problem)) if self.problem else state

    def ready(self) -> bool:
        """Whether it can guess; never waits. Called at every turn of the loop, see `Accelerator.ready`."""
        if not self._accelerator.ready():
            return False
        if (hello := self._accelerator.hellos[self._index]) is not self._heard:
            self._meet(hello)
        return self._reading is not None

    def wait_ready(self, timeout_s: float) -> None:
        """As `Detector.wait_ready`."""
        wait_until(self.ready, lambda: self.problem or self._accelerator.error, self.model.name, timeout_s)

    def guess(self, frame: Frame, box: Box) -> list[Guess]:
        """What is in a box of the frame, the best guess first: a classifier's five best, or a detector's best
        detection, if there is any. Waits for it; nothing else may be in flight on the accelerator.

        Raises AcceleratorLost, also while it is not ready.
        """
        if not self.ready() or (reading := self._reading) is None:
            raise AcceleratorLost(self.state.reason or f"{self.model.name} is not ready")
        rgb = frame.picture.rgb(square(box, frame.picture.size), reading.input_wh)
        self._accelerator.submit(lambda picture: reading.pixels.write(rgb, picture), self._index)
        return reading.read(self._accelerator.collect())

    def _meet(self, hello: Hello) -> None:
        """A new child has opened the model: see how it is fed and read."""
        self._heard, self._reading, self.problem = hello, None, None
        try:
            self._reading = _reading(self.model, hello)
        except BadConfig as error:
            self.problem = error
            log.error("%s", error)


def _reading(model: ModelFile, hello: Hello) -> _Reading:
    """Raises BadConfig where the model cannot be fed or read."""
    _, height, width, _ = hello.picture.shape
    read: Read
    normalise: Literal["signed", "unit", "raw"] = "signed"
    if model.layout == "auto" and len(hello.outputs) == 1 and _classes(hello.outputs[0]):
        read = partial(most_likely, _labels(model, hello.outputs[0]), hello.outputs[0])
    else:
        layout = _layout(model, hello)
        read, normalise = partial(best_seen, layout, model.score), layout.normalise
    if model.normalise != "auto":
        normalise = model.normalise
    pixels = pixels_for(hello.picture, normalise, exactly=model.normalise != "auto")
    if pixels is None:
        raise BadConfig(f"{model.name}: its input is {hello.picture}: known are uint8, int8 and float32")
    return _Reading((width, height), pixels, read)


def _classes(output: TensorInfo) -> int:
    """How many classes an output [1, classes] tells apart; 0 for one of another shape."""
    return output.shape[-1] if output.shape and max(output.shape[:-1], default=1) == 1 else 0


def _labels(model: ModelFile, output: TensorInfo) -> tuple[str, ...]:
    classes = _classes(output)
    labels = model.labels or tuple(f"class-{index}" for index in range(classes))
    if len(labels) != classes:
        raise BadConfig(
            f"{model.name}: the model tells {classes} classes apart, but has {len(labels)} labels: "
            "give the label file it came with"
        )
    return labels


def _layout(model: ModelFile, hello: Hello) -> Layout:
    _, height, width, _ = hello.picture.shape
    try:
        return choose(model, (height, width), hello.outputs)
    except BadConfig as error:
        raise BadConfig(f"{error}; a classifier has one output [1, classes]") from error


def most_likely(labels: tuple[str, ...], output: TensorInfo, tensors: Sequence[NDArray[Any]]) -> list[Guess]:
    """The outputs of a classifier → its `BEST` guesses; none where it says what is no number."""
    values = output.real(tensors[0].reshape(-1))
    if not np.isfinite(values).all():
        return []
    shares = probabilities(values)
    best = np.argsort(-shares, kind="stable")[:BEST].tolist()
    return [Guess(labels[at], float(shares[at])) for at in best]


def best_seen(layout: Layout, min_score: float, tensors: Sequence[NDArray[Any]]) -> list[Guess]:
    """The outputs of a detector → the label of its best detection, if there is any."""
    seen = [Guess(label, score) for label, score, _ in layout.read(tensors, min_score)]
    return sorted(seen, key=lambda guess: -guess.score)[:1]


def probabilities(values: Floats) -> Floats:
    """(C,) what a classifier says, as probabilities: softmax where it says logits."""
    if values.min() >= 0 and values.max() <= 1.01:
        return values
    powers = np.exp(values - values.max())
    shares: Floats = powers / powers.sum()
    return shares


def square(box: Box, size_wh: tuple[int, int]) -> Box:
    """The box with some room around it, as square in pixels as the picture allows: classifiers know no other shape."""
    width, height = size_wh
    x1, y1, x2, y2 = box
    side = max((x2 - x1) * width, (y2 - y1) * height) * (1 + 2 * ROOM)
    across, down = min(1.0, side / width), min(1.0, side / height)
    left = min(max((x1 + x2 - across) / 2, 0.0), 1 - across)
    top = min(max((y1 + y2 - down) / 2, 0.0), 1 - down)
    return left, top, left + across, top + down
