"""Amounts of bytes, of bytes a second, and how often something is done, as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from smartcam.config.values import UNITS_S, shown

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
MOST = 2**50
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?)b(?:ytes?)?")
_OFTEN = re.compile(r"(\d+)\s*(?:per|/|an?)\s*(\d*)\s*(second|minute|min|hour|day|s|m|h|d)s?")


def amount(value: Any) -> int:
    """``"20MB"`` (of 1,000,000), ``"512KiB"`` (of 1,024), or a number of bytes → bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        parts = _AMOUNT.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if not parts:
            raise ValueError(f'{shown(value)} is not an amount of bytes: write "20MB", "512KiB" or "1.5GB"')
        found = round(float(parts[1]) * UNITS[parts[2]])
    if not 0 <= found <= MOST:
        raise ValueError(f"{shown(value)} is no amount that fits any disk")
    return found


def rate(value: Any) -> int:
    """``"2KB/s"`` → 2000. A rate in bits is refused, as they are easily confused."""
    text = value.strip() if isinstance(value, str) else ""
    per_second, slash, unit = text.rpartition("/")
    if not slash or unit.strip() != "s" or not _AMOUNT.fullmatch(per_second.strip().lower()):
        bits = re.fullmatch(r"(?i)\d.*(bit(/s|ps)?|bps)", text)
        eight = ": 8 bits are a byte" if bits else ""
        raise ValueError(f'{shown(value)} is not a rate: write bytes a second, like "2KB/s"{eight}')
    return amount(per_second)


def how_often(value: Any) -> float:
    """``"1 per hour"``, ``"10 per day"`` → the seconds between two."""
    found = _OFTEN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not found or not int(found[1]) or found[2] == "0":
        raise ValueError(f'{shown(value)} does not say how often: write "1 per hour" or "10 per day"')
    between_s = int(found[2] or 1) * UNITS_S[found[3][0]] / int(found[1])
    if between_s < 1:
        raise ValueError(f"{shown(value)} is more than one a second: write less")
    return between_s


def at_least(least: str, unit: str = "B") -> Callable[[int], int]:
    """Amounts or rates that are not useless."""
    least_bytes = rate(least) if unit == "B/s" else amount(least)

    def check(given: int) -> int:
        if given < least_bytes:
            raise ValueError(f"it should be at least {least}, but it is {given} {unit}")
        return given

    return check


Amount: TypeAlias = Annotated[int, BeforeValidator(amount)]
Rate: TypeAlias = Annotated[int, BeforeValidator(rate)]
HowOften: TypeAlias = Annotated[float, BeforeValidator(how_often)]
