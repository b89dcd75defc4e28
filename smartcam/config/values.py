"""The kinds of value a configuration may hold, and the sentences for those it may not."""

from __future__ import annotations

import difflib
import json
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

from smartcam.config.secrets import masked

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
RESERVED = frozenset({"status", "info", "health", "config", "armed", "mode", "cmd", "reply", "log", "digest"})
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])")
"""A number and its unit, which may be written out."""
SPOKEN = {
    "half a minute": "30s",
    "a minute": "1m",
    "one minute": "1m",
    "half an hour": "30m",
    "an hour": "1h",
    "one hour": "1h",
    "a day": "1d",
    "one day": "1d",
}
LONGEST_SHOWN = 60
LONGEST_S = 3650 * UNITS_S["d"]
MAX_PIXELS = 64 * 1024 * 1024
"""A picture of more is refused before it is decoded: one takes at least 96 MiB of memory."""


def closest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "yard"?)``, or nothing where nothing is close."""
    near = nearest(word, known)
    return f' (did you mean "{near}"?)' if near else ""


def nearest(word: str, known: Iterable[str], least: float = 0.6) -> str:
    """The one that may be meant; empty where nothing is at least so alike, from 0 to 1."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, least)), "")


def wrong(key: str, sentence: str) -> PydanticCustomError:
    """What a section's validator raises about one of its keys, so that the message names that key's line."""
    return PydanticCustomError("wrong", "{sentence}", {"key": key, "sentence": sentence})


def shown(value: Any) -> str:
    """A value as a message shows it: as TOML writes it, cut short, and without the passwords that it may hold."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = readable(str(value))
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text


def readable(text: str, longest: int = LONGEST_SHOWN) -> str:
    """A text cut short, and without the passwords that it may hold."""
    text = masked(re.sub(r"//.*@", "//…@", text, flags=re.DOTALL))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


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
            f"a camera may not be called {shown(value)}: smartcam/<node>/{value} is a topic of the node itself; "
            "give it another name"
        )
    return name(value)


def seconds(value: Any) -> float:
    """``"90s"``, ``"1h30m"``, ``"250ms"``, ``"2 minutes"`` or a number of seconds → seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        duration_s = value
    else:
        text = value.lower() if isinstance(value, str) else ""
        parts = _PART.findall(text)
        if not parts or _PART.sub("", text).strip():
            spoken = SPOKEN.get(text.strip())
            remedy = f'write "{spoken}"' if spoken else 'write "90s", "5m", "1h30m" or "250ms"'
            raise ValueError(f"{shown(value)} is not a duration: {remedy}")
        duration_s = sum(float(number) * UNITS_S[unit if unit == "ms" else unit[0]] for number, unit in parts)
    if not 0 <= duration_s <= LONGEST_S:
        raise ValueError("a duration is not negative, and at most 3650 days long")
    return float(duration_s)


def within(shortest: str, longest: str) -> AfterValidator:
    """Durations between two, which are written as in a configuration."""

    def check(duration_s: float) -> float:
        if not seconds(shortest) <= duration_s <= seconds(longest):
            raise ValueError(f"it should be from {shortest} to {longest}, but it is {duration_s:g} s")
        return duration_s

    return AfterValidator(check)


def size(value: Any) -> tuple[int, int]:
    """``"1280x720"`` → (1280, 720)."""
    if not isinstance(value, str) or not (found := re.fullmatch(r"(\d{2,5})x(\d{2,5})", value)):
        raise ValueError(f'{shown(value)} is not a size: write width and height in pixels, like "1280x720"')
    width, height = int(found[1]), int(found[2])
    if width * height > MAX_PIXELS:
        raise ValueError(f"{shown(value)} is larger than {MAX_PIXELS >> 20} megapixels; choose a smaller one")
    return width, height


def pixels(value: Any) -> int:
    """``"640"`` or 640 → 640: the longer side of a smaller picture."""
    text = str(value) if not isinstance(value, bool) else ""
    if not re.fullmatch(r"\d{2,4}", text) or not 64 <= int(text) <= 4096:
        raise ValueError(f'{shown(value)} is not a size: write the longer side in pixels, from 64 to 4096, like "640"')
    return int(text)


def timezone(value: str) -> str:
    """A name of the time zone database, which is among our dependencies: not every small system has one."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        meant = closest(value, zoneinfo.available_timezones())
        raise ValueError(f"no time zone {shown(value)}{meant}; `timedatectl list-timezones` lists them all") from None
    return value


def labels(value: Any) -> tuple[str, ...]:
    """One label or ``@group``, or a list of them, lower-cased."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value or not all(map(is_text, value)):
        raise ValueError('write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")')
    return tuple(label.strip().lower() for label in value)


def is_text(label: Any) -> bool:
    return isinstance(label, str) and label.strip() != ""


Name: TypeAlias = Annotated[str, AfterValidator(name)]
CameraName: TypeAlias = Annotated[str, AfterValidator(camera_name)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(seconds)]
Pause: TypeAlias = Annotated[Seconds, within("50ms", "1d")]
"""Between two attempts: never none, or failing would be all that a core does."""
Timezone: TypeAlias = Annotated[str, AfterValidator(timezone)]
Size: TypeAlias = Annotated[tuple[int, int], BeforeValidator(size)]
Labels: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(labels)]
Flag: TypeAlias = Annotated[bool, Strict()]
"""true or false: pydantic itself takes "yes" and 1 too."""
Number: TypeAlias = Annotated[float, Strict()]
"""Neither true nor a text."""
Whole: TypeAlias = Annotated[int, Strict()]
Share: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
