"""The product's accelerator in this process, asked at every turn as the thread that owns it would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from smartcam.detect.accelerator import AcceleratorState


class Tended(Protocol):
    """An accelerator, or what looks through one."""

    @property
    def state(self) -> AcceleratorState: ...

    def ready(self) -> bool: ...


def tended(accelerator: Tended, holds: Callable[[], Any], within_s: float = 10.0) -> None:
    """Ask it at every turn whether it is ready, as a thread that uses it does, until something `holds`."""
    until = time.monotonic() + within_s
    while not holds():
        accelerator.ready()
        assert time.monotonic() < until, accelerator.state
        time.sleep(0.005)


def on_the_cpu_because(failover: Tended, words: str) -> None:
    """It works on the CPU, and says why."""
    tended(failover, lambda: words in failover.state.degraded)
    assert failover.state.degraded.startswith("on the CPU instead of the Edge TPU: ")
    assert (failover.state.name, failover.state.device) == ("ready", "cpu")
