"""The machine's clocks: how long it has been on, and whether its wall clock is known to be right."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from smartcam.mqtt.budget import Reading

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right; setting it by hand makes it so again."""
TIMEX_BYTES = 512
"""More than any struct timex has."""


def clocks(clock_ok: Callable[[], bool] = lambda: True) -> Callable[[], Reading]:
    """Reads them. The wall clock is right where `clock_ok` and the kernel, which network time has told so, say so."""
    try:
        boot = BOOT_ID.read_text().strip()
    except OSError:
        boot = f"{time.time() - _boot_s():.0f}"  # As good a name for it, while nobody sets the clock.

    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    question = ctypes.create_string_buffer(TIMEX_BYTES)  # All zero: it changes nothing.

    def is_kept_right() -> bool:
        return adjtimex is not None and 0 <= adjtimex(question) < TIME_ERROR

    def read() -> Reading:
        return Reading(boot, _boot_s(), time.time() if clock_ok() and is_kept_right() else None)

    return read


def _boot_s() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
