"""What a rule has told already, and keeps to itself for now: cooldown, once, and still things."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from smartcam.config import Rule
from smartcam.data import Track
from smartcam.rules.conditions import Seen
from smartcam.rules.look import Look

VISIT_S = 300.0
"""Things of one label that are seen again within this time belong to one visit: an animal that grazes behind a bush."""
WHOLE = ""
"""The key of what is told for the rule as a whole."""


@dataclass(slots=True)
class Told:
    """What there is to remember."""

    rested_at: dict[str, float] = field(default_factory=dict)
    """By key: when its last event last matched."""
    days: dict[str, str] = field(default_factory=dict)
    """By key: the local day of its last event."""
    visited_at: dict[str, float] = field(default_factory=dict)
    """By label: when what was told of was last there."""
    things: frozenset[int] = frozenset()
    """The still things that were told."""
    tracks: frozenset[int] = frozenset()
    """The tracks of the last event that lived at its end; no other comes back."""


class Silence:
    """Keeps one rule on one camera from telling the same again."""

    def __init__(self, rule: Rule, seen: Seen, told: Told) -> None:
        self._rule = rule
        self._seen = seen
        self._told = told

    def returns_early(self, track: Track, look: Look) -> bool:
        """Whether the last event told of it, and it is back before the cooldown is over."""
        return track.id in self._told.tracks and self._rests_for_s((track,), look) > 0

    def knows(self, track: Track, look: Look) -> bool:
        """Whether it stands still, and was told."""
        return look.ground.things.get(track.id) in self._told.things

    def about(self, track: Track, look: Look) -> str:
        """Why this track is not worth an event, for a person; empty where it is."""
        if self.knows(track, look):
            return f"this {track.label} stands still, and was told"
        label = self._seen.known_as(track)
        match self._rule.once:
            case "visit" if look.at - self._told.visited_at.get(label, look.at - VISIT_S) < VISIT_S:
                return f"the {label} of this visit was told"
            case "day per label" if self._told.days.get(label) == look.calendar.day(look.wall):
                return f"a {label} was told today"
        return self.about_all((track,), look)

    def about_all(self, tracks: Sequence[Track], look: Look) -> str:
        """Why the rule is silent about an event of these, or of nothing; empty where it is not."""
        if self._rule.once == "day" and self._told.days.get(WHOLE) == look.calendar.day(look.wall):
            return "it was told today"
        if (left_s := self._rests_for_s(tracks, look)) > 0:
            who = " and ".join(sorted(filter(None, self.keys_of(tracks, look)))) or "it"
            return f"{who} rests for another {spoken(left_s)} (cooldown)"
        return ""

    def watch(self, tracks: Iterable[Track], look: Look) -> None:
        """What an event tells of is there: its visit goes on, and it may turn out to be a still thing."""
        if look.ground.things:
            things = {look.ground.things[track.id] for track in tracks if track.id in look.ground.things}
            if not things <= self._told.things:
                alive = {thing.id for thing in look.ground.still.things}
                self._told.things = (self._told.things & alive) | things
        if self._rule.once == "visit":
            self.still_here(tracks, look)

    def still_here(self, tracks: Iterable[Track], look: Look) -> None:
        """The visit of these goes on, though nothing is told of it."""
        if self._rule.once == "visit":
            self._told.visited_at |= {self._seen.known_as(track): look.at for track in tracks}

    def begins(self, tracks: Iterable[Track], look: Look) -> None:
        """An event starts with these, or they join it."""
        if self._rule.once == "day":
            self._told.days[WHOLE] = look.calendar.day(look.wall)
        elif self._rule.once == "day per label":
            self._told.days |= {self._seen.known_as(track): look.calendar.day(look.wall) for track in tracks}

    def keys_of(self, tracks: Sequence[Track], look: Look) -> frozenset[str]:
        """What is to rest after an event of these tracks; the rule as a whole after one of nothing, or of no zone."""
        keys: frozenset[str] = frozenset()
        if self._rule.cooldown.per == "label":
            keys = frozenset(self._seen.known_as(track) for track in tracks)
        elif self._rule.cooldown.per == "zone":
            keys = frozenset(look.settled(tracks))
        return keys or frozenset({WHOLE})

    def ends(self, keys: Iterable[str], tracks: frozenset[int], at: float) -> None:
        """An event has ended, which matched last at `at`; these tracks of it are still alive."""
        self._told.rested_at |= dict.fromkeys(keys, at)
        self._told.rested_at = {key: when for key, when in self._told.rested_at.items() if self._rests_s(key, at) > 0}
        self._told.tracks = tracks

    def _rests_for_s(self, tracks: Sequence[Track], look: Look) -> float:
        """A thing in two zones is worth telling while one of them does not rest."""
        if not self._rule.cooldown.s or not self._told.rested_at:
            return 0.0
        return min(self._rests_s(key, look.at) for key in self.keys_of(tracks, look))

    def _rests_s(self, key: str, at: float) -> float:
        """How long this is still to rest."""
        ended_at = self._told.rested_at.get(key)
        return 0.0 if ended_at is None else ended_at + self._rule.cooldown.s - at


def spoken(seconds: float) -> str:
    """``41 s``, ``12 min``, ``3 h``: how a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
