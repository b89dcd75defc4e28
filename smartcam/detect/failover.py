"""An Edge TPU, and the CPU that steps in while it is lost: one accelerator to those who use it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from numpy.typing import NDArray

from smartcam.detect.accelerator import Accelerator, AcceleratorLost, AcceleratorState
from smartcam.detect.model import ModelFile
from smartcam.detect.process import Greeting
from smartcam.errors import SmartcamError

HEAD_START_S = 5.0
"""How long a first opening may take before the CPU steps in: a USB stick gets its firmware then."""


class Failover:
    """Compiled models on the Edge TPU; their twins on the CPU while it is lost, opening for long, or not there.

    The TPU is tried again by its own backoff, and taken back as soon as it is ready: what is in flight on the CPU
    then is still collected, in order. Used by one thread, like `Accelerator`, and in the same way.
    """

    def __init__(
        self,
        tpu: Accelerator,
        twin: Accelerator,
        *,
        demanded: bool,
        in_sight: Callable[[], bool],
        head_start_s: float = HEAD_START_S,
    ) -> None:
        self.models: tuple[ModelFile, ...] = tpu.models
        self._tpu = tpu
        self._twin = twin
        self._active = tpu
        self._demanded = demanded
        self._in_sight = in_sight
        self._head_start_s = head_start_s
        self._asked_at: float | None = None
        self._missed = demanded
        """Whether it matters that the TPU is not there: it was asked for, or was there before."""
        self._order: deque[Accelerator] = deque()
        """Where each picture in flight is, the oldest first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hellos(self) -> Greeting:
        return self._active.hellos

    @property
    def error(self) -> SmartcamError | None:
        """What keeps both from working."""
        return self._twin.error and (self._tpu.error or self._twin.error)

    @property
    def proven(self) -> bool:
        return self._active.proven

    @property
    def in_flight(self) -> int:
        return len(self._order)

    @property
    def free(self) -> int:
        return self._active.free

    @property
    def state(self) -> AcceleratorState:
        """The active one's; restarts are those of both."""
        state, restarts = self._active.state, self._tpu.state.restarts + self._twin.state.restarts
        if self._active is self._twin and self._missed:
            why = self._tpu.state.reason or "it is not there"
            return replace(state, restarts=restarts, degraded=f"on the CPU instead of the Edge TPU: {why}")
        return replace(state, restarts=restarts)

    def ready(self) -> bool:
        """Whether pictures may be submitted; moves things on, see `Accelerator.ready`."""
        if self._try_tpu():
            self._active = self._tpu
            self._missed = True
            if self._tpu.proven and not self._twin.in_flight:
                self._twin.rest()
            return True
        if self._waits_for_tpu():
            return False
        if self._twin.ready():
            self._active = self._twin
        return bool(self._active.hellos)

    def submit(self, write: Callable[[NDArray[Any]], None], model: int = 0) -> None:
        """As `Accelerator.submit`."""
        active = self._active
        try:
            active.submit(write, model)
        except AcceleratorLost:
            self._lose_all()
            raise
        self._order.append(active)

    def collect(self) -> list[NDArray[Any]]:
        """As `Accelerator.collect`; the oldest may be on the one that is not active any more."""
        try:
            outputs = self._order[0].collect() if self._order else self._active.collect()
        except AcceleratorLost:
            self._lose_all()
            raise
        self._order.popleft()
        return outputs

    def close(self) -> None:
        self._tpu.close()
        self._twin.close()

    def _try_tpu(self) -> bool:
        if not (self._tpu.hellos or self._demanded or self._in_sight()):
            return False
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        return self._tpu.ready()

    def _waits_for_tpu(self) -> bool:
        """While it opens for the first time, and does not take too long."""
        if self._asked_at is None or self._tpu.state.name != "opening" or self._twin.hellos:
            return False
        return time.monotonic() - self._asked_at < self._head_start_s

    def _lose_all(self) -> None:
        """Whoever submitted takes all that was in flight for lost, so nothing may come of the other one either."""
        self._order.clear()
        for each in (self._tpu, self._twin):
            with suppress(AcceleratorLost):
                while each.in_flight:
                    each.collect()
