"""Whether the place is armed, and in which mode it is: by the clock, and by the word of a person.

The clock speaks when a window begins or ends, also if that was while nothing ran; a person's word holds until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from smartcam.config import Config
from smartcam.config.values import closest, shown
from smartcam.config.when import When
from smartcam.errors import SmartcamError
from smartcam.rules.calendar import Calendar

LOOK_EVERY_S = 1.0
STEP_BACK_S = 60.0
"""A clock that goes back by less is waited for: scenes of several cameras come out of order, and at a window's edge the
alarm must not go off and on."""


@dataclass(slots=True)
class Said:
    """The clock's last word."""

    word: str = ""
    """Empty where the clock has nothing to say: then it is armed, in the first mode, until a person says otherwise."""
    start: int | None = None
    """The minute since 1970 of the window's begin or end; None where none is near."""

    def is_news_after(self, last: Said) -> bool:
        """Whether the clock has spoken since. A change that is too long ago to be seen is none."""
        return self.word != last.word or (self.start is not None and self.start != last.start)


@dataclass(slots=True)
class AlarmMemory:
    """What is kept over restarts."""

    armed: bool = True
    mode: str = ""
    """Empty before anybody has chosen one."""
    armed_by_clock: Said = field(default_factory=Said)
    mode_by_clock: Said = field(default_factory=Said)


class Alarm:
    """The state of the alarm; `memory` is its own, and changed in place. One thread at a time."""

    def __init__(self, config: Config, calendar: Calendar, memory: AlarmMemory) -> None:
        self._armed_when = config.armed.when
        self._modes: Mapping[str, tuple[When, ...]] = {name: mode.when for name, mode in config.mode.items()}
        self._calendar = calendar
        self._memory = memory
        self._looked_wall = -inf

    @property
    def armed(self) -> bool:
        return self._memory.armed

    @property
    def mode(self) -> str:
        """Empty where there are no modes. One that there is no more gives way to the first."""
        return self._memory.mode if self._memory.mode in self._modes else self._first

    @property
    def _first(self) -> str:
        return next(iter(self._modes), "")

    def follow(self, wall: float) -> None:
        """Let the clock speak, which shows `wall` Unix seconds; for every scene, as it looks once a second only."""
        if -STEP_BACK_S < wall - self._looked_wall < LOOK_EVERY_S:
            return
        self._looked_wall = wall
        memory = self._memory
        armed, mode = self._armed_by_clock(wall), self._mode_by_clock(wall)
        if armed.is_news_after(memory.armed_by_clock):
            memory.armed_by_clock = armed
            memory.armed = armed.word != "disarmed"
        if mode.is_news_after(memory.mode_by_clock):
            memory.mode_by_clock = mode
            memory.mode = mode.word

    def arm(self, armed: bool) -> None:
        """A person's word."""
        self._memory.armed = armed

    def set_mode(self, name: str) -> None:
        """A person's word. Raises SmartcamError for a mode that there is none of."""
        if not self._modes:
            raise SmartcamError("this configuration has no modes: write a [mode.NAME] for each")
        if name not in self._modes:
            known = ", ".join(self._modes)
            raise SmartcamError(f"no mode {shown(name)}{closest(name, self._modes)}: there is {known}")
        self._memory.mode = name

    def holds(self, words: Iterable[str]) -> bool:
        """Whether any of these is so: armed, disarmed, or the name of a mode."""
        return any(word == ("armed" if self.armed else "disarmed") or word == self.mode for word in words)

    def _armed_by_clock(self, wall: float) -> Said:
        if not self._armed_when:
            return Said()
        spell = self._calendar.spell(self._armed_when, wall)
        return Said("armed" if spell.holds else "disarmed", _minute(spell.start))

    def _mode_by_clock(self, wall: float) -> Said:
        """The mode whose window has begun last; where none holds, the first mode, since the last window ended."""
        spells = {name: self._calendar.spell(when, wall) for name, when in self._modes.items() if when}
        if not spells:
            return Said()
        on = [name for name, spell in spells.items() if spell.holds]
        latest = max(on or spells, key=lambda name: spells[name].start)
        return Said(latest if on else self._first, _minute(spells[latest].start))


def _minute(wall: float) -> int | None:
    return None if wall == -inf else round(wall / 60)
