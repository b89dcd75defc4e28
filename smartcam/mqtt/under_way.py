"""What is on its way to the broker: whether silence means that it is gone, or only that the way is slow."""

from __future__ import annotations

import time

from smartcam.mqtt.wire import carried

LONG_BYTES = 16 * 1024
"""More than any text has: only pictures and clips take seconds on a slow uplink."""
STILL_S = 120.0
"""How long a long message may seem to stand still: a proxy on the way may have taken all of it at once."""


class UnderWay:
    """Bytes that were sent and not answered for, on one connection. A connection keeps their order."""

    def __init__(self) -> None:
        self._sent_bytes = 0
        self._answered_bytes = 0
        self._ends: dict[int, int] = {}
        """Message number → `_sent_bytes` at its end, for those that an answer is due for, the oldest first."""
        self._moved_at = 0.0
        self._acked_bytes = 0

    def sent(self, mid: int, size: int, qos: int) -> None:
        """A message was handed to the client."""
        self._sent_bytes += size
        if not self._ends:
            self._moved_at = time.monotonic()
            if not qos:  # Nobody will say when it is there.
                self._answered_bytes = self._sent_bytes
        if qos:
            self._ends[mid] = self._sent_bytes

    def answered(self, mid: int) -> bool:
        """The broker has this message, and so all before it. Whether it was asked to say so."""
        end = self._ends.pop(mid, None)
        if end is None:
            return False
        self._answered_bytes = max(self._answered_bytes, end)
        self._moved_at = time.monotonic()
        return True

    def is_slow(self, fileno: int) -> bool:
        """Whether the next answer is due only after a long message, and that may still be moving."""
        end = next(iter(self._ends.values()), 0)
        if end - self._answered_bytes <= LONG_BYTES:
            return False
        if (acked := carried(fileno).acked) != self._acked_bytes:
            self._acked_bytes = acked
            self._moved_at = time.monotonic()
        return time.monotonic() - self._moved_at < STILL_S
