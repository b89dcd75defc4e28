"""Recordings for replay: every frame, the same each time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from smartcam.camera.picture import Degrees
from smartcam.camera.session import open_session
from smartcam.camera.still import read_picture
from smartcam.config.sections import Camera
from smartcam.config.streams import form_of
from smartcam.data import Frame, Point
from smartcam.errors import SmartcamError, Unavailable

__all__ = ["read_picture", "recording"]

log = logging.getLogger(__name__)

MISSING_S = 0.5
"""How much earlier than it says a recording may end without a word."""


def recording(
    path: Path, camera: str, wall_start: float, rotate: Degrees = 0, mask: tuple[tuple[Point, ...], ...] = ()
) -> Iterator[Frame]:
    """Every frame of a file, or of a folder of pictures (one a second), as fast as they are taken.

    `at` comes from the timestamps and starts at 0.0; `wall` is `wall_start` + `at`. Raises SmartcamError when the
    file is missing, or is no video; one that breaks off gives the frames that it has, and a warning in the log.
    """
    if form_of(str(path)) != "file":
        raise SmartcamError(f"{path}: not a recording; give a video file, a picture or a folder of pictures")
    config = Camera(source=str(path), rotate=rotate, mask=mask, pace="fast", repeat=False)
    frame = None
    try:
        with open_session(config, camera, lambda: True, start=(0.0, wall_start)) as session:
            for frame in session:
                yield frame
            if frame and session.duration_s and frame.at + MISSING_S < session.duration_s:
                log.warning(
                    "%s: ends after %.1f s of %.1f s: the file is cut short", path, frame.at, session.duration_s
                )
    except Unavailable as error:
        if frame is None:
            raise SmartcamError(str(error)) from None
        log.warning("%s: breaks off after %.1f s (%s)", path, frame.at, error)
