"""One rule on one camera, and the one event that may be open. `matching` tells who matches.

**Start.** When the condition is true and at least one of the tracks is worth telling (`silence`). A track that the last
event told, and that came back before the cooldown was over, does not fire again by merely staying; a new one that came
meanwhile and is still there does.

**Going on.** An event that needs tracks (``>= n``, ``> n``) goes on while any of its tracks matches, and others that
match join it. Any other count (``< n``, ``== n``) speaks of a state, and goes on while the number holds. An offline
camera proves nothing: while it is blind nothing starts, and no such number holds.

**End.** When it has not gone on for `LINGER_S`. Its end is the time of the last look that saw it match.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from smartcam.config import Rule
from smartcam.data import Event, Track
from smartcam.rules.look import Look
from smartcam.rules.matching import Asks, Matches, Matching, Stay
from smartcam.rules.misses import Miss, Record
from smartcam.rules.silence import Silence, Told
from smartcam.rules.steady import LINGER_S
from smartcam.rules.telling import Firing, Telling, best_named, how_many, ids

UPDATE_EVERY_S = 10.0
"""The least time between an event's update and the message before it: the link may be metered."""


@dataclass(slots=True)
class State:
    """All that a rule remembers of one camera."""

    matches: Matches = field(default_factory=Matches)
    firing: Firing | None = None
    told: Told = field(default_factory=Told)
    record: Record = field(default_factory=Record)


def without_tracks(state: State) -> State:
    """The same, after the tracks that it knows have gone."""
    firing = replace(state.firing, members=frozenset[int]()) if state.firing else None
    return State(firing=firing, told=replace(state.told, tracks=frozenset[int]()), record=state.record)


