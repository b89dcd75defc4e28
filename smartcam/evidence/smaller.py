"""A clip, smaller: for the link, made after the event, when nothing else is to be done."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartcam.data import Coding, Packet
from smartcam.errors import Unavailable
from smartcam.evidence.encode import Change, Encoder, plain
from smartcam.evidence.footage import Footage
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

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
    import av

    small = None
    try:
        with av.open(str(job.film)) as film, Footage(job.part) as footage:
            footage.hears = _sound_in(film)
            for packet in _encoded(film, job, footage.hears, alive):
                footage.add(packet)
            if alive() and footage.first:
                footage.end()
                small = footage
    except (Unavailable, ValueError, OSError, av.FFmpegError) as error:
        log.warning("%s cannot be made smaller: %s", job.film.parent.name, error)
    finally:
        if small is None:
            with suppress(OSError):  # The next start finds it.
                job.part.unlink(missing_ok=True)
    return small


def smaller_wh(size_wh: tuple[int, int], longer_px: int) -> tuple[int, int]:
    """Even, with that longer side; never larger than it was."""
    share = min(1.0, longer_px / max(size_wh))
    width, height = (max(2, round(side * share / 2) * 2) for side in size_wh)
    return width, height


def _sound_in(film: InputContainer) -> Coding | None:
    for stream in film.streams.audio:
        context = stream.codec_context
        return Coding("aac", (context.sample_rate, context.channels), context.extradata or b"")
    return None


def _encoded(film: InputContainer, job: Shrinking, sound: Coding | None, alive: Alive) -> Iterator[Packet]:
    """Its pictures, smaller, and its sound as it is."""
    encoder = Encoder(job.rotate)
    video = film.streams.video[0]
    video.thread_type = "NONE"
    change = _scale(smaller_wh((video.codec_context.width, video.codec_context.height), job.longer_px))
    for packet in itertools.takewhile(lambda _: alive(), film.demux(video, *film.streams.audio[:1])):
        if packet.stream is not video:
            if sound and packet.size and packet.pts is not None and packet.time_base:
                at = job.begin_at + float(packet.pts * packet.time_base)
                yield Packet(0, at, at, is_key=True, data=bytes(packet), coding=sound, audio=True)
            continue
        for frame in video.codec_context.decode(packet):
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

    def put(self, job: Shrinking) -> None:
        """May be called from any thread; `done` is called with every job that was begun, on the shrinker's."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def run(self, alive: Alive) -> None:
        """The worker's loop. Once `alive` ends, the job under way is done, without a film; what waits stays."""
        step_back()
        while alive():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, 0.5)
                job = self._waiting.pop(0) if self._waiting else None
            if job:
                small = None
                try:
                    small = shrink(job, alive)
                finally:  # Whatever went wrong: its film must not wait for ever.
                    self._done(job, small)
