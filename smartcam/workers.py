"""Threads that outlive their failures, and the hand-over of frames between them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, Self, TypeAlias, TypeVar

from smartcam.data import Frame, Motion

log = logging.getLogger(__name__)

Alive: TypeAlias = Callable[[], bool]
"""Asked at every turn of a loop: false once it should end. Asking is also the loop's sign of life."""

T = TypeVar("T")

TROUBLED_S = 60.0
"""How long after a failure a worker counts as troubled."""


class Worker:
    """A named thread that runs `loop`, and runs it again after a failure.

    Runs from `with` until the block is left; a loop that returns is done and is not run again. A loop
    that hangs is not noticed here: `silent_s` grows, and the watchdog is no longer fed.
    """

    def __init__(self, name: str, loop: Callable[[Alive], None], *, retry_s: float = 1.0) -> None:
        self.name = name
        self.failures = 0
        """How often the loop failed."""
        self._failure: tuple[float, str] = (-math.inf, "")
        """When it failed last, and how."""
        self._loop = loop
        self._retry_s = retry_s
        self._stop = threading.Event()
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._beat = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        self._stop.set()

    def join(self, timeout_s: float = 12.0) -> bool:
        """Wait for the loop to end: a camera that is opening takes up to 10 s. One that hangs is left behind."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("%s does not end; leaving it behind", self.name)
        return not self._thread.is_alive()

    @property
    def done(self) -> bool:
        """Whether the loop returned by itself or was stopped."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def silent_s(self) -> float:
        """Seconds since the loop last gave a sign of life; 0 once it is done."""
        return 0.0 if self.done else time.monotonic() - self._beat

    @property
    def trouble(self) -> str | None:
        """What keeps the loop from running well: a failure within the last minute, or None."""
        failed_at, how = self._failure
        return how if time.monotonic() - failed_at < TROUBLED_S else None

    def pause(self, seconds: float) -> None:
        """Sleep inside the loop, awake at once when it should end, and a sign of life at every second."""
        until = time.monotonic() + seconds
        while self._alive() and (left := until - time.monotonic()) > 0:
            self._stop.wait(min(left, 1.0))

    def _alive(self) -> bool:
        self._beat = time.monotonic()
        return not self._stop.is_set()

    def _remember(self, how: str) -> None:
        """One traceback for each cause while it lasts: a loop that always fails must not flood the journal."""
        self.failures += 1
        if how != self.trouble:
            log.exception("%s failed; running it again", self.name)
        self._failure = time.monotonic(), how

    def _run(self) -> None:
        while True:
            try:
                self._loop(self._alive)
            except Exception as error:
                # The only broad except in the house: whatever a stage raises, the daemon goes on.
                self._remember(f"{type(error).__name__}: {error}")
                self.pause(self._retry_s)
                if self._stop.is_set():
                    return
            else:
                return


class Channel(Generic[T]):
    """A bounded first-in, first-out hand-over. A full one makes the sender wait: nothing is dropped here.

    The receiver's loop is ``while alive() or channel:``, so that it drains what is there before it ends.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, alive: Alive = lambda: True) -> bool:
        """Hand over an item; false, and not handed over, when `alive` ended while there was no room."""
        with self._changed:
            while len(self._items) >= self._capacity:
                if not alive():
                    return False
                self._changed.wait(0.5)
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> T | None:
        """The oldest item, or None after `timeout_s` without one."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items, timeout_s):
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item


class Waiting(NamedTuple):
    """A frame that waits for the accelerator, with all motion since the camera's last frame that was taken."""

    frame: Frame
    motion: Motion


class LatestFrames:
    """Frames that wait for an accelerator: per camera the newest wins; the longest-waiting camera is first.

    The only hand-over that drops frames. It counts them, and what moved in a dropped frame counts as
    moved in the one that replaced it. A camera that plays a recording may wait instead (`keep_all`).
    """

    DEPTH = 4
    """Frames of one recording that may wait: decoding comes in bursts where a stream has B-frames."""

    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self.dropped: dict[str, int] = {}
        """Per camera, since the start."""

    def put(self, frame: Frame, motion: Motion, *, keep_all: bool = False, alive: Alive = lambda: True) -> None:
        """Hand over a frame; with `keep_all` wait until there is room, or until `alive` ends."""
        with self._changed:
            if keep_all:
                while self._waiting(frame.camera) >= self.DEPTH and alive():
                    self._changed.wait(0.5)
            elif (place := self._place(frame.camera)) is not None:
                self.dropped[frame.camera] = self.dropped.get(frame.camera, 0) + 1
                self._queue[place] = Waiting(frame, self._queue[place].motion | motion)
                return
            self._queue.append(Waiting(frame, motion))
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Waiting | None:
        """The frame of the camera that has waited longest, or None after `timeout_s` without any."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._queue, timeout_s):
                return None
            first = self._queue.popleft()
            self._changed.notify_all()
            return first

    def __len__(self) -> int:
        return len(self._queue)

    def _place(self, camera: str) -> int | None:
        # The last one: if frames of a recording wait as well, their order stays.
        places = [place for place, waiting in enumerate(self._queue) if waiting.frame.camera == camera]
        return places[-1] if places else None

    def _waiting(self, camera: str) -> int:
        return sum(waiting.frame.camera == camera for waiting in self._queue)
