"""The kinds of value a configuration may hold, and the sentences for those it may not."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
RESERVED = frozenset({"status", "info", "health", "config", "armed", "mode", "cmd", "reply", "log"})
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_SHOWN = 60
LONGEST_S = 3650 * UNITS_S["d"]


def shown(value: Any) -> str:
    """A value as a message shows it: as TOML writes it, cut short, and without the password that a URL may hold."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = re.sub(r"//.*@", "//…@", str(value), flags=re.DOTALL)
    if len(text) > LONGEST_SHOWN:
        text = f"{text[: LONGEST_SHOWN - 1]}…"
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text


def name(value: str) -> str:
    """A name that can stand in a topic and in a file's path."""
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a name: use 1 to 32 of a-z, 0-9, '-' and '_', beginning with a letter or digit"
        )
    return value


def camera_name(value: str) -> str:
    """A name that is not one of the node's own topics."""
    if value in RESERVED:
        raise ValueError(
            f"a camera may not be called {shown(value)}: smartcam/<node>/{value} is a topic of the node itself"
        )
    return name(value)


def seconds(value: Any) -> float:
    """``"90s"``, ``"1h30m"``, ``"250ms"`` or a number of seconds → seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        duration_s = value
    else:
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value) if isinstance(value, str) else []
        if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", "", value).strip():
            raise ValueError(f'{shown(value)} is not a duration: write "90s", "5m", "1h30m" or "250ms"')
        duration_s = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    if not 0 <= duration_s <= LONGEST_S:
        raise ValueError("a duration is not negative, and at most 3650 days long")
    return float(duration_s)


def size(value: Any) -> tuple[int, int]:
    """``"1280x720"`` → (1280, 720)."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{2,5})x(\d{2,5})", value)):
        return int(found[1]), int(found[2])
    raise ValueError(f'{shown(value)} is not a size: write width and height in pixels, like "1280x720"')


def labels(value: Any) -> tuple[str, ...]:
    """One label or ``@group``, or a list of them, lower-cased."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value or not all(map(_is_text, value)):
        raise ValueError('write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")')
    return tuple(label.strip().lower() for label in value)


def _is_text(label: Any) -> bool:
    return isinstance(label, str) and label.strip() != ""


class Count:
    """How many: ``3`` or ``">= 3"``, also with ``>``, ``<``, ``<=`` and ``==``."""

    PATTERN = re.compile(r"(>=|<=|==|>|<)?\s*(\d+)")

    __slots__ = ("number", "operator")

    def __init__(self, operator: str, number: int) -> None:
        self.operator = operator
        self.number = number

    @classmethod
    def read(cls, value: Any) -> Count:
        if isinstance(value, Count):
            return value
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str) and (found := cls.PATTERN.fullmatch(text.strip())):
            return cls(found[1] or ">=", int(found[2]))
        raise ValueError(f'{shown(value)} is not a count: write a number, or a comparison like ">= 3"')

    def holds(self, number: int) -> bool:
        match self.operator:
            case ">=":
                return number >= self.number
            case "<=":
                return number <= self.number
            case ">":
                return number > self.number
            case "<":
                return number < self.number
        return number == self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Count) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"

    __repr__ = __str__


Name: TypeAlias = Annotated[str, AfterValidator(name)]
CameraName: TypeAlias = Annotated[str, AfterValidator(camera_name)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(seconds)]
Size: TypeAlias = Annotated[tuple[int, int], BeforeValidator(size)]
Labels: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(labels)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
HowMany: TypeAlias = Annotated[Count, BeforeValidator(Count.read)]