class Watch:
    """A rule at work on one camera. `state` is its memory, and is changed in place."""

    def __init__(self, telling: Telling, asks: Asks, state: State, new_id: Callable[[float], str]) -> None:
        self.telling = telling
        self.seen = asks.seen
        self.state = state
        self._rule: Rule = telling.rule
        self._asks = asks
        self._new_id = new_id
        self._silence = Silence(telling.rule, asks.seen, state.told)
        self._matching = Matching(telling.rule, asks, state.matches, self._silence, state.record)

    @property
    def is_busy(self) -> bool:
        """Whether it wants the next scene also if there is nothing in it that it looks for."""
        state = self.state
        return bool(
            state.matches.stays
            or state.firing
            or state.record.closest
            or state.matches.parted
            or state.matches.number.since is not None
            or not self._matching.needs_tracks
        )

    def feed(self, look: Look, offered: list[Track]) -> Event | None:
        """Look at the camera's next scene; `offered` are the tracks in it that it looks for."""
        here = self._matching.follow(look, offered)
        counting = self._matching.counting(look, here)
        if firing := self.state.firing:
            return self._go_on(firing, look, here, counting)
        event = None
        if counting is not None and look.scene.online and self._is_worth_telling(counting, look):
            event = self._start(look, counting)
        elif offered or self.state.record.closest:
            self._note_visit(look, offered, here)
        return event

    def finish(self, at: float, wall: float, misses: deque[Miss]) -> Event | None:
        """End the event that is open, or the visit that led to none."""
        self.state.record.visit_ends(self.telling.name, self.telling.camera, misses)
        return self._end(firing, at, wall) if (firing := self.state.firing) else None

    # The event

    def _is_worth_telling(self, counting: list[Stay], look: Look) -> bool:
        if not counting:
            return not self._silence.about_all((), look)
        if any(not stay.told and not self._silence.about(stay.track, look) for stay in counting):
            return True
        self._silence.still_here([stay.track for stay in counting], look)
        return False

    def _start(self, look: Look, counting: list[Stay]) -> Event:
        firing = self.state.firing = Firing(
            id=self._new_id(look.wall),
            start_at=look.at,
            start=look.wall,
            of=self._rule.see[0].lstrip("@"),
            went_on_at=look.at,
            matched_at=look.at,
            moved_at=look.at,
        )
        # What stands still and was told is no news of this event either, unless there is nothing else.
        self._take(firing, look, [stay for stay in counting if not self._silence.knows(stay.track, look)] or counting)
        firing.reasons = self._reasons(firing, look)
        self.state.record.fires(look.wall)
        self.state.record.tells(look.at, look.wall)
        return self.telling.tell(firing, "start", look.at, look.wall)

    def _go_on(self, firing: Firing, look: Look, here: list[Stay], counting: list[Stay] | None) -> Event | None:
        if self._matching.needs_tracks:
            members = self._members(firing, look, here, counting)
            goes_on = any(stay.track.id not in firing.stood for stay in members)
            if look.ground.things and self._only_stands(firing, members, look):
                return self._end(firing, look.at, look.wall)  # Somebody has come: that is an event of its own.
        else:
            members, goes_on = here, counting is not None
        if not goes_on:
            return self._end(firing, look.at, look.wall) if look.at - firing.went_on_at >= LINGER_S else None
        self._take(firing, look, members)
        if look.at - firing.said_at < UPDATE_EVERY_S or not firing.is_news:
            return None
        return self.telling.tell(firing, "update", look.at, look.wall)

    def _members(self, firing: Firing, look: Look, here: list[Stay], counting: list[Stay] | None) -> list[Stay]:
        """Those that are in it: who counts, and who has been in it and still matches.

        What stands still, and was told before, does not join: it would hold the event for ever.
        """
        if counting is here and not look.ground.things:
            return here
        counts = {stay.track.id for stay in counting or () if not self._silence.knows(stay.track, look)}
        return [stay for stay in here if stay.track.id in firing.members or stay.track.id in counts]

    def _only_stands(self, firing: Firing, members: list[Stay], look: Look) -> bool:
        """Whether all that has held the event so far stands still, and somebody joins it now."""
        before = [stay for stay in members if stay.track.id in firing.members]
        joins = len(before) < len(members)
        return joins and bool(before) and all(stay.track.id in look.ground.things for stay in before)

    def _end(self, firing: Firing, at: float, wall: float) -> Event:
        self.state.firing = None
        self.state.record.tells(at, wall)
        self._silence.ends(firing.rests, firing.members, firing.moved_at)
        return self.telling.tell(firing, "end", at, wall)

    def _take(self, firing: Firing, look: Look, members: list[Stay]) -> None:
        """The event as it stands with these."""
        firing.tracks = tuple([stay.track for stay in members])
        firing.zones = look.settled(firing.tracks)
        joined, are_named = [], firing.named is not None
        score, dwell_s, matched_at = firing.score, firing.dwell_s, firing.matched_at
        for stay in members:
            track = stay.track
            if track.id not in firing.members:
                joined.append(track)
            if track.sublabel:
                are_named = True
            score = max(score, track.score)
            dwell_s = max(dwell_s, stay.match.lasted_s)
            matched_at = max(matched_at, stay.match.last_at)
        if not self._matching.needs_tracks:
            matched_at = max(firing.matched_at, self.state.matches.number.last_at)
            dwell_s = dwell_s if members else max(dwell_s, self.state.matches.number.lasted_s)
        firing.score, firing.dwell_s, firing.matched_at = score, dwell_s, matched_at
        if not look.ground.things or any(stay.track.id not in look.ground.things for stay in members):
            firing.moved_at = matched_at
        if are_named:
            firing.named = best_named(firing.tracks, firing.named)
        self._remember(firing, look, joined)
        firing.went_on_at = look.at

    def _remember(self, firing: Firing, look: Look, joined: list[Track]) -> None:
        """Who is in it, and what is to be silent afterwards."""
        if joined or not firing.seq:
            firing.joined += len(joined)
            firing.members |= ids(joined)
            stood = firing.stood | (ids(joined) & look.ground.things.keys())
            firing.stood = stood if stood != firing.members else frozenset()
            self._silence.begins(joined, look)
        if joined or not firing.seq or firing.named or self._rule.cooldown.per == "zone":
            # A second model may give a name, and a thing walk into another zone, at any time.
            firing.rests |= self._silence.keys_of(firing.tracks, look)
        if firing.named:
            self._silence.begins(firing.tracks, look)
        self._silence.watch(firing.tracks, look)
        if not firing.members <= look.ground.alive:
            # Company may be on its way to one that has just left.
            firing.members &= look.ground.alive | self.state.matches.stays.keys()

    def _reasons(self, firing: Firing, look: Look) -> tuple[str, ...]:
        """One clause for each thing that the rule asked for."""
        best = max(firing.tracks, key=lambda track: track.score, default=None)
        if best is None:
            clauses = [f"no {' or '.join(self._rule.see)} seen"] + [f"in zone {zone}" for zone in self._zones()]
        else:
            clauses = [self.seen.reason(best, look)]
            clauses += [each.reason(best, look) for each in self._asks.conditions if each != self.seen]
            clauses += [self._asks.company.reason(best, look)] if self._asks.company else []
        if not self._matching.each_alone:
            clauses.append(f"{how_many(firing)} (count {self._rule.count})")
        if self._rule.for_:
            done, lasted_s = (
                ("stayed", firing.dwell_s)
                if self._matching.each_alone
                else ("held", self.state.matches.number.lasted_s)
            )
            clauses.append(f"{done} {lasted_s:.0f} s (for = {self._rule.for_:g} s)")
        return (*clauses, *self._asks.gate.reasons(look))

    def _zones(self) -> Iterable[str]:
        return (self._rule.zone,) if self._rule.zone else ()

    # What it did not tell, and why

    def _note_visit(self, look: Look, offered: list[Track], here: list[Stay]) -> None:
        """Remember how near the rule came while something is there; once that has gone, it is a near miss."""
        if offered:
            self._note_shortfall(look, offered, here)
        if self.state.record.visit_is_over(look.at, there=bool(offered)):
            self.state.record.visit_ends(self.telling.name, self.telling.camera, look.misses)

    def _note_shortfall(self, look: Look, offered: list[Track], here: list[Stay]) -> None:
        """What is missing beyond the conditions of a single track."""
        record, matching = self.state.record, self._matching
        if record.has_told:
            record.keeps_silent(self._silence.about(here[0].track, look) if here else "")
            return
        rank = float(len(self._asks.conditions))
        if not here:
            if record.would_be_closest(rank) and (alone := matching.fitting(offered, look)):
                closed, company = self._asks.gate.closed(look), self._asks.company
                missing = closed or (company.shortfall(alone) if company else "")
                record.came_close(rank + bool(closed), missing, look.at, look.wall)
            return
        told = False
        if not matching.each_alone and self.state.matches.number.since is None:
            rank += 2 + min(len(here) / (self._rule.count.number or 1), 0.99)
            missing = f"saw {len(here)}, needs {self._rule.count}"
        elif self._rule.for_ > (lasted_s := matching.lasted_s(here)):
            rank += 3 + lasted_s / self._rule.for_
            missing = f"{lasted_s:.0f} s of {self._rule.for_:g} s"
        else:
            silent = self._silence.about(here[0].track, look)
            rank, missing, told = rank + 4, silent or "it came back before the cooldown was over", True
        if record.would_be_closest(rank):
            still = all(stay.track.id in look.ground.things for stay in here)
            record.came_close(rank, missing, look.at, look.wall, held_back=told or still)
