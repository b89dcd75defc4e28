"""What a rule asks of a single track: a list of small conditions, which all must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from smartcam.config import Config, Rule
from smartcam.data import Track
from smartcam.rules.labels import expand
from smartcam.rules.places import Places


class Condition(Protocol):
    """One thing that must hold."""

    def holds(self, track: Track, places: Places) -> bool:
        """Whether the track meets it, as it was last seen."""

    def reason(self, best: Track | None) -> str:
        """For a person, why the rule fired; `best` is the best of its tracks, if there is any."""


@dataclass(frozen=True, slots=True)
class Seen:
    """It is one of these things, surely enough: by its label, or by what a second model says it is."""

    names: tuple[str, ...]
    """As the rule says it."""
    labels: frozenset[str] | None
    """None is every label."""
    score: float

    def holds(self, track: Track, places: Places) -> bool:  # noqa: ARG002 (a condition's shape)
        by_label = self.labels is None or track.label in self.labels
        by_kind = self.labels is not None and track.sublabel in self.labels
        return (by_label and track.score >= self.score) or (by_kind and track.sublabel_score >= self.score)

    def reason(self, best: Track | None) -> str:
        if best is None:
            return f"no {' or '.join(self.names)} seen"
        kind = f" ({best.sublabel} {best.sublabel_score:.2f})" if best.sublabel else ""
        return f"{best.label}{kind} seen with score {best.score:.2f}"


@dataclass(frozen=True, slots=True)
class InZone:
    """It stands in this zone."""

    zone: str

    def holds(self, track: Track, places: Places) -> bool:
        return self.zone in places.now(track.id)

    def reason(self, best: Track | None) -> str:  # noqa: ARG002 (a condition's shape)
        return f"in zone {self.zone}"


def conditions_of(rule: Rule, config: Config) -> tuple[Condition, ...]:
    """The conditions that a rule's keys make."""
    seen = Seen(rule.see, expand(rule.see, config.group), rule.score)
    return (seen, InZone(rule.zone)) if rule.zone else (seen,)
