"""The texts of a configuration → `Config`, or every problem at once, each with its file, line and key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from smartcam.config.contradictions import ANY, Contradictions
from smartcam.config.explain import explain, section_meant, without_follow_ups
from smartcam.config.leftover import SECTIONS_BY_NAME, leftover, section_of
from smartcam.config.lines import KeyPath
from smartcam.config.mistakes import mistakes
from smartcam.config.problems import BadConfigFile, Problem, dotted
from smartcam.config.sections import Config
from smartcam.config.sources import MAX_BYTES, OF_RULES, Sources, read
from smartcam.config.values import closest

__all__ = ["ANY", "MAX_BYTES", "BadConfigFile", "Problem", "closest", "load", "parse", "understand"]

MAX_LINE = 1024


def load(path: Path, rules: Path | None = None) -> Config:
    """Read a configuration; with `rules`, the rules, zones, lines and groups come from that file instead.

    Raises:
        BadConfigFile: a file is missing, unreadable, too large, no TOML, or does not make sense.
    """
    return understand(read(path, rules))


def parse(text: str, file: str = "config") -> Config:
    """The same from a text; `file` is what error messages call it."""
    return understand(Sources(file, {file: text}))


def understand(sources: Sources) -> Config:
    """What the texts say.

    Raises:
        BadConfigFile: with all that is wrong. While one of them is no TOML, with that alone.
    """
    trees = _trees(sources)
    values, problems = _merged(sources, trees)
    config, told, broken = _validated(values)
    names, unsure = _names(values), _unsure(trees, values, broken)
    told += Contradictions(config, names, unsure, rules_file=bool(sources.rules))
    problems += [sources.problem(path, sentence) for path, sentence in dict.fromkeys(told)]
    if problems:
        sure = not unsure & {"camera", "model"} and len(config.camera) == len(names["camera"])
        models_known = sure and not any(path[0] == "model" or path[::2] == ("camera", "model") for path, _ in told)
        raise BadConfigFile(in_order(problems, sources), config if models_known else None)
    return config


def in_order(problems: Iterable[Problem], sources: Sources) -> list[Problem]:
    """As they stand in the files."""
    files = list(sources.texts)
    return sorted(problems, key=lambda each: (files.index(each.file), each.line or 0))


def _validated(values: dict[str, Any]) -> tuple[Config, list[tuple[KeyPath, str]], set[KeyPath]]:
    """What makes sense, each complaint about the rest, and the sections in which something is wrong."""
    try:
        return Config.model_validate(values), [], set()
    except ValidationError as error:
        errors = error.errors()
    told = [explain(each) for each in without_follow_ups(errors)]
    if "camera" in map(section_meant, values.keys() - Config.model_fields.keys()):
        told = [(path, sentence) for path, sentence in told if path != ("camera",)]
    return leftover(values, errors), told, {section_of(each["loc"]) for each in errors}


def _names(values: dict[str, Any]) -> dict[str, list[str]]:
    """All that was written, by kind, whether it makes sense or not."""
    names = {kind: list(values[kind]) if isinstance(values.get(kind), dict) else [] for kind in SECTIONS_BY_NAME}
    return names | {"model": names["model"] or ["default"]}


def _unsure(trees: dict[str, dict[str, Any]], values: dict[str, Any], broken: set[KeyPath]) -> set[str]:
    """The kinds of section of which some may have been meant that have no name, or the wrong one."""
    misspelt = {section_meant(key) for tree in trees.values() for key in tree.keys() - Config.model_fields.keys()}
    wholly_broken = {str(path[0]) for path in broken if len(path) == 1}
    nameless = {
        kind
        for kind in SECTIONS_BY_NAME
        if kind != "group"  # Its names stand before labels, not before sections.
        and isinstance(values.get(kind), dict)
        and any(not isinstance(each, dict) for each in values[kind].values())
    }
    return misspelt | wholly_broken | nameless


def _trees(sources: Sources) -> dict[str, dict[str, Any]]:
    """The values of each file. Raises BadConfigFile with every place, in any of them, that is no TOML."""
    trees: dict[str, dict[str, Any]] = {}
    problems = []
    for name, text in sources.texts.items():
        long = next((n for n, line in enumerate(text.split("\n"), 1) if len(line) > MAX_LINE), None)
        if long:
            problems.append(Problem(name, long, "", f"a line of over {MAX_LINE} characters: break it"))
            continue
        try:
            trees[name] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError):
            problems += [Problem(name, each.line or None, dotted(each.key), each.message) for each in mistakes(text)]
    if problems:
        raise BadConfigFile(problems)
    return trees


def _merged(sources: Sources, trees: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[Problem]]:
    """All files as one, and what may not stand where it stands, or stands in two of them."""
    main = trees[sources.main]
    if sources.rules:
        rules = trees[sources.rules]
        others = {key: value for key, value in main.items() if key not in OF_RULES}
        return others | {key: value for key, value in rules.items() if key in OF_RULES}, []
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in main.items()}
    problems = []
    for file, tree in trees.items():
        if file != sources.main:
            problems += list(_added(sources, merged, file, tree))
    return merged, problems


def _added(sources: Sources, merged: dict[str, Any], file: str, tree: dict[str, Any]) -> Iterator[Problem]:
    """Put a drop-in's sections to the others, and tell what cannot be."""
    for section, named in tree.items():
        if section not in OF_RULES:
            brings = f"a drop-in brings {', '.join(OF_RULES[:-1])} and {OF_RULES[-1]} only"
            remedy = f"move it to {sources.main}" if section in Config.model_fields else "take it out"
            meant = closest(section, OF_RULES)
            yield sources.problem_in(file, (section,), f"{brings}{meant or f': {remedy}'}")
        elif not isinstance(named, dict) or not isinstance(there := merged.setdefault(section, {}), dict):
            yield sources.problem_in(file, (section,), f"sections of it have names: write [{section}.NAME]")
        else:
            for name in named.keys() & there.keys():
                first, line = sources.place((section, name))
                message = f"defined already in {first}:{line}: rename or delete one of them"
                yield sources.problem_in(file, (section, name), message)
            merged[section] = there | {name: value for name, value in named.items() if name not in there}
