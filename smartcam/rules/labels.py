"""The labels that rules name: groups become their members, and unknown ones are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smartcam.config import Config
from smartcam.config.contradictions import ANY


class UnknownLabel(NamedTuple):
    """A label that a rule waits for in vain."""

    key: tuple[str, ...]
    """Where it stands: ("rule", NAME, "see"), ("rule", NAME, "with") or ("group", NAME)."""
    label: str


def expand(see: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> frozenset[str] | None:
    """The labels meant by `see`; None is every label (``@any``)."""
    names = tuple(see)
    if ANY in names:
        return None
    return frozenset(label for name in names for label in (groups[name[1:]] if name.startswith("@") else (name,)))


def unknown_labels(config: Config, known: Iterable[str]) -> list[UnknownLabel]:
    """The labels of rules, and of the groups that rules use, which are not among `known`: those of the models."""
    known = frozenset(known)
    places: dict[tuple[str, ...], tuple[str, ...]] = {}
    for name, rule in config.rule.items():
        for key, labels in (("see", rule.see), ("with", rule.with_)):
            places["rule", name, key] = tuple(label for label in labels if not label.startswith("@"))
            groups = [label[1:] for label in labels if label.startswith("@") and label != ANY]
            places |= {("group", group): config.group[group] for group in groups}
    return [UnknownLabel(key, label) for key, labels in places.items() for label in labels if label not in known]
