"""Which zones of one camera each track stands in, and which lines it crossed, by its foot point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smartcam.config import Line, Zone
from smartcam.data import Box, Point, Track
from smartcam.geometry import contains, height
from smartcam.rules.crossings import Crossing, Way
from smartcam.rules.steady import Steady

NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a zone or a line is judged by."""

    points: tuple[Point, ...]
    height: tuple[float, float] | None = None

    def holds(self, foot: Point, box: Box) -> bool:
        """Whether, as a zone, it holds a thing that stands there."""
        tall_enough = self.height is None or self.height[0] <= height(box) <= self.height[1]
        return tall_enough and contains(self.points, foot)


@dataclass(slots=True)
class Stand:
    """One track's place."""

    judged_at: float | None = None
    """When the track was last seen as it was judged; None asks for a new judgement."""
    now: frozenset[str] = frozenset()
    """The zones that it is in, as last seen."""
    zones: dict[str, Steady] = field(default_factory=dict)
    """Those that it is in or was in a moment ago."""
    lines: dict[str, Crossing] = field(default_factory=dict)


@dataclass(slots=True)
class PlacesMemory:
    """All that is remembered of one camera's places."""

    stands: dict[int, Stand] = field(default_factory=dict)
    """By track."""
    zones: dict[str, Outline] = field(default_factory=dict)
    """What the stands were judged by."""
    lines: dict[str, Outline] = field(default_factory=dict)


class Places:
    """Follows one camera's tracks over its zones and lines.

    It goes on where `memory` stands; from its first scene on the memory is its own. A zone or line that was drawn
    differently then begins anew.
    """

    def __init__(self, zones: Mapping[str, Zone], lines: Mapping[str, Line], memory: PlacesMemory) -> None:
        self._zones = {name: Outline(zone.points, zone.height) for name, zone in zones.items()}
        self._lines = {name: Outline(line.points) for name, line in lines.items()}
        self._frames = {name: _bounds(zone.points) for name, zone in self._zones.items()}
        self._memory = memory

    def follow(self, tracks: Sequence[Track]) -> None:
        """Take the tracks of the next scene, unconfirmed ones too: a runner may be over the line when it is confirmed.

        Those that are only carried on stay where they are.
        """
        memory = self._memory
        if memory.zones is not self._zones or memory.lines is not self._lines:
            self._redraw()
        stands = {track.id: memory.stands.get(track.id) or Stand() for track in tracks}
        for track in tracks:
            stand = stands[track.id]
            if stand.judged_at != track.last_at:
                self._judge(stand, track)
        memory.stands = stands

    def zones_of(self, track_id: int) -> frozenset[str]:
        """The zones that the track is in, as last seen."""
        return self._memory.stands[track_id].now

    def settled(self, track_ids: Sequence[int]) -> tuple[str, ...]:
        """The zones that any of these tracks is in or has only just left, in the configuration's order."""
        stands = self._memory.stands
        settled = [zone for track_id in track_ids for zone in stands[track_id].zones]
        return tuple(settled) if len(settled) < 2 else tuple([zone for zone in self._zones if zone in settled])

    def crossed(self, track_id: int, line: str) -> Way | None:
        """Which way the track last crossed the line; None before it ever did."""
        return self._memory.stands[track_id].lines[line].way

    def _redraw(self) -> None:
        """Forget what was judged by other outlines than these."""
        memory = self._memory
        same = {name for name, outline in self._zones.items() if memory.zones.get(name) == outline}
        same_lines = {name for name, outline in self._lines.items() if memory.lines.get(name) == outline}
        for stand in memory.stands.values():
            stand.zones = {name: steady for name, steady in stand.zones.items() if name in same}
            stand.lines = {name: crossing for name, crossing in stand.lines.items() if name in same_lines}
            stand.judged_at = None
        memory.zones, memory.lines = self._zones, self._lines

    def _judge(self, stand: Stand, track: Track) -> None:
        stand.judged_at = track.last_at
        x, y = foot = track.foot
        # Most zones are elsewhere, and four comparisons tell.
        near = [name for name, (x1, y1, x2, y2) in self._frames.items() if x1 <= x <= x2 and y1 <= y <= y2]
        stand.now = frozenset([name for name in near if self._zones[name].holds(foot, track.box)]) if near else NOWHERE
        for name in stand.now:
            if name not in stand.zones:
                stand.zones[name] = Steady()
        for name, steady in list(stand.zones.items()) if stand.zones else ():
            if not steady.see(name in stand.now, track.last_at):
                del stand.zones[name]
        for name, line in self._lines.items():
            stand.lines.setdefault(name, Crossing(track.foot)).step(line.points, track)


def _bounds(points: Sequence[Point]) -> Box:
    """The smallest box around a zone."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
