"""What a rule asks of a single track: a list of small conditions, which all must hold.

Their order is that of a person's telling: it is a dog, sure enough, tall enough, in the zone, across the line, and
somebody is with it. Who fails at a later one came nearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from smartcam.config import Config, Rule
from smartcam.data import Track
from smartcam.geometry import height
from smartcam.rules.labels import expand
from smartcam.rules.look import Look


class Condition(Protocol):
    """One thing that must hold."""

    def holds(self, track: Track, look: Look) -> bool:
        """Whether the track meets it, as it was last seen."""

    def closeness(self, track: Track) -> float:
        """How near it comes where it does not hold: from 0 up to 1."""

    def shortfall(self, track: Track) -> str:
        """For a person, what is missing where it does not hold."""

    def reason(self, best: Track, look: Look) -> str:
        """For a person, why the rule fired; `best` is the best of its tracks."""


@dataclass(frozen=True, slots=True)
class Seen:
    """It is one of these things, surely enough: by its label, or by what a second model says it is."""

    labels: frozenset[str] | None
    """None is every label."""
    score: float

    def known_as(self, track: Track) -> str:
        """What this rule takes it for."""
        return track.sublabel if self.labels and track.sublabel in self.labels else track.label

    def score_of(self, track: Track) -> float:
        """The best score by which it is one of these."""
        by_label = track.score if self.labels is None or track.label in self.labels else 0.0
        if not track.sublabel or not self.labels or track.sublabel not in self.labels:
            return by_label
        return max(by_label, track.sublabel_score)

    def holds(self, track: Track, look: Look) -> bool:  # noqa: ARG002 (a condition's shape)
        return self.score_of(track) >= self.score

    def closeness(self, track: Track) -> float:
        return self.score_of(track) / self.score

    def shortfall(self, track: Track) -> str:
        return f"{self.known_as(track)} {self.score_of(track):.2f}, needs score {self.score:g}"

    def reason(self, best: Track, look: Look) -> str:  # noqa: ARG002 (a condition's shape)
        kind = f" ({best.sublabel} {best.sublabel_score:.2f})" if best.sublabel else ""
        return f"{best.label}{kind} seen with score {best.score:.2f}"


@dataclass(frozen=True, slots=True)
class Tall:
    """It is as tall as that: far away or near by, a calf or a cow."""

    least: float
    most: float

    def holds(self, track: Track, look: Look) -> bool:  # noqa: ARG002 (a condition's shape)
        return self.least <= height(track.box) <= self.most

    def closeness(self, track: Track) -> float:
        tall = height(track.box)
        return tall / self.least if tall < self.least else self.most / tall

    def shortfall(self, track: Track) -> str:
        tall = height(track.box)
        small = tall < self.least
        return f"{track.label} {tall:.2f} of the picture tall, {'needs' if small else 'at most'} {self.limit(small)}"

    def limit(self, small: bool) -> str:
        return f"{self.least:g}" if small else f"{self.most:g}"

    def reason(self, best: Track, look: Look) -> str:  # noqa: ARG002 (a condition's shape)
        wanted = f">= {self.least:g}" if self.most >= 1 else f"{self.least:g} to {self.most:g}"
        return f"{height(best.box):.2f} of the picture tall ({wanted})"


@dataclass(frozen=True, slots=True)
class InZone:
    """It stands in this zone."""

    zone: str

    def holds(self, track: Track, look: Look) -> bool:
        return self.zone in look.ground.places.zones_of(track.id)

    def closeness(self, track: Track) -> float:  # noqa: ARG002 (a condition's shape)
        return 0.0

    def shortfall(self, track: Track) -> str:
        return f"{track.label} not in {self.zone}"

    def reason(self, best: Track, look: Look) -> str:  # noqa: ARG002 (a condition's shape)
        return f"in zone {self.zone}"


@dataclass(frozen=True, slots=True)
class Crossed:
    """It has crossed this line, and not back."""

    line: str
    toward: Literal["in", "out", "either"]

    def holds(self, track: Track, look: Look) -> bool:
        crossed = look.ground.places.crossed(track.id, self.line)
        return crossed is not None and self.toward in (crossed, "either")

    def closeness(self, track: Track) -> float:  # noqa: ARG002 (a condition's shape)
        return 0.0

    def shortfall(self, track: Track) -> str:
        return f"{track.label} did not cross {self.line}{'' if self.toward == 'either' else f' ({self.toward})'}"

    def reason(self, best: Track, look: Look) -> str:
        way = look.ground.places.crossed(best.id, self.line) if best.id in look.ground.here else None
        return f"crossed {self.line} ({way or self.toward})"


@dataclass(frozen=True, slots=True)
class Together:
    """Something else is with it, or was a moment ago."""

    names: tuple[str, ...]
    """As the rule says it."""
    labels: frozenset[str]
    within_s: float

    def holds(self, track: Track, look: Look) -> bool:
        last_at = look.company_at(self.labels, but=track.id)
        return last_at is not None and abs(track.last_at - last_at) <= self.within_s

    def closeness(self, track: Track) -> float:  # noqa: ARG002 (a condition's shape)
        return 0.0

    def shortfall(self, track: Track) -> str:
        return f"{track.label} without {' or '.join(self.names)} within {self.within_s:g} s"

    def reason(self, best: Track, look: Look) -> str:
        others = [
            each for each in look.ground.tracks if each.id != best.id and {each.label, each.sublabel} & self.labels
        ]
        other = max(others, key=lambda track: track.score, default=None)
        if other is None:
            return f"with {' or '.join(self.names)} within {self.within_s:g} s"
        return f"with {other.label} {other.score:.2f} (within {self.within_s:g} s)"


def seen_of(rule: Rule, config: Config) -> Seen:
    """What a rule looks for."""
    return Seen(expand(rule.see, config.group), rule.score)


def conditions_of(rule: Rule, config: Config) -> tuple[Condition, ...]:
    """What a rule asks of a thing that it looks for, without its company."""
    conditions: list[Condition] = [seen_of(rule, config)] if rule.score else []
    if rule.height:
        conditions.append(Tall(*rule.height))
    if rule.zone:
        conditions.append(InZone(rule.zone))
    if rule.crosses:
        conditions.append(Crossed(rule.crosses, rule.toward))
    return tuple(conditions)


def company_of(rule: Rule, config: Config) -> Together | None:
    """Who must be with it; None where a rule does not ask."""
    if not rule.with_:
        return None
    labels = expand(rule.with_, config.group)
    return Together(rule.with_, labels or frozenset(), rule.within)
