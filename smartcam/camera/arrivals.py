"""When the pictures of a live stream were taken: its own clock, held to ours."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from smartcam.camera.packets import is_sound, shown_s

if TYPE_CHECKING:
    from av import Packet

WINDOW_S = 5.0
"""The smallest delay counts over one to two of these: long enough to see through jitter, and short enough that clocks
which drift apart by a second a day stay within a millisecond."""
ADRIFT_S = 2.0
"""Off by more, the stream's clock was set, or the link stood still: what was learned of it does not hold any more."""
STEADY_S = 30.0
"""A clock that is adrift again so soon is none."""
REMEMBERED = 64
"""Pictures that may be on their way through the decoder."""


class Arrivals:
    """The timestamps of one session's packets → monotonic seconds.

    A stream tells the pauses between its pictures better than their arrival, which the network delays, now more and
    now less. Pictures are taken to be as late as the most punctual of the last seconds; so they never come before
    they are there. Where there are no timestamps, or senseless ones, arrival counts.
    """

    def __init__(self, has_clock: bool) -> None:
        self._has_clock = has_clock
        self._least_s = self._least_before_s = math.inf
        """The smallest difference between arrival and timestamp, in this window and in the one before."""
        self._delay_s: float | None = None
        self._window_at = self._adrift_at = -math.inf
        self._at = -math.inf
        self._on_the_way: dict[int, float] = {}

    def of(self, packet: Packet[Any]) -> float:
        """When the picture of a packet that comes now was taken, or its sound begins. Pictures alone set the clock."""
        now = time.monotonic()
        timestamp_s = shown_s(packet) if self._has_clock else None
        if is_sound(packet):
            return now if timestamp_s is None or self._delay_s is None else timestamp_s + self._delay_s
        at = now if timestamp_s is None else timestamp_s + self._learn(now - timestamp_s, now)
        if packet.pts is not None:
            self._remember(packet.pts, at)
        return at

    def picture(self, pts: int | None) -> tuple[float, float]:
        """`at` and `wall` of a picture that comes out of the decoder now; `at` never goes back."""
        now = time.monotonic()
        at = self._on_the_way.pop(pts, now) if pts is not None else now
        self._at = max(self._at, at)
        return self._at, time.time() - (now - self._at)

    def _remember(self, pts: int, at: float) -> None:
        self._on_the_way[pts] = at
        if len(self._on_the_way) > REMEMBERED:
            del self._on_the_way[next(iter(self._on_the_way))]

    def _learn(self, delay_s: float, now: float) -> float:
        """By how much our clock is ahead of the stream's, now that a picture came so long after its timestamp."""
        if now - self._window_at >= WINDOW_S:
            self._least_before_s, self._least_s, self._window_at = self._least_s, delay_s, now
        self._least_s = min(self._least_s, delay_s)
        self._delay_s = min(self._least_s, self._least_before_s)
        if delay_s - self._delay_s > ADRIFT_S:
            self._has_clock = now - self._adrift_at > STEADY_S
            self._adrift_at = now
            self._delay_s = self._least_s = self._least_before_s = delay_s
        return self._delay_s
