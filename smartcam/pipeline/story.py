"""What rules made of one recording: when they fired, how near they came, and why they did not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from smartcam.config import Rule
from smartcam.config.files import ANY
from smartcam.data import Event, Scene
from smartcam.rules.engine import Standing
from smartcam.rules.misses import Miss

Key: TypeAlias = tuple[str, str]
"""Rule and event id."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One event, from its start to its end; times are seconds since the recording's start."""

    start_at: float
    end_at: float
    event: Event
    """As it was told last."""

    @property
    def rule(self) -> str:
        return self.event.rule

    @property
    def key(self) -> Key:
        """Tells it from any other of its story."""
        return self.event.rule, self.event.id


@dataclass(frozen=True, slots=True)
class Part:
    """One rule's."""

    firings: tuple[Firing, ...] = ()
    misses: tuple[Miss, ...] = ()
    """In the order of time."""
    why_not: str = ""
    """Why it did not fire in the end, where nothing came near."""


@dataclass(frozen=True, slots=True)
class Story:
    """All of it."""

    clip: str
    camera: str
    wall_start: float
    """Unix seconds, as pretended."""
    length_s: float
    parts: dict[str, Part]
    """Of the camera's rules, in the configuration's order."""
    elsewhere: tuple[str, ...] = ()
    """Rules that are on other cameras only."""

    @property
    def firings(self) -> tuple[Firing, ...]:
        return tuple(firing for part in self.parts.values() for firing in part.firings)

    def completed(self, other: Story, rules: Iterable[str]) -> Story:
        """With the parts of those `rules` that only the other one has, in the order of `rules`."""
        parts = other.parts | self.parts
        return replace(self, parts={rule: parts[rule] for rule in rules if rule in parts})


@dataclass(slots=True)
class Notes:
    """Taken while a recording is judged."""

    clip: str
    camera: str
    wall_start: float
    _last_at: float = 0.0
    _firings: dict[str, Firing] = field(default_factory=dict)
    """By the event's id."""
    _misses: list[Miss] = field(default_factory=list)

    def scene(self, scene: Scene) -> None:
        self._last_at = scene.at

    def event(self, event: Event) -> None:
        """An event's next message. Its end is that of what was seen, which is told a little later."""
        known = self._firings.get(event.id) or Firing(event.at, event.at, event)
        end_at = event.at if event.end is None else known.start_at + event.end - event.start
        self._firings[event.id] = replace(known, end_at=end_at, event=event)

    def misses(self, misses: Iterable[Miss]) -> None:
        self._misses += [miss for miss in misses if miss.camera == self.camera]

    def story(self, standings: Iterable[Standing], rules: Mapping[str, Rule]) -> Story:
        """The whole, once the recording is over."""
        standings = list(standings)
        here = {standing.rule: standing for standing in standings if standing.camera == self.camera}
        return Story(
            self.clip,
            self.camera,
            self.wall_start,
            self._last_at,
            {name: self._part(standing, rules[name]) for name, standing in here.items()},
            tuple(dict.fromkeys(standing.rule for standing in standings if standing.rule not in here)),
        )

    def _part(self, standing: Standing, rule: Rule) -> Part:
        firings = tuple(firing for firing in self._firings.values() if firing.rule == standing.rule)
        misses = tuple(sorted((miss for miss in self._misses if miss.rule == standing.rule), key=lambda miss: miss.at))
        why_not = standing.why_not.removesuffix(" now")  # now that it is over
        if standing.enabled and not firings and not misses:
            why_not = _waited_for(rule) or why_not
        return Part(firings, misses, why_not)


def _waited_for(rule: Rule) -> str:
    """What was not seen; empty for a rule that does not wait for things.

    In a recording this says more than that it was day besides: no other time of day would have made the rule fire.
    """
    if not rule.see or rule.count.holds(0):
        return ""
    return "nothing seen" if ANY in rule.see else f"no {' or '.join(rule.see)} seen"
