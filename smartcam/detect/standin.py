"""A stand-in for an accelerator of a given latency: it takes no CPU and always sees the same things. For benchmarks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from smartcam.detect.interpreter import Opened
from smartcam.detect.layouts import TensorInfo

PREFIX = "standin:"
"""``standin:5`` is one of 5 ms."""
SIDE = 300
PICTURE = TensorInfo("picture", (1, SIDE, SIDE, 3), "uint8", 1 / 128, 128)
BOXES = [(0.1, 0.1, 0.4, 0.3), (0.3, 0.5, 0.8, 0.7), (0.6, 0.1, 0.9, 0.4)]
"""ymin, xmin, ymax, xmax, as `TFLite_Detection_PostProcess` has them."""
ROOM = 20
"""Rows of its outputs, of which the first are valid."""


def open_standin(device: str) -> Opened:
    """A detector that ends in `TFLite_Detection_PostProcess`, on "standin:MILLISECONDS"."""
    standin = StandIn(float(device.removeprefix(PREFIX)) / 1000)
    outputs = tuple(
        TensorInfo(f"output {n}", tuple(value.shape), "float32", 0.0, 0) for n, value in enumerate(standin.outputs)
    )
    return Opened(standin, 0, tuple(range(len(outputs))), PICTURE, outputs, "stand-in", device)


class StandIn:
    """What is used of a TFLite interpreter."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._picture = np.zeros(PICTURE.shape, np.uint8)
        boxes, scores = np.zeros((1, ROOM, 4), np.float32), np.zeros((1, ROOM), np.float32)
        boxes[0, : len(BOXES)], scores[0, : len(BOXES)] = BOXES, 0.8
        self.outputs = [boxes, np.zeros((1, ROOM), np.float32), scores, np.array([len(BOXES)], np.float32)]

    def set_tensor(self, _index: int, picture: Any) -> None:
        """Take a picture, which costs what it costs to copy it."""
        np.copyto(self._picture, picture)

    def invoke(self) -> None:
        """Be busy for as long as the accelerator would be."""
        time.sleep(self._latency_s)

    def get_tensor(self, index: int) -> Any:
        """The same as ever."""
        return self.outputs[index]
