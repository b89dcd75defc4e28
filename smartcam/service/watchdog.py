"""Feeds systemd's watchdog for as long as every worker gives signs of life, so that a hang ends in a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from smartcam.service import notify
from smartcam.workers import Alive, Worker

log = logging.getLogger(__name__)

TURN_S = 0.25


class Watchdog:
    """Its `run` is a worker's loop: feeds while nobody is silent for over `limit_s`, and logs once who is.

    `workers` is asked at every turn, because a reload replaces them. Without systemd it only logs.
    """

    def __init__(self, workers: Callable[[], Iterable[Worker]], limit_s: float) -> None:
        self._workers = workers
        self._limit_s = limit_s
        self._silent: frozenset[str] = frozenset()

    @property
    def silent(self) -> frozenset[str]:
        """The names of the workers that hung when it last looked."""
        return self._silent

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        interval_s = notify.watchdog_interval_s()
        hungry_at = time.monotonic()
        while alive():
            self._look()
            if interval_s and not self._silent and time.monotonic() >= hungry_at:
                notify.feed_watchdog()
                hungry_at = time.monotonic() + interval_s
            time.sleep(min(TURN_S, interval_s or TURN_S))

    def _look(self) -> None:
        silent = frozenset(worker.name for worker in self._workers() if worker.silent_s > self._limit_s)
        for name in sorted(silent - self._silent):
            log.error("%s gives no sign of life for over %g s; the watchdog goes hungry", name, self._limit_s)
        for name in sorted(self._silent - silent):
            log.warning("%s gives signs of life again", name)
        self._silent = silent
