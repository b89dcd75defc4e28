"""Who matches a rule on one camera, and since when.

A confirmed track matches once every condition holds, until one has failed for `GRACE_S`. How long it matches is counted
between looks that saw it, so dropped frames and gaps that the tracker bridges change nothing.

With ``count = ">= 1"`` each track counts by itself, after matching for `for`. With any other count all matching tracks
count, and `for` is how long their number has held. Where nothing at all satisfies a count (``< 3``, ``== 0``), absence
is believed after `LINGER_S` at the earliest, also after a start of the daemon; an offline camera proves none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smartcam.config import Rule
from smartcam.data import Track
from smartcam.rules.conditions import Condition, Seen, Together
from smartcam.rules.gate import Gate
from smartcam.rules.look import Look
from smartcam.rules.misses import Record
from smartcam.rules.silence import Silence
from smartcam.rules.steady import GRACE_S, LINGER_S, Steady
from smartcam.rules.telling import ids


@dataclass(frozen=True, slots=True)
class Asks:
    """What a rule asks, taken apart."""

    seen: Seen
    conditions: tuple[Condition, ...]
    company: Together | None
    gate: Gate


@dataclass(slots=True)
class Stay:
    """One track that matches."""

    track: Track
    match: Steady
    told: bool
    """Whether it belongs to the last event and came back during the cooldown."""


@dataclass(slots=True)
class Matches:
    """What there is to remember."""

    stays: dict[int, Stay] = field(default_factory=dict)
    parted: dict[int, Track] = field(default_factory=dict)
    """Those that match but for their company, also for a while after they have gone: the other may be on its way."""
    number: Steady = field(default_factory=Steady)
    """Whether the number of matching tracks is what `count` asks for."""


class Matching:
    """Follows the tracks that a rule looks for. `memory` is changed in place; how near one came goes to `record`."""

    def __init__(self, rule: Rule, asks: Asks, memory: Matches, silence: Silence, record: Record) -> None:
        self.memory = memory
        self.each_alone = str(rule.count) in (">= 1", "> 0")
        self.needs_tracks = rule.count.operator in (">=", ">") and not rule.count.holds(0)
        """Whether its events are about tracks, and not about their absence or exact number."""
        self._rule = rule
        self._gate = asks.gate
        self._always_open = asks.gate.is_always_open
        self._conditions = asks.conditions
        self._company = asks.company
        self._silence = silence
        self._record = record

    def follow(self, look: Look, offered: list[Track]) -> list[Stay]:
        """The tracks that match, in the scene's order."""
        before, now = self.memory.stays, dict[int, Stay]()
        is_open = self._always_open or self._gate.is_open(look)
        for track in offered:
            matches = self._matches(track, look) and is_open
            if self._company:
                matches = self._is_together(track, look, matches)
            # A gate that closes while nobody looks is believed as soon as any.
            self._stay(track, track.last_at if is_open else look.at, matches, look, before, now)
        if self.memory.parted:
            for ghost in self._gone(look, offered):
                self._stay(ghost, look.at, self._is_together(ghost, look, matches=True), look, before, now)
        if len(now) < len(before):
            for track in self._renamed(look, offered):
                self._stay(track, track.last_at, False, look, before, now)
        self.memory.stays = now
        return list(now.values())

    def _stay(
        self, track: Track, at: float, matches: bool, look: Look, before: dict[int, Stay], now: dict[int, Stay]
    ) -> None:
        stay = before.get(track.id)
        if stay is None:
            if not matches:
                return
            stay = Stay(track, Steady(), told=self._silence.returns_early(track, look))
        stay.track = track
        # A track that is only carried on has the same box and the same last look: the same answer again.
        if stay.match.see(matches, at):
            now[track.id] = stay

    def _matches(self, track: Track, look: Look) -> bool:
        """Whether all that the rule asks of the track alone holds; if not, how near it came is remembered."""
        for place, condition in enumerate(self._conditions):
            if not condition.holds(track, look):
                if self._record.would_be_closest(rank := place + condition.closeness(track)):
                    still = track.id in look.ground.things
                    self._record.came_close(rank, condition.shortfall(track), look.at, look.wall, held_back=still)
                return False
        return True

    def _is_together(self, track: Track, look: Look, matches: bool) -> bool:
        if not matches or not self._company:
            return False
        self.memory.parted[track.id] = track
        return self._company.holds(track, look)

    def _gone(self, look: Look, offered: list[Track]) -> list[Track]:
        """Those that matched but for their company, and left a moment ago."""
        here, within_s = ids(offered), self._rule.within
        self.memory.parted = {
            id_: track for id_, track in self.memory.parted.items() if look.at - track.last_at <= within_s
        }
        return [track for id_, track in self.memory.parted.items() if id_ not in here]

    def _renamed(self, look: Look, offered: list[Track]) -> list[Track]:
        """Those that matched and now go by another label: a kind that wavers from look to look is no news."""
        here = ids(offered)
        return [track for track in look.ground.tracks if track.id in self.memory.stays and track.id not in here]

    def counting(self, look: Look, here: list[Stay]) -> list[Stay] | None:
        """The tracks that make the rule's condition true; None while it is not."""
        if self.each_alone:
            for_s = self._rule.for_
            return ([stay for stay in here if stay.match.lasted_s >= for_s] if for_s else here) or None
        number, count = self.memory.number, self._rule.count
        holds = count.holds(len(here)) and (self.needs_tracks or (look.scene.online and self._gate.is_open(look)))
        number.see(holds, look.at, GRACE_S if self.needs_tracks else 0)
        believed_s = max(self._rule.for_, LINGER_S) if count.holds(0) else self._rule.for_
        return here if holds and number.lasted_s >= believed_s else None

    def lasted_s(self, here: list[Stay]) -> float:
        """How long the best of these has matched, or their number has held."""
        return max(stay.match.lasted_s for stay in here) if self.each_alone else self.memory.number.lasted_s

    def fitting(self, offered: list[Track], look: Look) -> Track | None:
        """One that meets all that is asked of it alone."""
        return next((track for track in offered if all(each.holds(track, look) for each in self._conditions)), None)
