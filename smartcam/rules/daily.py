"""A rule that fires by the clock: a sign of life at noon, a picture every morning."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from smartcam.data import Event
from smartcam.rules.gate import Gate
from smartcam.rules.look import Look
from smartcam.rules.misses import Miss, Record
from smartcam.rules.telling import Firing, Telling


@dataclass(slots=True)
class DailyState:
    """All that such a rule remembers of one camera."""

    looked_wall: float | None = None
    """The last scene's time: what was due since then is due now."""
    fired_for: str = ""
    """The day and the time of day that it fired for last: a clock that is set back comes by there again."""
    firing: Firing | None = None
    record: Record = field(default_factory=Record)


class Daily:
    """Tells a start when it is time, and the end with the next scene."""

    is_busy = True

    def __init__(self, telling: Telling, gate: Gate, state: DailyState, new_id: Callable[[float], str]) -> None:
        self.telling = telling
        self._gate = gate
        self.state = state
        self._new_id = new_id

    def feed(self, look: Look) -> Event | None:
        """Look at the clock; its camera may be away."""
        if firing := self.state.firing:
            self.state.firing = None
            return self.telling.tell(firing, "end", look.at, look.wall)
        due = self._due(look)
        if due is None or not self._gate.is_open(look):
            return None
        moment = f"{look.calendar.day(look.wall)} {due}"
        if moment == self.state.fired_for:
            return None
        self.state.fired_for = moment
        self.state.firing = by_the_clock(
            self._new_id(look.wall), look.at, look.wall, f"it is {due // 60:02d}:{due % 60:02d}"
        )
        self.state.record.fires(look.wall)
        return self.telling.tell(self.state.firing, "start", look.at, look.wall)

    def finish(self, at: float, wall: float, _misses: deque[Miss]) -> Event | None:
        firing, self.state.firing = self.state.firing, None
        return self.telling.tell(firing, "end", at, wall) if firing else None

    def _due(self, look: Look) -> int | None:
        since, self.state.looked_wall = self.state.looked_wall, look.wall if look.clock_ok else None
        if since is None or not look.clock_ok:
            return None
        return look.calendar.due(self.telling.rule.at, since, look.wall)


def by_the_clock(id_: str, at: float, wall: float, reason: str, *, test: bool = False) -> Firing:
    """An event of a moment, which is not about things seen."""
    return Firing(id_, at, wall, of="", went_on_at=at, matched_at=at, moved_at=at, reasons=(reason,), test=test)
