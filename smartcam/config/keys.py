"""Which keys each section knows, and which one a person means by a word of another program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from smartcam.config.lines import KeyPath
from smartcam.config.sections import Config
from smartcam.config.values import nearest

MEANT: dict[str, tuple[str, ...]] = {
    "label": ("see",),
    "labels": ("see",),
    "object": ("see",),
    "objects": ("see",),
    "class": ("see",),
    "what": ("see",),
    "duration": ("for",),
    "dwell": ("for",),
    "in": ("zone",),
    "inside": ("zone",),
    "where": ("zone",),
    "area": ("zone",),
    "region": ("zone",),
    "line": ("crosses",),
    "cross": ("crosses",),
    "direction": ("toward",),
    "time": ("when",),
    "times": ("when",),
    "hours": ("when",),
    "schedule": ("when",),
    "days": ("when",),
    "mode": ("only",),
    "modes": ("only",),
    "if": ("only",),
    "except": ("unless",),
    "not": ("unless",),
    "wait": ("cooldown",),
    "rest": ("cooldown",),
    "pause": ("cooldown",),
    "min_score": ("score",),
    "threshold": ("score",),
    "confidence": ("score",),
    "size": ("height",),
    "number": ("count",),
    "and": ("with",),
    "together": ("with",),
    "priority": ("level",),
    "severity": ("level",),
    "action": ("do",),
    "actions": ("do",),
    "picture": ("do",),
    "photo": ("do",),
    "image": ("do",),
    "clip": ("do",),
    "video": ("do", "source"),
    "text": ("message",),
    "say": ("message",),
    "disabled": ("enabled",),
    "active": ("enabled",),
    "url": ("source",),
    "stream": ("source",),
    "file": ("source",),
    "device": ("source",),
    "polygon": ("points",),
    "coordinates": ("points",),
    "lat": ("latitude",),
    "lon": ("longitude",),
    "long": ("longitude",),
    "user": ("username",),
    "password": ("password_file",),
    "host": ("url",),
    "broker": ("url",),
}
"""Words that people and other programs have for a key of ours; the first one that the section has is meant."""


def key_meant(key: str, given: Any, known: list[str]) -> str:
    """The key among `known` that a word stands for, or is a misspelling of; empty where nothing is close."""
    return other_word(key, given, known) or nearest(key, known)


def other_word(key: str, given: Any, known: list[str]) -> str:
    """The key among `known` that a word stands for, with this value; empty where it is no such word."""
    if key in ("time", "times") and isinstance(given, str) and re.fullmatch(r"\s*\d{1,2}[:.]\d{2}\s*", given):
        return "at" if "at" in known else ""
    return next((each for each in MEANT.get(key, ()) if each in known), "")


def is_a_key(word: str) -> bool:
    """Whether any section has such a key."""
    return any(word in keys for _, keys in sections())


def sections() -> Iterator[tuple[str, list[str]]]:
    """Every section as its header is written, and its keys."""
    for name, field in Config.model_fields.items():
        title = f"[{name}.NAME]" if is_table_of_sections(name) else f"[{name}]"
        yield title, _keys_of(_section_in(field.annotation))


def is_table_of_sections(name: str) -> bool:
    """Whether such sections have names."""
    field = Config.model_fields.get(name)
    return field is not None and bool(_keys_of((get_args(field.annotation) or [None])[-1]))


def keys_at(path: KeyPath) -> list[str]:
    """The keys that the section at `path` knows."""
    section: Any = Config
    for part in path:
        if isinstance(section, type) and issubclass(section, BaseModel):
            fields = {field.alias or key: field.annotation for key, field in section.model_fields.items()}
            section = fields.get(str(part))
        else:  # a table or a list of sections
            section = next((arg for arg in reversed(get_args(section)) if arg is not ...), None)
    return _keys_of(section)


def _section_in(annotation: Any) -> Any:
    return get_args(annotation)[-1] if get_args(annotation) else annotation


def _keys_of(section: Any) -> list[str]:
    if isinstance(section, type) and issubclass(section, BaseModel):
        return [field.alias or key for key, field in section.model_fields.items()]
    return []
