"""What lasts, and where tracks stand, both with hysteresis in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from smartcam.data import Point, Track
from smartcam.geometry import contains

GRACE_S = 1.0
"""What was true goes on being true until it has failed for this long: a foot point trembles by several pixels from look
to look, and a score dips. Long enough for three looks at 3 frames a second, short enough that nobody waits for it."""


@dataclass(slots=True)
class Steady:
    """Something that becomes true at once, and is over once it has failed for a while."""

    since: float | None = None
    """Since when it has been true without a break; None while it is not."""
    last_at: float = -inf
    """When it was last true without any grace."""
    failing_since: float | None = None

    def see(self, true: bool, at: float, grace_s: float = GRACE_S) -> bool:
        """Take one look's answer; whether it counts as true now."""
        if true:
            self.since = at if self.since is None else self.since
            self.last_at, self.failing_since = at, None
        elif self.since is not None:
            self.failing_since = at if self.failing_since is None else self.failing_since
            if at - self.failing_since >= grace_s:
                self.since = self.failing_since = None
        return self.since is not None

    @property
    def lasted_s(self) -> float:
        """From the first look that found it true to the last; 0 while it is not true."""
        return 0.0 if self.since is None else self.last_at - self.since


@dataclass(slots=True)
class _Stand:
    """One track's place."""

    now: frozenset[str] = frozenset()
    zones: dict[str, Steady] = field(default_factory=dict)


class Places:
    """Which zones of one camera each track stands in, by its foot point."""

    def __init__(self, zones: Mapping[str, tuple[Point, ...]]) -> None:
        self._zones = zones
        self._stands: dict[int, _Stand] = {}

    def follow(self, tracks: Iterable[Track]) -> None:
        """Take the tracks of the next scene. Those that are only carried on stay where they are."""
        self._stands = {track.id: self._moved(track) for track in tracks}

    def now(self, track_id: int) -> frozenset[str]:
        """The zones that hold the track's foot, as last seen."""
        return self._stands[track_id].now

    def settled(self, track_ids: Iterable[int]) -> tuple[str, ...]:
        """The zones that any of these tracks stands in or has only just left, in the configuration's order."""
        stands = [self._stands[track_id] for track_id in track_ids]
        return tuple(zone for zone in self._zones if any(stand.zones[zone].since is not None for stand in stands))

    def _moved(self, track: Track) -> _Stand:
        stand = self._stands.get(track.id) or _Stand(zones={zone: Steady() for zone in self._zones})
        stand.now = frozenset(zone for zone, polygon in self._zones.items() if contains(polygon, track.foot))
        for zone, steady in stand.zones.items():
            steady.see(zone in stand.now, track.last_at)
        return stand
