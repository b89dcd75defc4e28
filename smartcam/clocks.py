"""The machine's clocks: how long it has been on since which boot, and whether its wall clock is known to be right."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right; setting it by hand makes it so again."""
TIMEX_BYTES = 512
"""More than any struct timex has."""


class Reading(NamedTuple):
    """All of them, at one moment."""

    boot: str
    """Names the time since power came on: another one after each."""
    boot_s: float
    """Seconds since then, those of sleep too."""
    wall: float | None
    """Unix seconds; None while that clock is not known to be right."""


def reader(clock_ok: Callable[[], bool] = lambda: True) -> Callable[[], Reading]:
    """Reads them. The wall clock is right where `clock_ok` and the kernel say so."""
    boot = boot_id()
    return lambda: Reading(boot, boot_s(), time.time() if clock_ok() and is_kept_right() else None)


def boot_id() -> str:
    """Another one after each boot."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return f"{time.time() - boot_s():.0f}"  # As good a name for it, while nobody sets the clock.


def boot_s() -> float:
    """Seconds since the boot, with those in sleep."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def is_kept_right() -> bool:
    """Whether a time server keeps the wall clock right, as the kernel knows it."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    # All zero: it asks, and changes nothing.
    return adjtimex is not None and 0 <= adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) < TIME_ERROR
