"""What of a configuration is left without what is wrong in it, so that everything else is judged in the same round."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from smartcam.config.lines import KeyPath
from smartcam.config.sections import Camera, Config
from smartcam.config.sources import OF_RULES
from smartcam.config.values import CameraName

SECTIONS_BY_NAME = ("camera", "model", "mode", *OF_RULES)
"""Each name in them is understood or refused by itself."""
STAND_INS: dict[str, dict[str, Any]] = {
    "camera": {"source": "-"},
    "zone": {"points": [[0, 0], [1, 0], [0, 1]]},
    "line": {"points": [[0, 0], [1, 0]]},
    "rule": {"see": "@any"},
}
"""What is taken for a key that a section cannot be without. Nothing is ever said of it."""


class _Rest(Config):
    """It may have no camera."""

    camera: dict[CameraName, Camera] = Field(default_factory=dict)


def leftover(values: dict[str, Any], errors: list[ErrorDetails]) -> Config:
    """The configuration without what these errors are about, nor what cannot be without that."""
    while True:
        for error in errors:
            values = _without(values, _place(error))
        try:
            return _Rest.model_validate(values)
        except ValidationError as error:
            errors = error.errors()


def section_of(path: KeyPath) -> KeyPath:
    """The section that a key stands in."""
    return path[: 2 if path[0] in SECTIONS_BY_NAME else 1]


def _place(error: ErrorDetails) -> KeyPath:
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    return (*path, error["ctx"]["key"]) if error["type"] == "wrong" else path


def _without(values: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """Without this key, or with what stands in for it; without its section where neither can be."""
    kind, *name = map(str, section_of(path))
    key, sections = path[1 + len(name) : 2 + len(name)], values.get(kind)
    if name and isinstance(sections, dict):
        section = _less(sections.get(name[0]), key, STAND_INS.get(kind, {}))
        rest = _put(values, kind, _put(sections, name[0], section))
    else:
        rest = _put(values, kind, _less(sections, key, {}))
    return rest if rest.get("model") != {} else _put(rest, "model", None)


def _less(section: Any, key: KeyPath, stand_ins: dict[str, Any]) -> dict[str, Any] | None:
    """A section without a key; None where that cannot be."""
    if not isinstance(section, dict) or not key:
        return None
    name = str(key[0])
    if name in stand_ins and section.get(name) != stand_ins[name]:
        return section | {name: stand_ins[name]}
    return _put(section, name, None) if name in section else None


def _put(table: dict[str, Any], name: str, value: dict[str, Any] | None) -> dict[str, Any]:
    """The table with another value in the same place, or without the old one."""
    return {each: value if each == name else old for each, old in table.items() if each != name or value is not None}
