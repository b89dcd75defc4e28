"""The time of a recording: from its timestamps to seconds, and held back to real time."""

from __future__ import annotations

import time

from smartcam.workers import Alive

PATIENCE_S = 0.5
"""How long is slept at a time, so that a stop is noticed."""
FAR_BEHIND_S = 1.0
"""What a player cannot catch up with: it goes on from there instead of racing."""


class Timeline:
    """A recording's timestamps → seconds since its start, which only ever go on.

    A missing timestamp, or one that goes back (a repeated file, a damaged one), counts as one interval.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._origin_s: float | None = None
        self._last_s = 0.0

    def at(self, timestamp_s: float | None) -> float:
        """Seconds since the first picture; where timestamps jump back or lack, the interval goes on."""
        if self._origin_s is None:
            self._origin_s = timestamp_s or 0.0
            return 0.0
        next_s = self._last_s + self._interval_s
        if timestamp_s is not None:
            if timestamp_s - self._origin_s <= self._last_s:
                self._origin_s = timestamp_s - next_s
            next_s = timestamp_s - self._origin_s
        self._last_s = next_s
        return next_s


class Pace:
    """When, in monotonic and in unix time, each moment of a recording is. In real time it waits for it."""

    def __init__(self, at: float, wall: float, *, real_time: bool) -> None:
        self._at = at
        self._wall = wall
        self._real_time = real_time

    def reach(self, offset_s: float, alive: Alive) -> tuple[float, float]:
        """`at` and `wall` of a moment, as soon as it has come, or `alive` has ended."""
        if self._real_time:
            self._wait(offset_s, alive)
        return self._at + offset_s, self._wall + offset_s

    def _wait(self, offset_s: float, alive: Alive) -> None:
        while (left_s := self._at + offset_s - time.monotonic()) > 0 and alive():
            time.sleep(min(left_s, PATIENCE_S))
        if left_s < -FAR_BEHIND_S:
            self._at -= left_s
            self._wall -= left_s
