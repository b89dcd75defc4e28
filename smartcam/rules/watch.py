"""One rule on one camera: who matches, for how long, and the one event that may be open.

**Matching.** A confirmed track matches once every condition holds, until one has failed for `GRACE_S`. How long it
matches is counted between looks that saw it, so dropped frames and gaps that the tracker bridges change nothing.

**Which tracks count.** With ``count = ">= 1"`` each track by itself: it counts after matching for `for`. With any other
count all matching tracks count, and `for` is how long their number has held.

**Start.** When the condition is true and `cooldown` seconds have passed since the rule's last event ended. A track
that this last event told, and that came back before the cooldown was over, does not fire again by merely staying; a
new one that came meanwhile and is still there does.

**Going on.** An event that needs tracks (``>= n``, ``> n``) goes on while any of its tracks matches, and others that
match join it. Any other count (``< n``, ``== n``) speaks of a state, and goes on while the number holds. Where nothing
at all satisfies a count (``< 3``, ``== 0``), absence is believed after `LINGER_S` at the earliest, also after a start
of the daemon. An offline camera proves nothing: while it is blind nothing starts, and no such number holds.

**End.** When it has not gone on for `LINGER_S`. Its end is the time of the last look that saw it match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from smartcam.config import Rule
from smartcam.data import Event, Phase, Scene, Track
from smartcam.rules.conditions import Condition
from smartcam.rules.places import GRACE_S, Places, Steady

LINGER_S = 3.0
"""Longer than the tracker bridges gaps, so that one visit makes one event; short enough for an end to be news."""
UPDATE_EVERY_S = 10.0
"""The least time between an event's update and the message before it: the link may be metered."""
BETTER_SCORE = 0.1
"""By how much a score must grow to be worth an update."""
CLOCK_STEP_S = 1.0
"""Wall time that moves against the monotonic by more than this was set: boards without a clock start in 1970."""


@dataclass(slots=True)
class Stay:
    """One track that matches."""

    track: Track
    match: Steady
    told: bool
    """Whether it belongs to the last event and came back during the cooldown."""


@dataclass(frozen=True, slots=True)
class View:
    """An event as it stands: what its messages say."""

    label: str
    score: float
    zones: tuple[str, ...]
    tracks: tuple[Track, ...]
    joined: int
    """How many tracks have ever been in it."""
    dwell_s: float
    named: Track | None
    """The one whose sublabel is surest; the last that had one, where none of those that are there has."""

    @property
    def sublabel(self) -> str:
        return self.named.sublabel if self.named else ""

    def is_news_after(self, told: View) -> bool:
        """Whether a person would care about the difference."""
        return (
            (self.label, self.sublabel, self.zones, self.joined) != (told.label, told.sublabel, told.zones, told.joined)
            or len(self.tracks) != len(told.tracks)
            or self.score >= told.score + BETTER_SCORE
        )


@dataclass(slots=True)
class Firing:
    """The open event."""

    id: str
    start_at: float
    start: float
    """The same in Unix seconds."""
    reasons: tuple[str, ...]
    members: frozenset[int]
    """The live tracks that have ever been in it: an event that never ends must not grow."""
    view: View
    """As of the last scene in which it went on."""
    went_on_at: float
    matched_at: float
    """When a look last saw it match."""
    told: View
    """As of the last message."""
    told_at: float
    seq: int = 0


@dataclass(slots=True)
class State:
    """All that a rule remembers of one camera."""

    stays: dict[int, Stay] = field(default_factory=dict)
    number: Steady = field(default_factory=Steady)
    """Whether the number of matching tracks is what `count` asks for."""
    firing: Firing | None = None
    ended_at: float = -inf
    """When the last event last matched."""
    told: frozenset[int] = frozenset()
    """The tracks of the last event that lived at its end; no other comes back."""


