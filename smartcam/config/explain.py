"""What pydantic says about a value → the key's path, and a sentence with a remedy for who wrote it."""

from __future__ import annotations

import datetime
import re
from typing import Any

from pydantic_core import ErrorDetails

from smartcam.config.keys import is_table_of_sections, key_meant, keys_at, other_word, sections
from smartcam.config.lines import KeyPath
from smartcam.config.numbers import DEGREES, degrees_in, number_in
from smartcam.config.sections import Config
from smartcam.config.slips import FALSE, TRUE
from smartcam.config.values import closest, nearest, shown

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
PICTURED = dict.fromkeys(("picture", "photo", "image", "pic", "snap"), "snapshot") | {"video": "clip"}
"""Other words for what a rule may send."""
MOST_LISTED = 24


def explain(detail: ErrorDetails) -> tuple[KeyPath, str]:
    """One of pydantic's errors → the key's path, and a sentence. See `is_told` for those that need none."""
    path: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    value, given, context = shown(detail["input"]), detail["input"], detail.get("ctx", {})
    if "points" in path[:-1] and path[0] in ("zone", "line"):
        return _no_point(path, given)
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
            return path, _not_among(context["expected"].replace("'", '"'), given)
        case "dict_type" | "model_type" if sentence := _no_section(path, given):
            return path[:1] if "has a name" in sentence else path, sentence
        case "tuple_type" if path[-1] == "then":
            return path, f"each second look is one of a list: write [[{'.'.join(map(str, path))}]], in double brackets"
        case kind if kind in SHOULD_BE:
            return path, f"it should be {SHOULD_BE[kind]}, but it is {value}{_as_such(path, kind, given)}"
    return path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}, but it is {value}"


def without_follow_ups(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Those that are mistakes of their own: what is wrong in itself, or misspelt, is not missing too."""
    misspelt = {
        (*each["loc"][:-1], key_meant(str(each["loc"][-1]), each["input"], keys_at(each["loc"][:-1])))
        for each in errors
        if each["type"] == "extra_forbidden"
    }
    return [
        each
        for each in errors
        if (each["type"] != "missing" or each["loc"] not in misspelt)
        and (each["type"] != "too_short" or len(each["input"]) < each["ctx"]["min_length"])
    ]


def section_meant(key: str) -> str:
    """The section that a misspelt one may be; empty where nothing is close."""
    return nearest(key, Config.model_fields)


def _unknown(path: KeyPath, given: Any) -> str:
    """About a key that there is none of."""
    key, known = str(path[-1]), keys_at(path[:-1])
    homes = ", ".join(title for title, keys in sections() if key in keys)
    if len(path) == 1 and isinstance(given, dict | list):
        return f"there is no section {shown(key)}{closest(key, known) or f'; there are {_listed(known)}'}"
    if len(path) == 1:
        return f"it stands above all sections: move it below {homes or closest(key, known) or 'one of them'}"
    if ours := other_word(key, given, known):
        return f"there is no such key (did you mean {_written(ours, key)}?)"
    if homes:
        return f"there is no such key here: it belongs to {homes}"
    return f"there is no such key{closest(key, known) or f'; there are {_listed(known)}'}"


def _written(ours: str, key: str) -> str:
    """Our key for what somebody wrote, with its value where that is another one too."""
    if ours == "do" and key in PICTURED:
        return 'do = ["snapshot"]'
    return f'"{ours}"'


def _no_section(path: KeyPath, given: Any) -> str:
    """About something else where a section should be; empty where that is no section of ours."""
    name, named = str(path[0]), is_table_of_sections(str(path[0]))
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
    if kind in ("float_type", "int_type") and isinstance(given, str):
        return _as_a_number(path, given)
    if kind == "tuple_type" and isinstance(given, str | int | float):
        return f": write [{shown(given)}]"
    if kind == "string_type" and isinstance(given, datetime.date | datetime.time):
        return f': write "{given}"'
    if kind.startswith("bool_") and isinstance(given, str) and given.strip().lower() in (*TRUE, *FALSE):
        return f": write {str(given.strip().lower() in TRUE).lower()}, without quotes"
    return ": write { boxes = true }" if kind == "model_type" and isinstance(given, bool) else ""


def _as_a_number(path: KeyPath, given: str) -> str:
    if number := number_in(given) or (degrees_in(given) if path[-1] in DEGREES else ""):
        return f": write {number}, without quotes"
    if path[-1] in DEGREES:
        return ": write decimal degrees without quotes, like 46.55"
    return ": a number stands without quotes"


def _not_among(choices: str, given: Any) -> str:
    word = PICTURED.get(given, given) if isinstance(given, str) and '"snapshot"' in choices else given
    near = closest(str(word), re.findall(r'"([^"]*)"', choices))
    if isinstance(given, str) and given in re.findall(r"\d+", choices):
        return f"{shown(given)} is not one of {choices}: a number stands without quotes"
    return f"{shown(given)} is not one of {choices}{near}"


def _no_point(path: KeyPath, given: Any) -> tuple[KeyPath, str]:
    """About one point of a zone or a line; what is wrong may be a number in it."""
    end = path.index("points") + 1
    point = f"point {int(path[end]) + 1} is no point"
    if isinstance(given, list) and len(given) == 4 and all(type(each) is int for each in given):
        x, y = (f"{given[at]}.{given[at + 1]}" for at in (0, 2))
        return path[:end], f"{point}: a number has a point, not a comma: write [{x}, {y}]"
    return path[:end], f"{point}: write two numbers, like [0.25, 0.8]"


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
