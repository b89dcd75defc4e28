"""What pydantic says about a value → the key's path, and a sentence with a remedy for who wrote it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from smartcam.config.lines import KeyPath
from smartcam.config.sections import Config
from smartcam.config.values import closest, shown

# What pydantic calls a wrong type → what TOML calls the right one.
SHOULD_BE = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
EXAMPLES = {
    "source": 'source = "rtsp://HOST/PATH"',
    "camera": 'camera = "NAME"',
    "model": 'model = "NAME"',
    "points": "points = [[0.1, 0.4], [0.9, 0.4], [0.5, 0.9]]",
    "see": 'see = "person"',
}
PATTERNS = {
    "accelerator": 'write "auto", "cpu", "edgetpu", "edgetpu:usb" or "edgetpu:" and its port',
    "sha256": "write the 64 hexadecimal digits that `sha256sum FILE` prints",
    "compiled_sha256": "write the 64 hexadecimal digits that `sha256sum FILE` prints",
}
MEANT = {
    "label": "see",
    "labels": "see",
    "object": "see",
    "duration": "for",
    "time": "when",
    "schedule": "when",
    "area": "zone",
    "line": "crosses",
    "direction": "toward",
    "min_score": "score",
    "threshold": "score",
    "confidence": "score",
    "priority": "level",
    "action": "do",
    "actions": "do",
    "text": "message",
    "disabled": "enabled",
    "url": "source",
    "polygon": "points",
    "lat": "latitude",
    "lon": "longitude",
    "user": "username",
    "password": "password_file",
}
"""Words that other programs have for a key of ours."""
MOST_LISTED = 24


def explain(detail: ErrorDetails) -> tuple[KeyPath, str]:
    """One of pydantic's errors → the key's path, and a sentence. See `is_told` for those that need none."""
    path: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    value, given, context = shown(detail["input"]), detail["input"], detail.get("ctx", {})
    if "points" in path[:-1] and path[0] in ("zone", "line"):
        number = int(path[path.index("points") + 1]) + 1
        return path[: path.index("points") + 1], f"point {number} is no point: write two numbers, like [0.25, 0.8]"
    match detail["type"]:
        case "extra_forbidden":
            return path, _unknown(path, given)
        case "missing" | "too_short" | "dict_type" if path == ("camera",) and not given:
            return path, 'no camera: add [camera.NAME] with source = "…"'
        case "missing":
            return path, f"it is missing: add {EXAMPLES.get(str(path[-1]), f'{path[-1]} = …')}"
        case "too_short":
            return path, _too_few(path, context["min_length"], len(given))
        case "too_long":
            return path, f"it has more than {context['max_length']} {_things(path)}: take some out"
        case "string_too_short":
            return path, f"it is empty: write {EXAMPLES.get(str(path[-1]), 'some text')}, or take the line out"
        case "string_too_long":
            return path, f"it is longer than {context['max_length']} characters: shorten it"
        case "string_pattern_mismatch":
            return path, f"{value} is not understood: {PATTERNS.get(str(path[-1]), 'see config.example.toml')}"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            return path, _out_of_range(detail["type"], context, given)
        case "value_error":
            return path, str(context["error"])
        case "wrong":
            return (*path, context["key"]), context["sentence"]
        case "literal_error":
            choices = context["expected"].replace("'", '"')
            meant = closest(value.strip('"'), re.findall(r'"([^"]*)"', choices))
            return path, f"{value} is not one of {choices}{meant}"
        case "dict_type" | "model_type" if sentence := _no_section(path, given):
            return path[:1] if "has a name" in sentence else path, sentence
        case "tuple_type" if path[-1] == "then":
            return path, f"each second look is one of a list: write [[{'.'.join(map(str, path))}]], in double brackets"
        case kind if kind in SHOULD_BE:
            return path, f"it should be {SHOULD_BE[kind]}, but it is {value}{_as_such(path, kind, given)}"
    return path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}, but it is {value}"


def is_told(detail: ErrorDetails) -> bool:
    """Whether an error is one of its own: pydantic counts what is wrong in itself as missing."""
    return detail["type"] != "too_short" or len(detail["input"]) < detail["ctx"]["min_length"]


def section_meant(key: str) -> str:
    """The section that a misspelt one may be; empty where nothing is close."""
    found = re.search(r'"(.*)"', closest(key, Config.model_fields))
    return found[1] if found else ""


def _unknown(path: KeyPath, given: Any) -> str:
    """About a key that there is none of."""
    key, known = str(path[-1]), _keys_at(path[:-1])
    homes = ", ".join(title for title, keys in _sections() if key in keys)
    if len(path) == 1 and isinstance(given, dict | list):
        return f"there is no section {shown(key)}{closest(key, known) or f'; there are {_listed(known)}'}"
    if len(path) == 1:
        return f"it stands above all sections: move it below {homes or closest(key, known) or 'one of them'}"
    if MEANT.get(key) in known:
        return f'there is no such key (did you mean "{MEANT[key]}"?)'
    if homes:
        return f"there is no such key here: it belongs to {homes}"
    return f"there is no such key{closest(key, known) or f'; there are {_listed(known)}'}"


def _no_section(path: KeyPath, given: Any) -> str:
    """About something else where a section should be; empty where that is no section of ours."""
    name, named = str(path[0]), _is_table_of_sections(str(path[0]))
    if isinstance(given, list) and all(isinstance(each, dict) for each in given) and len(path) <= 2:
        title = f"{name}.NAME" if named and len(path) == 1 else ".".join(map(str, path))
        return f"a section stands in single brackets: write [{title}]"
    if named and len(path) == 2:
        return f"each {name} has a name: write [{name}.NAME] instead of [{name}]"
    return (
        "it is a section: write [{}], and its keys below".format(f"{name}.NAME" if named else name)
        if len(path) == 1
        else ""
    )


def _as_such(path: KeyPath, kind: str, given: Any) -> str:
    """How a value is written that is meant for another type."""
    if path[-1] == "points":
        return f": write {EXAMPLES['points']}"
    if kind == "tuple_type" and isinstance(given, str | int | float):
        return f": write [{shown(given)}]"
    if kind == "string_type" and isinstance(given, datetime.date | datetime.time):
        return f': write "{given}"'
    return ": write { boxes = true }" if kind == "model_type" and isinstance(given, bool) else ""


def _out_of_range(kind: str, context: dict[str, Any], given: Any) -> str:
    (limit,) = context.values()
    words = {"greater_than_equal": "at least", "greater_than": "more than", "less_than": "less than"}
    hint = ""
    if kind == "less_than_equal" and limit == 1 and isinstance(given, int | float) and 5 <= given <= 100:
        hint = f" (for {given:g} % write {given / 100:g})"
    return f"it should be {words.get(kind, 'at most')} {limit:g}, but it is {shown(given)}{hint}"


def _too_few(path: KeyPath, least: int, has: int) -> str:
    if path == ("model",):
        return "no model: take [model] out, or add [model.NAME] with use = … or file = …"
    return f"it needs at least {least} {_things(path)}, and has {has}: add what is missing, or take the section out"


def _things(path: KeyPath) -> str:
    return "points" if path[-1] == "points" else "entries"


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) <= MOST_LISTED else f"{', '.join(keys[:MOST_LISTED])} …"


def _sections() -> Iterator[tuple[str, list[str]]]:
    """Every section as its header is written, and its keys."""
    for name, field in Config.model_fields.items():
        title = f"[{name}.NAME]" if _is_table_of_sections(name) else f"[{name}]"
        yield title, _keys_of(_section_in(field.annotation))


def _is_table_of_sections(name: str) -> bool:
    field = Config.model_fields.get(name)
    return field is not None and bool(_keys_of((get_args(field.annotation) or [None])[-1]))


def _section_in(annotation: Any) -> Any:
    return get_args(annotation)[-1] if get_args(annotation) else annotation


def _keys_at(path: KeyPath) -> list[str]:
    """The keys that the section at `path` knows."""
    section: Any = Config
    for part in path:
        if isinstance(section, type) and issubclass(section, BaseModel):
            fields = {field.alias or key: field.annotation for key, field in section.model_fields.items()}
            section = fields.get(str(part))
        else:  # a table or a list of sections
            section = next((arg for arg in reversed(get_args(section)) if arg is not ...), None)
    return _keys_of(section)


def _keys_of(section: Any) -> list[str]:
    if isinstance(section, type) and issubclass(section, BaseModel):
        return [field.alias or key for key, field in section.model_fields.items()]
    return []
