"""A stream of a camera that is opened again whenever it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from smartcam.config.sections import Camera
from smartcam.errors import SmartcamError
from smartcam.workers import Alive

log = logging.getLogger(__name__)

TICK_S = 1.0
NAP_S = 0.2
SAY_AGAIN_S = 10.0
"""One cause is logged once; when it comes back after being online, at most this often."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Whether frames come, and what they are."""

    online: bool
    reason: str
    """Why it is offline: one sentence, without passwords. Empty while online."""
    size: tuple[int, int] | None = None
    """Width and height, upright."""
    codec: str | None = None
    fps: float | None = None
    """Frames a second over the last seconds."""


class Reopening:
    """Runs attempts at a stream with growing pauses between them, and tells what changed, once.

    An attempt calls `online` at its first frame. It raises SmartcamError when it fails, and returns when it is over
    for good: a recording that does not repeat, or a stop. Any other exception is a fault of ours: it is told as
    being offline, and left to the worker.
    """

    def __init__(
        self,
        title: str,
        config: Camera,
        on_status: Callable[[CameraStatus], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        self._title = title
        self._config = config
        self._on_status = on_status
        self._on_tick = on_tick
        self._online_at: float | None = None
        self._ticked_at = 0.0
        self._logged = ("", 0.0)
        self.status = CameraStatus(False, "not opened yet")

    def run(self, attempt: Callable[[Alive], None], alive: Alive) -> None:
        """Attempt, pause, and attempt again, until one is over for good or `alive` ends."""
        delay_s = self._config.retry_min
        while alive():
            self._online_at = None
            try:
                attempt(alive)
            except SmartcamError as error:
                if not alive():
                    return
                delay_s = self._config.retry_min if self._was_steady() else delay_s
                self._offline(str(error))
                self._wait(delay_s, alive)
                delay_s = min(2 * delay_s, self._config.retry_max)
            except Exception:
                self._offline("a fault in smartcam itself; its log tells more")
                raise
            else:
                if alive():
                    self._offline("the recording is over", logging.INFO)
                return

    def online(self, size: tuple[int, int], codec: str) -> None:
        self._online_at = time.monotonic()
        log.info("%s: online, %dx%d %s", self._title, *size, codec)
        self._tell(CameraStatus(True, "", size, codec))

    def _was_steady(self) -> bool:
        """Whether the last attempt gave frames for long enough to begin the pauses anew."""
        return self._online_at is not None and time.monotonic() - self._online_at >= self._config.retry_max

    def _offline(self, reason: str, level: int = logging.WARNING) -> None:
        now = time.monotonic()
        last_reason, logged_at = self._logged
        if reason != last_reason or (self._online_at is not None and now - logged_at > SAY_AGAIN_S):
            log.log(level, "%s: offline: %s", self._title, reason)
            self._logged = (reason, now)
        self._tell(CameraStatus(False, reason))

    def _tell(self, status: CameraStatus) -> None:
        if status != self.status:
            self.status = status
            if self._on_status:
                self._on_status(status)

    def _wait(self, seconds: float, alive: Alive) -> None:
        until = time.monotonic() + seconds
        while alive() and (left_s := until - time.monotonic()) > 0:
            if self._on_tick and time.monotonic() - self._ticked_at >= TICK_S:
                self._ticked_at = time.monotonic()
                self._on_tick()
            time.sleep(min(left_s, NAP_S))
