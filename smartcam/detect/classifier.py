"""A second model that says what kind of thing a crop shows."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

import numpy as np

from smartcam.data import Box, Frame
from smartcam.detect.accelerator import Accelerator, AcceleratorLost
from smartcam.detect.failover import Failover
from smartcam.detect.layouts import TensorInfo
from smartcam.detect.model import BACKGROUND, ModelFile
from smartcam.detect.pixels import Pixels, pixels_for
from smartcam.detect.process import Hello
from smartcam.errors import BadConfig, Unavailable
from smartcam.geometry import Floats

ROOM = 0.1
"""What is added around a box at each side, as a share of its longer one: classifiers want some background."""
BEST = 5
WAIT_STEP_S = 0.005


class Guess(NamedTuple):
    """What a crop may show."""

    label: str
    score: float
    """A probability, 0..1."""


class Classifier:
    """One classifying model, its crops up to two at a time. Used by one thread, like the accelerator behind it."""

    def __init__(self, model: ModelFile, accelerator: Accelerator | Failover, index: int = 0) -> None:
        self.model = model
        self.problem: BadConfig | None = None
        """Why the opened model cannot be used: it is no classifier, or its labels do not fit."""
        self.accelerator = accelerator
        self._index = index
        self._heard: Hello | None = None
        self._pixels: Pixels | None = None
        self._outputs: deque[TensorInfo] = deque()

    def ready(self) -> bool:
        """Whether crops may be submitted; never waits. See `Accelerator.ready`."""
        if not self.accelerator.ready():
            self._outputs.clear()
            return False
        if (hello := self.accelerator.hellos[self._index]) is not self._heard:
            self._meet(hello)
        return self._pixels is not None

    def wait_ready(self, timeout_s: float) -> None:
        """As `Detector.wait_ready`."""
        until = time.monotonic() + timeout_s
        while not self.ready():
            if (error := self.problem or self.accelerator.error) is not None:
                raise error
            if time.monotonic() > until:
                raise Unavailable(f"{self.model.name} is not ready after {timeout_s:g} s")
            time.sleep(WAIT_STEP_S)

    def submit(self, frame: Frame, box: Box) -> None:
        """Start on what is in a box of the frame. Raises AcceleratorLost."""
        if self._heard is None or (pixels := self._pixels) is None:
            raise AcceleratorLost(f"{self.model.name} is not ready")
        _, height, width, _ = self._heard.picture.shape
        rgb = frame.picture.rgb(square(box, frame.picture.size), (width, height))
        self.accelerator.submit(lambda picture: pixels.write(rgb, picture), self._index)
        self._outputs.append(self._heard.outputs[0])

    def collect(self) -> list[Guess]:
        """The best guesses about the oldest crop in flight, best first; waits for it. Raises AcceleratorLost."""
        try:
            tensor = self.accelerator.collect()[0]
        except AcceleratorLost:
            self._outputs.clear()
            raise
        shares = probabilities(self._outputs.popleft().real(tensor.reshape(-1)))
        best = np.argsort(-shares, kind="stable")[:BEST].tolist()
        return [Guess(self.model.labels[at], float(shares[at])) for at in best]

    def _meet(self, hello: Hello) -> None:
        self._heard, self._pixels, self.problem = hello, None, None
        try:
            self._pixels = _pixels(self.model, hello)
        except BadConfig as error:
            self.problem = error


def _pixels(model: ModelFile, hello: Hello) -> Pixels:
    """Raises BadConfig where the model is no classifier, or cannot be fed."""
    output = hello.outputs[0]
    classes = int(np.prod(output.shape))
    if len(hello.outputs) != 1 or classes != max(output.shape):
        shapes = ", ".join(map(str, hello.outputs))
        raise BadConfig(f"{model.name} is no classifier: one output [1, classes] is expected, but it has {shapes}")
    if classes != len(model.labels):
        raise BadConfig(f"{model.name} tells {classes} classes apart, but has {len(model.labels)} labels")
    normalise = "signed" if model.normalise == "auto" else model.normalise
    pixels = pixels_for(hello.picture, normalise, exactly=model.normalise != "auto")
    if pixels is None:
        raise BadConfig(f"{model.name}: its input is {hello.picture}: known are uint8, int8 and float32")
    return pixels


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


def names_nothing(label: str) -> bool:
    """Whether a label only holds a place in the model's numbering."""
    return label in BACKGROUND
