"""How fast pictures and clips may be written, so that nothing that matters more waits behind them.

Two connections share the way. What the first one writes is never held up, and is taken off what the other one may.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BURST_S = 0.25
"""The most that is written at once, in seconds of the rate."""
LEAST_BYTES = 256
"""Written at once, also on the slowest way: headers would be most of what is sent."""
DEBT_S = 2.0
"""How long events that are over can still hold up pictures: less than a part and a keepalive have to spare."""
WRITE_BYTES = 8192
"""At once, where there is no rate: the kernel takes 64 kB and more otherwise, whatever its buffer's size is."""
BUFFER_BYTES = 16 * 1024
"""Of the kernel's, for a connection that gives way. On a way of 2 kB/s an alert waits 8 s behind it; where an answer
takes 0.1 s, it still carries 160 kB/s."""


class Pace:
    """A bucket of bytes that fills at `rate`, and that both connections draw from."""

    def __init__(self, rate: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        """Bytes a second; None is as many as the way carries. May be changed at any time."""
        self._clock = clock
        self._lock = threading.Lock()
        self._filled_at = clock()
        self._bytes = 0.0

    def room(self) -> int:
        """What may be written now by whoever gives way."""
        if not (rate := self.rate):
            return WRITE_BYTES
        with self._lock:
            self._fill(rate)
            piece = self._piece(rate)
            return piece if self._bytes >= piece else 0

    def took(self, size: int) -> None:
        """So much was written, by any connection."""
        if rate := self.rate:
            with self._lock:
                self._fill(rate)
                self._bytes = max(self._bytes - size, -rate * DEBT_S)

    def wait_s(self) -> float:
        """Until there is room."""
        if not (rate := self.rate):
            return 0.0
        with self._lock:
            self._fill(rate)
            return max(0.0, (self._piece(rate) - self._bytes) / rate)

    def _piece(self, rate: int) -> int:
        return max(LEAST_BYTES, int(rate * BURST_S))

    def _fill(self, rate: int) -> None:
        now = self._clock()
        # Two: one that is written late is made up for.
        self._bytes = min(self._bytes + (now - self._filled_at) * rate, 2.0 * self._piece(rate))
        self._filled_at = now


class Lane:
    """One connection's part of the way."""

    def __init__(self, pace: Pace, *, gives_way: bool) -> None:
        self.gives_way = gives_way
        self._pace = pace
        self._blocked = 0
        """What the network did not take: TLS wants to be given no less when it is tried again."""

    def write(self, send: Callable[[bytes | bytearray], int], data: bytes | bytearray) -> int:
        """Write as much of it as there is room for, and give how much that was.

        Raises BlockingIOError where there is none.
        """
        room = self._pace.room() if self.gives_way else len(data)
        if not room:
            raise BlockingIOError
        some = data[: max(room, self._blocked)]
        self._blocked = len(some)
        written = send(some)
        if not written:  # WebSockets took it, and want to be asked for it again; paho would lose it.
            raise BlockingIOError
        self._blocked = 0
        self._pace.took(written)
        return written

    def wait_s(self) -> float:
        """How long nothing can be written."""
        return self._pace.wait_s() if self.gives_way else 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """What a connection has to do with the way that it shares with others."""

    pace: Pace | None = None
    gives_way: bool = False
    """Whether it keeps to the pace, or only counts in it."""
    on_carried: Callable[[int, int], None] = lambda _sent, _received: None
    """Told of the bytes that it has carried since it was last told."""


ALONE = Way()
