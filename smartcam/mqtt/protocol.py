"""Which protocol a broker is spoken to in: learnt from how it answers, for as long as the process lives."""

from __future__ import annotations

import time
from typing import Literal, TypeAlias

Protocol: TypeAlias = Literal["5", "3.1.1"]

ASK_AGAIN_S = 3600.0
"""A broker that left MQTT 5 unanswered is asked in it again after so long: it may have been upgraded."""


class Known:
    """What is known of one broker. The owner of its connections keeps it from one to the next."""

    def __init__(self) -> None:
        self.speaks_5 = False
        """Never false again: a broker that ends, or is busy, must not be taken for one that lacks MQTT 5."""
        self._silent_at: float | None = None

    @property
    def prefers_3_1_1(self) -> bool:
        """Whether it lately left MQTT 5 unanswered, and answered 3.1.1."""
        return self._silent_at is not None and time.monotonic() - self._silent_at < ASK_AGAIN_S

    def left_5_unanswered(self) -> None:
        """And answered 3.1.1."""
        self._silent_at = time.monotonic()

    def forget(self) -> None:
        """It no longer answers in 3.1.1."""
        self._silent_at = None
