"""What a broker counts of us may be used up, for a minute or for a day: it is asked again, and ever less often."""

from __future__ import annotations

import time

from smartcam.mqtt.heard import Ack
from smartcam.mqtt.refusals import QUOTA_EXCEEDED, REFUSED

MOST_PAUSE_S = 15 * 60.0


class Quota:
    """As one connection after the other hears of it. Of the link's thread."""

    def __init__(self, pause_s: float) -> None:
        """`pause_s` is how long the first pause is; each is twice as long as the one before it."""
        self._first_pause_s = self._pause_s = pause_s
        self._open_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether anything may be sent."""
        return time.monotonic() >= self._open_at

    def heard(self, ack: Ack) -> None:
        """What was under way at the same time is refused at the same time: that is one refusal."""
        if ack.code == QUOTA_EXCEEDED and self.is_open:
            self._open_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, MOST_PAUSE_S)
        elif ack.is_answer and ack.code < REFUSED:
            self._pause_s = self._first_pause_s
