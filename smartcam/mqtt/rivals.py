"""Two that call themselves the same throw each other out, again and again: a broker knows one client of a name."""

from __future__ import annotations

import time
from collections import deque

from smartcam.errors import Unavailable
from smartcam.mqtt.refusals import ClosedSilently, TakenOver

WITHIN_S = 60.0
TIMES = 5
"""Connections that end within that time. A picture that a broker does not take is given up before."""


class Rivals:
    """Notices it. `ended` is the link's; `trouble` may be asked by anyone."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._times: deque[float] = deque(maxlen=TIMES)
        self._is_rivalry = False
        self._is_certain = False

    def ended(self, error: Unavailable) -> None:
        """A connection that was up has ended like this."""
        if isinstance(error, TakenOver | ClosedSilently):
            if not self._is_recent:
                self._is_rivalry = False
            self._is_certain = isinstance(error, TakenOver)
            self._times.append(time.monotonic())
            # It goes on more slowly: both wait longer and longer before they try again.
            self._is_rivalry |= len(self._times) == TIMES and self._times[-1] - self._times[0] <= WITHIN_S

    @property
    def trouble(self) -> str:
        """As one sentence, until it has not happened for a while; or nothing."""
        if not self._is_rivalry or not self._is_recent:
            return ""
        if self._is_certain:
            return (
                f"another client calls itself {self._client_id}, and the two throw each other out: "
                "give each node a node.name of its own"
            )
        return (
            f"the broker ends the connection again and again: does another client call itself {self._client_id}? "
            "Then give each node a node.name of its own"
        )

    @property
    def _is_recent(self) -> bool:
        return bool(self._times) and time.monotonic() - self._times[-1] <= WITHIN_S
