"""TOML text → `Config`, or every problem at once, each with its file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from smartcam.config.lines import KeyPath, line_of, lines_of
from smartcam.config.sections import Config
from smartcam.config.values import closest, shown
from smartcam.errors import BadConfig

__all__ = ["ANY", "BadConfigFile", "Problem", "closest", "load", "parse"]

MAX_BYTES = 64 * 1024
MAX_LINE = 1024
ANY = "@any"
OF_RULES = ("rule", "zone", "group")
"""The sections that a file of rules may bring."""

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
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class BadConfigFile(BadConfig):
    """A configuration that cannot be used, with all its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class _Toml:
    """One file's values, and where each of them stands."""

    file: str
    values: dict[str, Any]
    lines: dict[KeyPath, int]

    def problem(self, path: KeyPath, message: str) -> Problem:
        return Problem(self.file, line_of(self.lines, path), _dotted(path), message)


def load(path: Path, rules: Path | None = None) -> Config:
    """Read the main file; with `rules`, the rules, zones and groups come from that file instead.

    Raises:
        BadConfigFile: one is missing, unreadable, too large, no TOML, or does not make sense.
    """
    main = _toml(_read(path), str(path))
    return _config(main, _toml(_read(rules), str(rules)) if rules else main)


def parse(text: str, file: str = "config") -> Config:
    """The same from a text; `file` is what error messages call it."""
    main = _toml(text, file)
    return _config(main, main)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "write one from config.example.toml" if isinstance(error, FileNotFoundError) else "check its permissions"
        raise BadConfigFile([Problem(str(path), None, "", f"cannot read it ({error.strerror}): {hint}")]) from error
    if len(raw) > MAX_BYTES:
        raise BadConfigFile([Problem(str(path), None, "", f"over {MAX_BYTES // 1024} KiB: this is no configuration")])
    try:
        return raw.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadConfigFile([Problem(str(path), line, "", "not UTF-8 text: save it as UTF-8")]) from error


def _toml(text: str, file: str) -> _Toml:
    if long := next((n for n, line in enumerate(text.split("\n"), 1) if len(line) > MAX_LINE), None):
        raise BadConfigFile([Problem(file, long, "", f"a line of over {MAX_LINE} characters: break it")])
    try:
        return _Toml(file, tomllib.loads(text), lines_of(text))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise BadConfigFile([Problem(file, line, "", f"not valid TOML: {str(error).split(' (at')[0]}")]) from error
    except RecursionError as error:
        raise BadConfigFile([Problem(file, None, "", "nested too deeply: this is no configuration")]) from error


def _config(main: _Toml, rules: _Toml) -> Config:
    values = {key: value for key, value in main.values.items() if key not in OF_RULES}
    values |= {key: value for key, value in rules.values.items() if key in OF_RULES}

    def problem(path: KeyPath, message: str) -> Problem:
        return (rules if path[:1] and path[0] in OF_RULES else main).problem(path, message)

    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise BadConfigFile([problem(*_explain(detail)) for detail in error.errors()]) from None
    if problems := [problem(path, message) for path, message in _contradictions(config)]:
        raise BadConfigFile(problems)
    return config


def _explain(detail: ErrorDetails) -> tuple[KeyPath, str]:
    """One pydantic error → the key's path, and a sentence."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    value = shown(detail["input"])
    match detail["type"]:
        case "extra_forbidden":
            return path, f"there is no such key{closest(str(path[-1]), _keys_at(path[:-1]))}"
        case "missing" | "too_short" if path == ("camera",):
            return path, 'no camera: add [camera.NAME] with source = "…"'
        case "missing":
            return path, "it is missing"
        case "too_short":
            return path, f"it needs at least {detail['ctx']['min_length']}, and has {detail['ctx']['actual_length']}"
        case "value_error":
            return path, str(detail["ctx"]["error"])
        case "wrong":
            return (*path, detail["ctx"]["key"]), detail["ctx"]["sentence"]
        case "literal_error":
            choices = detail["ctx"]["expected"].replace("'", '"')
            meant = closest(value.strip('"'), re.findall(r'"([^"]*)"', choices))
            return path, f"{value} is not one of {choices}{meant}"
        case kind if kind in SHOULD_BE:
            return path, f"it should be {SHOULD_BE[kind]}, but it is {value}"
    return path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}, but it is {value}"


def _dotted(path: KeyPath) -> str:
    """The key as TOML writes it."""
    return ".".join(str(part) if re.fullmatch(r"[\w-]+", str(part), re.ASCII) else shown(part) for part in path)


def _keys_at(path: KeyPath) -> list[str]:
    """The keys that the section at `path` knows."""
    section: Any = Config
    for part in path:
        if isinstance(section, type) and issubclass(section, BaseModel):
            fields = {field.alias or key: field.annotation for key, field in section.model_fields.items()}
            section = fields.get(str(part))
        else:  # a table of sections, each with its own name
            section = get_args(section)[-1]
    return _keys_of(section)


def _keys_of(section: Any) -> list[str]:
    if isinstance(section, type) and issubclass(section, BaseModel):
        return [field.alias or key for key, field in section.model_fields.items()]
    return []


def _contradictions(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """What each section alone cannot know."""

    def unknown(kind: str, word: str, known: Iterable[str]) -> str:
        return f'no {kind} "{word}"{closest(word, known)}'

    for name, zone in config.zone.items():
        if zone.camera not in config.camera:
            yield ("zone", name, "camera"), unknown("camera", zone.camera, config.camera)
    for name, camera in config.camera.items():
        if camera.model and camera.model not in config.model:
            yield ("camera", name, "model"), unknown("model", camera.model, config.model)
    for name, model in config.model.items():
        for n, then in enumerate(model.then):
            if then.model not in config.model:
                yield ("model", name, "then", n, "model"), unknown("model", then.model, config.model)
            elif config.model[then.model].then:
                yield ("model", name, "then", n, "model"), f'"{then.model}" has second looks itself: one level is all'
    for name, rule in config.rule.items():
        if rule.camera and rule.camera not in config.camera:
            yield ("rule", name, "camera"), unknown("camera", rule.camera, config.camera)
        if rule.zone and rule.zone not in config.zone:
            yield ("rule", name, "zone"), unknown("zone", rule.zone, config.zone)
        elif rule.zone and rule.camera and config.zone[rule.zone].camera != rule.camera:
            on = config.zone[rule.zone].camera
            yield ("rule", name, "zone"), f'zone "{rule.zone}" is on camera "{on}", not on "{rule.camera}"'
        for label in rule.see:
            if label.startswith("@") and label != ANY and label[1:] not in config.group:
                groups = [f"@{group}" for group in config.group] + [ANY]
                yield ("rule", name, "see"), unknown("group", label, groups)
    for name, members in config.group.items():
        if any(member.startswith("@") for member in members):
            yield ("group", name), "a group holds labels, not other groups"
