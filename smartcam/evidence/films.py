"""Recordings that have ended → files: made smaller where that is wanted, read once more, and named."""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from smartcam.evidence.clip_file import ClipFile, finishing
from smartcam.evidence.footage import Footage
from smartcam.evidence.recording import Wanted
from smartcam.evidence.smaller import Shrinker, Shrinking
from smartcam.workers import Worker

log = logging.getLogger(__name__)

MOST_TO_SHRINK = 8
"""Films that may wait to be made smaller; what comes then stays as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """A recording that has ended: its film is forced to the disk, but has not got its name yet."""

    wanted: Wanted
    footage: Footage
    truncated: str
    size: int | None
    """The longer side of what is sent of it, in pixels; None for as it is."""

    @property
    def is_too_large(self) -> bool:
        """To be sent."""
        first = self.footage.first
        return first is not None and self.size is not None and max(first.coding.size) > self.size


class Films:
    """Gives films their names, on the thread that calls `work`; they are made smaller on another.

    `done(ended, clip)` is told of each that is on the disk under its name, `lost(ended, why)` of each that is not.
    """

    def __init__(self, done: Callable[[Ended, ClipFile], None], lost: Callable[[Ended, str], None]) -> None:
        self._done = done
        self._lost = lost
        self._shrunk: queue.SimpleQueue[tuple[Shrinking, Footage | None]] = queue.SimpleQueue()
        self._shrinker = Shrinker(lambda job, small: self._shrunk.put((job, small)))
        self._shrinking: dict[Shrinking, Ended] = {}
        self._naming: deque[tuple[Ended, Generator[None, None, ClipFile]]] = deque()

    def shrinker(self) -> Worker:
        """To be running while films are to be made smaller."""
        return Worker("smaller clips", self._shrinker.run)

    def put(self, ended: Ended) -> None:
        """Make it smaller where its rule says so, and name it."""
        first, size = ended.footage.first, ended.size
        if not first or size is None or not ended.is_too_large:
            self._name(ended)
        elif len(self._shrinking) >= MOST_TO_SHRINK:
            log.warning("%s stays as large as it is: too many wait to be made smaller", ended.wanted.event.id)
            self._name(ended)
        else:
            part = ended.footage.part.with_name(f"clip-{size}.mp4.part")
            job = Shrinking(ended.footage.part, part, first.coding.rotate, size, first.at)
            self._shrinking[job] = ended
            self._shrinker.put(job)

    def work(self, until: float) -> bool:
        """Go on until all that can be named is, or until this monotonic time; whether there is more to do at once."""
        self._take_shrunk()
        while self._naming and time.monotonic() < until:
            ended, steps = self._naming.popleft()
            try:
                while time.monotonic() < until:
                    next(steps)
            except StopIteration as over:
                self._done(ended, over.value)
            except OSError as error:
                self._lost(ended, error.strerror or str(error))
            else:
                self._naming.appendleft((ended, steps))
        return bool(self._naming)

    def end(self, until: float) -> None:
        """Name all of them, the shrinker having ended. What is left then is a part: the next start finds it."""
        self._take_shrunk()
        for job in tuple(self._shrinking):
            self._name(self._shrinking.pop(job))
        if self.work(until):
            log.warning("%d clips will be finished at the next start", len(self._naming))

    def drop(self, is_barred: Callable[[Ended], bool], why: str) -> None:
        """Give up those that must not be shown any more."""
        for job, ended in tuple(self._shrinking.items()):
            if is_barred(ended):
                del self._shrinking[job]  # Should it be in the making, it goes when it is done.
                self._discard(ended, why)
        for one in [one for one in self._naming if is_barred(one[0])]:
            self._naming.remove(one)
            self._discard(one[0], why)

    def _name(self, ended: Ended, small: Footage | None = None) -> None:
        lacks_smaller = small is None and ended.is_too_large
        steps = finishing(ended.footage, ended.wanted.wall_offset, small, ended.truncated, too_large=lacks_smaller)
        self._naming.append((ended, steps))

    def _take_shrunk(self) -> None:
        while not self._shrunk.empty():
            job, small = self._shrunk.get()
            if ended := self._shrinking.pop(job, None):
                self._name(ended, small)
            else:
                remove(job.part)

    def _discard(self, ended: Ended, why: str) -> None:
        for part in ended.footage.part.parent.glob("clip*.part"):
            remove(part)
        self._lost(ended, why)


def remove(file: Path) -> None:
    """What nobody will need; should it stay, the next start finds it."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be removed: %s", file.name, error.strerror)
