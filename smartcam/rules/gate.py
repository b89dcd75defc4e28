"""What a rule asks of the moment: its times, and the alarm's state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smartcam.config import Rule
from smartcam.config.when import When
from smartcam.rules.look import Look


@dataclass(frozen=True, slots=True)
class Gate:
    """Open while a rule may fire."""

    when: tuple[When, ...]
    only: tuple[str, ...]
    unless: tuple[str, ...]
    needs_clock: bool

    @classmethod
    def of(cls, rule: Rule) -> Gate:
        by_day = rule.once in ("day", "day per label")
        return cls(rule.when, rule.only, rule.unless, needs_clock=bool(rule.when or rule.at) or by_day)

    @property
    def is_always_open(self) -> bool:
        return not (self.when or self.only or self.unless or self.needs_clock)

    def is_open(self, look: Look) -> bool:
        return (
            (look.clock_ok or not self.needs_clock)
            and (not self.when or look.calendar.holds(self.when, look.wall))
            and (not self.only or look.alarm.holds(self.only))
            and not (self.unless and look.alarm.holds(self.unless))
        )

    def reasons(self, look: Look) -> Iterator[str]:
        """Why it is open, for a person."""
        if window := next((window for window in self.when if look.calendar.holds((window,), look.wall)), None):
            yield f"it is {window}" if window.phase else f"within {window}"
        if word := next((word for word in self.only if look.alarm.holds((word,))), None):
            yield word
        if self.unless:
            yield f"not {' or '.join(self.unless)}"

    def closed(self, look: Look) -> str:
        """Why it is not open, for a person; empty while it is."""
        if self.needs_clock and not look.clock_ok:
            return "the clock is not set yet"
        if self.when and not look.calendar.holds(self.when, look.wall):
            return look.calendar.closed(self.when, look.wall)
        if self.only and not look.alarm.holds(self.only):
            return f"only while {' or '.join(self.only)}"
        if word := next((word for word in self.unless if look.alarm.holds((word,))), None):
            return f"it is {word}" if word == "disarmed" or word == "armed" else f"the mode is {word}"
        return ""