class Watch:
    """A rule at work on one camera."""

    def __init__(
        self,
        name: str,
        rule: Rule,
        camera: str,
        conditions: tuple[Condition, ...],
        new_id: Callable[[float], str],
    ) -> None:
        self._name = name
        self._rule = rule
        self._camera = camera
        self._conditions = conditions
        self._new_id = new_id
        self._each_alone = str(rule.count) in (">= 1", "> 0")
        self._needs_tracks = rule.count.operator in (">=", ">") and not rule.count.holds(0)
        self._state = State()

    def feed(self, scene: Scene, places: Places) -> Event | None:
        """Look at the camera's next scene, whose tracks `places` has followed."""
        blind = scene.frame is None and not scene.looked
        here = self._follow(scene, places)
        counting = self._counting(scene.at, here, blind=blind)
        if firing := self._state.firing:
            return self._go_on(firing, scene, places, here, counting)
        if counting is None or blind or not self._may_fire(scene.at, counting):
            return None
        return self._start(scene, places, counting)

    def finish(self, at: float, wall: float) -> Event | None:
        """End the event that is open."""
        return self._end(firing, at, wall) if (firing := self._state.firing) else None

    def _follow(self, scene: Scene, places: Places) -> list[Stay]:
        """The tracks that match, in the scene's order."""
        before, now = self._state.stays, dict[int, Stay]()
        for track in scene.confirmed:
            stay = before.get(track.id)
            if stay is None:
                stay = Stay(track, Steady(), told=self._is_cooling(scene.at) and track.id in self._state.told)
            stay.track = track
            # A track that is only carried on has the same box and the same last look: the same answer again.
            if stay.match.see(all(condition.holds(track, places) for condition in self._conditions), track.last_at):
                now[track.id] = stay
        self._state.stays = now
        return list(now.values())

    def _counting(self, at: float, here: list[Stay], *, blind: bool) -> list[Stay] | None:
        """The tracks that make the rule's condition true; None while it is not."""
        if self._each_alone:
            return [stay for stay in here if stay.match.lasted_s >= self._rule.for_] or None
        number, count = self._state.number, self._rule.count
        holds = count.holds(len(here)) and (self._needs_tracks or not blind)
        number.see(holds, at, GRACE_S if self._needs_tracks else 0)
        believed_s = max(self._rule.for_, LINGER_S) if count.holds(0) else self._rule.for_
        return here if holds and number.lasted_s >= believed_s else None

    def _may_fire(self, at: float, counting: list[Stay]) -> bool:
        told_already = bool(counting) and all(stay.told for stay in counting)
        return not told_already and not self._is_cooling(at)

    def _is_cooling(self, at: float) -> bool:
        return at - self._state.ended_at < self._rule.cooldown

    def _start(self, scene: Scene, places: Places, counting: list[Stay]) -> Event:
        view = self._view(places, counting, firing=None)
        firing = self._state.firing = Firing(
            id=self._new_id(scene.wall),
            start_at=scene.at,
            start=scene.wall,
            reasons=self._reasons(view),
            members=_ids(view.tracks),
            view=view,
            went_on_at=scene.at,
            matched_at=self._matched_at(counting),
            told=view,
            told_at=scene.at,
        )
        return self._tell(firing, "start", scene.at, scene.wall)

    def _go_on(
        self, firing: Firing, scene: Scene, places: Places, here: list[Stay], counting: list[Stay] | None
    ) -> Event | None:
        if self._needs_tracks:
            counts = _ids(stay.track for stay in counting or []) | firing.members
            members = [stay for stay in here if stay.track.id in counts]
            goes_on = bool(members)
        else:
            members, goes_on = here, counting is not None
        if not goes_on:
            return self._end(firing, scene.at, scene.wall) if scene.at - firing.went_on_at >= LINGER_S else None
        firing.view = self._view(places, members, firing)
        firing.members = (firing.members | _ids(firing.view.tracks)) & _ids(scene.tracks)
        firing.went_on_at = scene.at
        firing.matched_at = max(firing.matched_at, self._matched_at(members))
        if scene.at - firing.told_at < UPDATE_EVERY_S or not firing.view.is_news_after(firing.told):
            return None
        return self._tell(firing, "update", scene.at, scene.wall)

    def _end(self, firing: Firing, at: float, wall: float) -> Event:
        self._state.firing = None
        self._state.ended_at = firing.matched_at
        self._state.told = firing.members
        return self._tell(firing, "end", at, wall)

    def _matched_at(self, members: list[Stay]) -> float:
        """When a look last saw this match."""
        return max(stay.match.last_at for stay in members) if self._needs_tracks else self._state.number.last_at

    def _view(self, places: Places, members: list[Stay], firing: Firing | None) -> View:
        """The event as it stands; its score and dwell are the best that any of its tracks has had."""
        before = firing.view if firing else None
        tracks = tuple(stay.track for stay in members)
        ids = _ids(tracks)
        dwell_s = max((stay.match.lasted_s for stay in members), default=self._state.number.lasted_s)
        return View(
            label=common_label(tracks) or self._rule.see[0].lstrip("@"),
            score=max([track.score for track in tracks] + ([before.score] if before else []), default=0.0),
            zones=places.settled(ids),
            tracks=tracks,
            joined=len(ids - firing.members) + firing.view.joined if firing else len(ids),
            dwell_s=max(dwell_s, before.dwell_s) if before else dwell_s,
            named=best_named(tracks, before.named if before else None),
        )

    def _reasons(self, view: View) -> tuple[str, ...]:
        """One clause for each thing that the rule asked for."""
        best = max(view.tracks, key=lambda track: track.score, default=None)
        clauses = [condition.reason(best) for condition in self._conditions]
        lasted, for_s = f"{view.dwell_s:.0f} s", f"for = {self._rule.for_:g} s"
        if not self._each_alone:
            clauses.append(f"{how_many(view)} (count {self._rule.count})")
            lasted = f"{self._state.number.lasted_s:.0f} s"
        if self._rule.for_:
            clauses.append(f"{'stayed' if self._each_alone else 'held'} {lasted} ({for_s})")
        return tuple(clauses)

    def _tell(self, firing: Firing, phase: Phase, at: float, wall: float) -> Event:
        firing.seq += 1
        firing.told, firing.told_at = firing.view, at
        set_by_s = (wall - at) - (firing.start - firing.start_at)
        if abs(set_by_s) > CLOCK_STEP_S:
            firing.start += set_by_s
        view = firing.view
        return Event(
            id=firing.id,
            seq=firing.seq,
            camera=self._camera,
            rule=self._name,
            level=self._rule.level,
            phase=phase,
            at=at,
            start=firing.start,
            end=firing.start + max(0.0, firing.matched_at - firing.start_at) if phase == "end" else None,
            label=view.label,
            score=view.score,
            count=len(view.tracks),
            zones=view.zones,
            dwell_s=view.dwell_s,
            tracks=view.tracks,
            reasons=firing.reasons,
            evidence=self._rule.do,
            sublabel=view.sublabel,
            sublabel_score=view.named.sublabel_score if view.named else 0.0,
        )


def best_named(tracks: tuple[Track, ...], before: Track | None) -> Track | None:
    """The track whose sublabel is surest; else the one from before, unless it is still there and lost its name."""
    if named := [track for track in tracks if track.sublabel]:
        return max(named, key=lambda track: track.sublabel_score)
    return None if before and before.id in _ids(tracks) else before


def common_label(tracks: Iterable[Track]) -> str:
    """The label of most of them, and of the best among equals; empty for no tracks."""
    best_first = sorted(tracks, key=lambda track: -track.score)
    most = Counter(track.label for track in best_first).most_common(1)
    return most[0][0] if most else ""


def how_many(view: View) -> str:
    """``3 cattle`` or ``2 dog and 1 cat``."""
    numbers = Counter(track.label for track in view.tracks) or Counter({view.label: 0})
    return " and ".join(f"{number} {label}" for label, number in numbers.most_common())


def _ids(tracks: Iterable[Track]) -> frozenset[int]:
    return frozenset(track.id for track in tracks)
