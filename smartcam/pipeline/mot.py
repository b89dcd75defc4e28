"""Tracks and detections as MOTChallenge rows, for evaluation with the field's own tools."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

from smartcam.data import Box, Scene
from smartcam.errors import SmartcamError


class MotWriter:
    """Writes ``frame,id,x,y,width,height,score,-1,-1,-1``: frames from 1, pixels of the source, two decimals.

    Only confirmed tracks that were seen in the frame itself; detections have the id -1 (motchallenge.net).
    Raises SmartcamError on entering when a file cannot be written.
    """

    def __init__(self, tracks: Path | None, detections: Path | None) -> None:
        self._paths = (tracks, detections)
        self._frame = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._tracks, self._detections = (
                stack.enter_context(_opened(path)) if path else None for path in self._paths
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, scene: Scene) -> None:
        """The next frame."""
        if scene.frame is None:
            return
        self._frame += 1
        size = scene.frame.picture.size
        if self._tracks:
            for track in scene.confirmed:
                if track.last_at == scene.at:
                    self._row(self._tracks, track.id, track.box, track.score, size)
        if self._detections:
            for _, score, box in scene.detections:
                self._row(self._detections, -1, box, score, size)

    def _row(self, file: TextIO, id_: int, box: Box, score: float, size: tuple[int, int]) -> None:
        width, height = size
        x1, y1, x2, y2 = box
        x, y, w, h = x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height
        file.write(f"{self._frame},{id_},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w")
    except OSError as error:
        raise SmartcamError(f"{path} cannot be written: {error.strerror}") from error
