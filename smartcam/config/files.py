"""TOML text → `Config`, or every problem at once, each with its file, line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from smartcam.config.lines import KeyPath, line_of, lines_of
from smartcam.config.sections import Config
from smartcam.errors import BadConfig

MAX_BYTES = 64 * 1024
MAX_LINE = 1024
ANY = "@any"


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


def load(path: Path) -> Config:
    """Read the main file.

    Raises:
        BadConfigFile: it is missing, unreadable, too large, no TOML, or does not make sense.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        hint = "write one from config.example.toml" if isinstance(error, FileNotFoundError) else "check its permissions"
        raise BadConfigFile([Problem(str(path), None, "", f"cannot read it ({error.strerror}): {hint}")]) from error
    if len(raw) > MAX_BYTES:
        raise BadConfigFile([Problem(str(path), None, "", f"over {MAX_BYTES // 1024} KiB: this is no configuration")])
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadConfigFile([Problem(str(path), line, "", "not UTF-8 text: save it as UTF-8")]) from error
    return parse(text, str(path))


def parse(text: str, file: str = "config") -> Config:
    """The same from a text; `file` is what error messages call it."""
    if long := next((n for n, line in enumerate(text.splitlines(), 1) if len(line) > MAX_LINE), None):
        raise BadConfigFile([Problem(file, long, "", f"a line of over {MAX_LINE} characters: break it")])
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise BadConfigFile([Problem(file, line, "", f"not valid TOML: {str(error).split(' (at')[0]}")]) from error
    except RecursionError as error:
        raise BadConfigFile([Problem(file, None, "", "nested too deeply: this is no configuration")]) from error
    lines = lines_of(text)

    def problem(path: KeyPath, message: str) -> Problem:
        return Problem(file, line_of(lines, path), ".".join(map(str, path)), message)

    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise BadConfigFile([problem(*_explain(detail)) for detail in error.errors()]) from None
    if problems := [problem(path, message) for path, message in _contradictions(config)]:
        raise BadConfigFile(problems)
    return config


def closest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "yard"?)``, or nothing where nothing is close."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _explain(detail: ErrorDetails) -> tuple[KeyPath, str]:
    """One pydantic error → the key's path, and a sentence."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return path, f"there is no such key{closest(str(path[-1]), _keys_at(path[:-1]))}"
        case "missing":
            if path == ("camera",):
                return path, 'no camera: add [camera.NAME] with source = "…"'
            return path, "it is missing"
        case "value_error":
            return path, str(detail["ctx"]["error"])
        case "literal_error":
            choices = detail["ctx"]["expected"].replace("'", '"')
            known = re.findall(r'"([^"]*)"', choices)
            return path, f'"{value}" is not one of {choices}{closest(str(value), known)}'
    return path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}, but it is {value!r:.80}"


def _keys_at(path: KeyPath) -> list[str]:
    """The keys that the section at `path` knows."""
    section: Any = Config
    for depth, part in enumerate(path):
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            break
        fields = section.model_fields
        field = fields.get(str(part)) or fields.get(f"{part}_")
        annotation: Any = field.annotation if field else None
        arguments = getattr(annotation, "__args__", None)
        if depth + 1 < len(path) and arguments:
            section = arguments[-1]
            return _keys_of(section)
        section = annotation
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
