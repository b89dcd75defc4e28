"""A clip, smaller: for the link, made after the event, when nothing else is to be done."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartcam.data import Packet
from smartcam.errors import Unavailable
from smartcam.evidence.encode import Change, Encoder, plain
from smartcam.evidence.footage import Footage
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import VideoFrame

log = logging.getLogger(__name__)

NICE = 19
"""The lowest that still gets its turn: a clip that waited for an idle machine might wait for ever."""


@dataclass(frozen=True, slots=True)
class Shrinking:
    """A film to be made smaller."""

    film: Path
    part: Path
    """Where it is made."""
    rotate: int
    longer_px: int
    begin_at: float
    """The monotonic time of its first picture."""


def step_back() -> None:
    """Give this thread, and those that it begins, the lowest priority."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def shrink(job: Shrinking, alive: Alive) -> Footage | None:
    """Make it, forced to the disk. None where `alive` ends before, or it cannot be made."""
    try:
        with Footage(job.part) as footage:
            for packet in _encoded(job, alive):
                footage.add(packet)
            if alive() and footage.first:
                footage.end()
                return footage
    except (Unavailable, ValueError, OSError) as error:
        log.warning("%s cannot be made smaller: %s", job.film.parent.name, error)
    job.part.unlink(missing_ok=True)
    return None


def smaller_wh(size_wh: tuple[int, int], longer_px: int) -> tuple[int, int]:
    """Even, with that longer side; never larger than it was."""
    share = min(1.0, longer_px / max(size_wh))
    width, height = (max(2, round(side * share / 2) * 2) for side in size_wh)
    return width, height


def _encoded(job: Shrinking, alive: Alive) -> Iterator[Packet]:
    import av

    encoder = Encoder(job.rotate)
    with av.open(str(job.film)) as container:
        video = container.streams.video[0]
        video.thread_type = "NONE"
        change = _scale(smaller_wh((video.codec_context.width, video.codec_context.height), job.longer_px))
        for frame in itertools.takewhile(lambda _: alive(), container.decode(video)):
            if frame.time is not None:
                at = job.begin_at + frame.time
                yield from encoder.add(change(frame, at), at)
        yield from encoder.rest()


def _scale(size_wh: tuple[int, int]) -> Change:
    def scaled(frame: VideoFrame, at: float) -> VideoFrame:
        return plain(frame.reformat(*size_wh, "yuv420p"), at)

    return scaled


class Shrinker:
    """Makes films smaller, one after the other, on a thread of its own."""

    def __init__(self, done: Callable[[Shrinking, Footage | None], None]) -> None:
        self._done = done
        self._waiting: list[Shrinking] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, job: Shrinking) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def run(self, alive: Alive) -> None:
        """The worker's loop. Once `alive` ends, what waits is done without having been made."""
        step_back()
        while alive():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, 0.5)
                job = self._waiting.pop(0) if self._waiting else None
            if job:
                self._done(job, shrink(job, alive))
