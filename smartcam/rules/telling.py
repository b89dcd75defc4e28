"""From what a rule has seen to the event that it tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from smartcam.config import Rule
from smartcam.data import Event, Phase, Track
from smartcam.rules.calendar import Calendar
from smartcam.rules.silence import spoken

BETTER_SCORE = 0.1
"""By how much a score must grow to be worth an update."""
CLOCK_STEP_S = 1.0
"""Wall time that moves against the monotonic by more than this was set: boards without a clock start in 1970."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a message told of an event, as far as a difference would be news."""

    label: str = ""
    sublabel: str = ""
    zones: tuple[str, ...] = ()
    joined: int = 0
    count: int = 0
    score: float = 0.0


@dataclass(slots=True)
class Firing:
    """The open event, as of the last scene in which it went on."""

    id: str
    start_at: float
    start: float
    """The same in Unix seconds."""
    of: str
    """Its label where it has no tracks."""
    went_on_at: float
    matched_at: float
    """When a look last saw it match."""
    moved_at: float
    """The same of anything in it that does not stand still: what rests after it rests from then on."""
    reasons: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    zones: tuple[str, ...] = ()
    score: float = 0.0
    """This and `dwell_s`: the best that any of its tracks has had."""
    dwell_s: float = 0.0
    joined: int = 0
    """How many tracks have ever been in it."""
    members: frozenset[int] = frozenset()
    """The live ones of these: an event that never ends must not grow."""
    stood: frozenset[int] = frozenset()
    """Those that stood still already when they came into it: alone they hold it only if it is of nothing else."""
    named: Track | None = None
    """The one whose sublabel is surest; the last that had one, where none of those that are there has."""
    rests: frozenset[str] = frozenset()
    """What is to rest after it."""
    said: Said = field(default_factory=Said)
    said_at: float = 0.0
    seq: int = 0
    test: bool = False

    @property
    def label(self) -> str:
        return common_label(self.tracks) or self.of

    @property
    def sublabel(self) -> str:
        return self.named.sublabel if self.named else ""

    @property
    def is_news(self) -> bool:
        """Whether a person would care about the difference to what was said last."""
        said = self.said
        return (
            self.joined != said.joined
            or len(self.tracks) != said.count
            or self.zones != said.zones
            or self.score >= said.score + BETTER_SCORE
            or self.label != said.label
            or self.sublabel != said.sublabel
        )

    def say(self, at: float) -> None:
        """Remember what is said now."""
        self.seq += 1
        self.said = Said(self.label, self.sublabel, self.zones, self.joined, len(self.tracks), self.score)
        self.said_at = at


@dataclass(frozen=True, slots=True)
class Telling:
    """One rule's voice on one camera."""

    name: str
    rule: Rule
    camera: str
    calendar: Calendar

    def tell(self, firing: Firing, phase: Phase, at: float, wall: float) -> Event:
        """The next message of an open event; a clock that was set meanwhile moves its start along."""
        firing.say(at)
        set_by_s = (wall - at) - (firing.start - firing.start_at)
        if abs(set_by_s) > CLOCK_STEP_S:
            firing.start += set_by_s
        return Event(
            id=firing.id,
            seq=firing.seq,
            camera=self.camera,
            rule=self.name,
            level=self.rule.level,
            phase=phase,
            at=at,
            start=firing.start,
            end=firing.start + max(0.0, firing.matched_at - firing.start_at) if phase == "end" else None,
            label=firing.label,
            score=firing.score,
            count=len(firing.tracks),
            zones=firing.zones,
            dwell_s=firing.dwell_s,
            tracks=firing.tracks,
            reasons=firing.reasons,
            evidence=self.rule.do,
            sublabel=firing.sublabel,
            sublabel_score=firing.named.sublabel_score if firing.named else 0.0,
            message=self._message(firing, phase) if self.rule.message else "",
            test=firing.test,
        )

    def _message(self, firing: Firing, phase: Phase) -> str:
        start = self.calendar.local(firing.start)
        return self.rule.message.format(
            label=firing.label,
            sublabel=firing.sublabel or firing.label,
            count=len(firing.tracks),
            score=f"{firing.score:.2f}",
            zone=", ".join(firing.zones),
            camera=self.camera,
            rule=self.name,
            phase=phase,
            dwell=spoken(firing.dwell_s),
            time=f"{start:%H:%M}",
            date=f"{start:%Y-%m-%d}",
        )


def best_named(tracks: tuple[Track, ...], before: Track | None) -> Track | None:
    """The track whose sublabel is surest; else the one from before, unless it is still there and lost its name."""
    if named := [track for track in tracks if track.sublabel]:
        return max(named, key=lambda track: track.sublabel_score)
    return None if before is None or before.id in ids(tracks) else before


def common_label(tracks: tuple[Track, ...]) -> str:
    """The label of most of them, and of the best among equals; empty for no tracks."""
    if len(tracks) == 1:
        return tracks[0].label
    best_first = sorted(tracks, key=lambda track: -track.score)
    most = Counter(track.label for track in best_first).most_common(1)
    return most[0][0] if most else ""


def how_many(firing: Firing) -> str:
    """``3 cattle`` or ``2 dog and 1 cat``."""
    numbers = Counter(track.label for track in firing.tracks) or Counter({firing.of: 0})
    return " and ".join(f"{number} {label}" for label, number in numbers.most_common())


def ids(tracks: Iterable[Track]) -> frozenset[int]:
    return frozenset(track.id for track in tracks)
