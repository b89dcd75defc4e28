"""From a frame to what a model sees in it: crop, scale and quantise on the way in, read and map back on the way out."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from smartcam.data import WHOLE, Box, Detections, Frame
from smartcam.detect.accelerator import Accelerator, AcceleratorLost, AcceleratorState, wait_until
from smartcam.detect.failover import Failover
from smartcam.detect.layouts import Layout, choose
from smartcam.detect.model import ModelFile
from smartcam.detect.pixels import Pixels, pixels_for
from smartcam.detect.process import Hello
from smartcam.errors import BadConfig
from smartcam.geometry import Fit, letterbox, stretch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How the model that a child has opened is fed and read."""

    input_wh: tuple[int, int]
    pixels: Pixels
    letterboxed: bool
    layout: Layout


class Detector:
    """One model's eyes. Used by one thread, like the accelerator behind it, up to two frames at a time."""

    def __init__(self, model: ModelFile, accelerator: Accelerator | Failover, index: int = 0) -> None:
        """`index` is the model's place among those of the accelerator."""
        self.model = model
        self.problem: BadConfig | None = None
        """Why the opened model cannot be used: an unknown layout, labels that do not fit."""
        self._accelerator = accelerator
        self._index = index
        self._reading: Reading | None = None
        self._heard: Hello | None = None
        self._submitted: deque[tuple[Fit, Reading]] = deque()

    @property
    def state(self) -> AcceleratorState:
        """The accelerator's, or incompatible with the reason why this model's outputs cannot be read."""
        state = self._accelerator.state
        return replace(state, name="incompatible", reason=str(self.problem)) if self.problem else state

    @property
    def hot(self) -> bool:
        """Whether the accelerator should be spared."""
        return self._accelerator.hot

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._submitted)

    @property
    def free(self) -> int:
        """How many more may be submitted now."""
        return self._accelerator.free if self._reading else 0

    def ready(self) -> bool:
        """Whether frames may be submitted; never waits. Called at every turn of the loop, see `Accelerator.ready`."""
        if not self._accelerator.ready():
            self._submitted.clear()
            return False
        if (hello := self._accelerator.hellos[self._index]) is not self._heard:
            self._meet(hello)
        return self._reading is not None

    def wait_ready(self, timeout_s: float) -> None:
        """For commands that do one thing: wait until `ready`, or raise what prevents it.

        Raises Unavailable where a library or device is missing, the child crashes or takes too long;
        BadConfig where the model cannot be used.
        """
        wait_until(self.ready, lambda: self.problem or self._accelerator.error, self.model.name, timeout_s)

    def submit(self, frame: Frame, crop: Box = WHOLE) -> None:
        """Start on a crop of a frame. Only while `free`.

        Raises AcceleratorLost, and with it everything that was in flight is lost.
        """
        if (reading := self._reading) is None:
            raise AcceleratorLost(self.state.reason or f"{self.model.name} is not ready")
        if reading.letterboxed:
            fit = letterbox(crop, frame.picture.size, reading.input_wh)
        else:
            fit = stretch(crop, reading.input_wh)
        rgb = frame.picture.rgb(crop, fit.content_wh)
        try:
            self._accelerator.submit(lambda picture: reading.pixels.write(rgb, picture), self._index)
        except AcceleratorLost:
            self._submitted.clear()
            raise
        self._submitted.append((fit, reading))

    def collect(self) -> Detections:
        """What the oldest frame in flight shows, in 0..1 of the frame; waits for it. Raises AcceleratorLost."""
        try:
            tensors = self._accelerator.collect()
        except AcceleratorLost:
            self._submitted.clear()
            raise
        # Another child may have been met since: what it takes to read this one was kept beside it.
        fit, reading = self._submitted.popleft()
        seen = reading.layout.read(tensors, self.model.score)
        boxes = fit.to_frame(seen.boxes)
        # What lay in the padding alone has no area in the frame.
        in_frame = np.flatnonzero((boxes[:, :2] < boxes[:, 2:]).all(axis=1))
        return Detections(boxes, seen.scores, seen.classes, seen.labels)[in_frame]

    def _meet(self, hello: Hello) -> None:
        """A new child has opened the model: see how it is fed and read."""
        self._heard, self._reading, self.problem = hello, None, None
        try:
            self._reading = _reading(self.model, hello)
        except BadConfig as error:
            self.problem = error
            log.error("%s", error)


def _reading(model: ModelFile, hello: Hello) -> Reading:
    """Raises BadConfig where the model cannot be fed or read."""
    _, height, width, _ = hello.picture.shape
    layout = choose(model, (height, width), hello.outputs)
    normalise = layout.normalise if model.normalise == "auto" else model.normalise
    pixels = pixels_for(hello.picture, normalise, exactly=model.normalise != "auto")
    if pixels is None:
        raise BadConfig(f"{model.name}: its input is {hello.picture}: known are uint8, int8 and float32")
    resize = layout.resize if model.resize == "auto" else model.resize
    return Reading((width, height), pixels, resize == "letterbox", layout)
