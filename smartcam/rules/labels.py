"""The labels that rules name: groups become their members, and unknown ones are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from smartcam.config import Config
from smartcam.config.contradictions import ANY
from smartcam.config.lines import KeyPath


class UnknownLabel(NamedTuple):
    """A label that a rule waits for in vain."""

    key: KeyPath
    """Where it stands: ("rule", NAME, "see"), ("rule", NAME, "with") or ("group", NAME), say."""
    label: str
    known: frozenset[str]
    """What could stand there instead."""


def expand(see: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> frozenset[str] | None:
    """The labels meant by `see`; None is every label (``@any``)."""
    names = tuple(see)
    if ANY in names:
        return None
    return frozenset(label for name in names for label in (groups[name[1:]] if name.startswith("@") else (name,)))


def unknown_labels(config: Config, known_to: Mapping[str, frozenset[str] | None]) -> list[UnknownLabel]:
    """The labels that rules wait for in vain; `known_to` tells what the models of each rule know, None if all may be.

    A label of a group is one of them if no rule that uses the group knows it.
    """
    unknown: list[UnknownLabel] = []
    users: dict[str, list[frozenset[str] | None]] = {}
    for name, rule in config.rule.items():
        known = known_to[name]
        for key, labels in (("see", rule.see), ("with", rule.with_), ("blur", rule.blur)):
            for group in {label[1:] for label in labels if label.startswith("@") and label != ANY}:
                users.setdefault(group, []).append(known)
            plain = tuple(label for label in labels if not label.startswith("@"))
            unknown += _unknown(("rule", name, key), plain, [known])
    for group, several in users.items():
        unknown += _unknown(("group", group), config.group.get(group, ()), several)
    return unknown


def _unknown(key: KeyPath, labels: tuple[str, ...], several: list[frozenset[str] | None]) -> Iterator[UnknownLabel]:
    if None in several:
        return
    known = frozenset[str]().union(*filter(None, several))
    for label in labels:
        if label not in known and not label.startswith("@"):
            yield UnknownLabel(key, label, known)
