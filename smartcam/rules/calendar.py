"""When the windows of rules hold at one site: days, clock times and the sun.

Every window of every day is one span of Unix time, from its begin to its end. The local clock is asked only for the
ends of spans: a window begins when the clock first shows a time of it, and ends when it has done so for the last time,
so that no change of the clock tears one in two. An end that the clock skips is the moment of the skip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import inf
from zoneinfo import ZoneInfo

from smartcam.config import Site
from smartcam.config.when import EVERY_DAY, LATEST, NOON, Edge, Phase, When
from smartcam.sun import Polar, SunDay, day_number, sun_day

DAY_S = 86400.0
VISIBLE_DAYS = 8
"""How far a change is looked for: every window of the week has one within it."""
UNSEEN_DAYS = 2
"""Further away, a window that begins on a day beyond may still reach into it, by offsets of half a day from the sun."""
LONGEST_STEP_S = 3600.0
"""A clock that moves by more between two looks was set."""
MOST_SUNS = 100
"""Days of the sun that are remembered: a spell asks for 20."""
AT_NIGHT = (When(EVERY_DAY, phase="night"),)
BY_DAY = (When(EVERY_DAY, phase="day"),)
SPOKEN: dict[Phase, str] = {"night": "at night", "day": "by day", "dawn": "at dawn", "dusk": "at dusk"}


@dataclass(frozen=True, slots=True)
class SunTimes:
    """One day's, in local time. None is what does not happen on that day, or is not known without [site]."""

    dawn: datetime | None
    """Begin of the civil twilight."""
    sunrise: datetime | None
    sunset: datetime | None
    """After midnight, where the sun sets so late."""
    dusk: datetime | None
    """End of the civil twilight."""
    polar: Polar
    """ "day" where the sun does not set, "night" where it does not rise."""


@dataclass(frozen=True, slots=True)
class Spell:
    """The time around a moment in which windows hold, or do not, without a change."""

    start: float
    """-inf where there was no change within `VISIBLE_DAYS`."""
    end: float
    """inf where there is none to come within them."""
    holds: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """A spell, and the moments for which it is right."""

    spell: Spell
    start: float
    end: float


class Calendar:
    """The clock and the sun of a site."""

    def __init__(self, site: Site) -> None:
        self._zone = ZoneInfo(site.timezone) if site.timezone else None
        self._place = None if site.latitude is None or site.longitude is None else (site.latitude, site.longitude)
        self._suns: dict[int, SunDay] = {}
        self._known: dict[tuple[When, ...], _Known] = {}

    def holds(self, whens: tuple[When, ...], wall: float) -> bool:
        """Whether any of these windows holds; no windows hold always."""
        return not whens or self.spell(whens, wall).holds

    def spell(self, whens: tuple[When, ...], wall: float) -> Spell:
        """How long any of these windows has held and will, or none has and will. Worked out once a spell."""
        known = self._known.get(whens)
        if known is None or not known.start <= wall < known.end:
            spell = self._spell(whens, wall)
            known = self._known[whens] = _Known(spell, max(spell.start, wall - DAY_S), min(spell.end, wall + DAY_S))
        return known.spell

    def closed(self, whens: tuple[When, ...], wall: float) -> str:
        """One clause why none holds now, for a person; empty while one does."""
        if not whens or (spell := self.spell(whens, wall)).holds:
            return ""
        if self._place is None and all(when.needs_sun for when in whens):
            return "without latitude and longitude in [site] nobody knows where the sun is"
        only = f"only {' or '.join(_spoken(when) for when in whens)}"
        if whens in (AT_NIGHT, BY_DAY):
            stays, now = ("set", "day") if whens == AT_NIGHT else ("rise", "night")
            if spell.end == inf:
                return f"the sun does not {stays} these days: {only}"
            return f"it is {now} until {self._said(spell.end, wall)}: {only}"
        if any(when.needs_sun for when in whens):
            next_ = f"next at {self._said(spell.end, wall)}" if spell.end < inf else f"not within {VISIBLE_DAYS} days"
            only += f" ({next_})"
        return f"it is {self.local(wall):%a %H:%M}: {only}"

    def day(self, wall: float) -> str:
        """The local date, as ISO writes it."""
        return self.local(wall).date().isoformat()

    def local(self, wall: float) -> datetime:
        """The local time."""
        return datetime.fromtimestamp(wall, self._zone).astimezone(self._zone)

    def sun(self, day: date) -> SunTimes:
        """When the sun rises and sets on that day."""
        if (sun := self._sun_of(day)) is None:
            return SunTimes(None, None, None, None, "")
        dawn, sunrise, sunset, dusk = (
            None if wall is None else self.local(wall) for wall in (sun.dawn, sun.sunrise, sun.sunset, sun.dusk)
        )
        return SunTimes(dawn, sunrise, sunset, dusk, sun.polar)

    def due(self, times: tuple[int, ...], since_wall: float, wall: float) -> int | None:
        """The last of these minutes of the day that the clock has come to after `since_wall`, up to `wall`.

        None where there is none, or where the clock was set in between: back, or on by more than `LONGEST_STEP_S`. A
        minute that the clock skips is due at once, and one that it shows twice is due once.
        """
        if not 0 < wall - since_wall <= LONGEST_STEP_S or since_wall // 60 == wall // 60:
            return None
        days = {self.local(since_wall).date(), self.local(wall).date()}
        due = {self._instant(day, minutes): minutes for day in days for minutes in times}
        passed = [moment for moment in due if since_wall < moment <= wall]
        return due[max(passed)] if passed else None

    def _spell(self, whens: tuple[When, ...], wall: float) -> Spell:
        near = self._spell_within(1, whens, wall)
        return near if -inf < near.start and near.end < inf else self._spell_within(VISIBLE_DAYS, whens, wall)

    def _spell_within(self, visible_days: int, whens: tuple[When, ...], wall: float) -> Spell:
        start, earliest, latest = -inf, wall - visible_days * DAY_S, wall + visible_days * DAY_S
        for begin, end in _merged(self._spans(whens, self.local(wall).date(), visible_days + UNSEEN_DAYS)):
            if end <= wall:
                start = end
            elif begin <= wall:
                return Spell(begin if begin >= earliest else -inf, end if end <= latest else inf, True)
            else:
                return Spell(start if start >= earliest else -inf, begin if begin <= latest else inf, False)
        return Spell(start if start >= earliest else -inf, inf, False)

    def _spans(self, whens: tuple[When, ...], today: date, reach_days: int) -> Iterator[tuple[float, float]]:
        """All windows that begin on the days around, and last at all."""
        for when in whens:
            spans = self._phases(when.phase, today, reach_days) if when.phase else self._hours(when, today, reach_days)
            for day, start, end in spans:
                if day.weekday() in when.days and start < end:
                    yield start, end

    def _hours(self, when: When, today: date, reach_days: int) -> Iterator[tuple[date, float, float]]:
        """The hours of a window, or the whole day, on each of the days around."""
        first, last = when.hours or (Edge(0), Edge(LATEST))
        for day in (today + timedelta(days) for days in range(-reach_days, reach_days + 1)):
            if self._instant(day, 0) == self._instant(day, LATEST, last=True):
                continue  # A day that never was: a zone that moves over the date line leaves one out.
            start, end = self._edge(first, day), self._edge(last, day, later=when.ends_next_day, is_end=True)
            if start is not None and end is not None:
                yield day, start, end

    def _phases(self, phase: Phase, today: date, reach_days: int) -> Iterator[tuple[date, float, float]]:
        """A phase on each of the sun's days around. Their noon names them: in a zone that does not fit the longitude a
        date may have none, but the phases fill the time nevertheless."""
        if self._place is None:
            return
        middle = self._number(today, self._place[1])
        for number in range(middle - reach_days, middle + reach_days + 1):
            sun = self._sun_day(number, self._place)
            (rise, set_), (dawn, dusk) = sun.light, sun.twilight
            day = self.local(sun.noon).date()
            match phase:
                case "day":
                    yield day, rise, set_
                case "dawn":
                    yield day, dawn, rise
                case "dusk":
                    yield day, set_, dusk
                case "night":
                    yield day, set_, self._sun_day(number + 1, self._place).light[0]

    def _edge(self, edge: Edge, day: date, *, later: bool = False, is_end: bool = False) -> float | None:
        """The moment of an edge on that day, or on the one after."""
        if edge.sun is None:
            return self._instant(day, edge.minutes + LATEST * later, last=is_end)
        if (sun := self._sun_of(day, later=later)) is None:
            return None
        return sun.light[edge.sun == "sunset"] + edge.minutes * 60

    def _sun_of(self, day: date, *, later: bool = False) -> SunDay | None:
        """The sun on that day, or on its day after; None where the place is not known."""
        return self._place and self._sun_day(self._number(day, self._place[1]) + later, self._place)

    def _number(self, day: date, longitude: float) -> int:
        return day_number(longitude, self._instant(day, NOON))

    def _sun_day(self, number: int, place: tuple[float, float]) -> SunDay:
        if number not in self._suns:
            if len(self._suns) >= MOST_SUNS:
                self._suns.clear()
            self._suns[number] = sun_day(*place, number)
        return self._suns[number]

    def _instant(self, day: date, minutes: int, *, last: bool = False) -> float:
        """When the local clock first shows that minute of the day or a later one; `last`: when it has shown what is
        before it for the last time."""
        shown = datetime.combine(day, time()) + timedelta(minutes=minutes)
        moment = self._moment(shown, fold=last)
        if last and self._shown(moment - 1) > shown:
            moment = self._moment(shown, fold=False)  # The hour that comes twice begins with it.
        if self._shown(moment) == shown:
            return moment
        before, after = sorted((self._moment(shown, fold=False), self._moment(shown, fold=True)))
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self._shown(middle) < shown else (before, middle)
        return after

    def _moment(self, shown: datetime, *, fold: bool) -> float:
        return shown.replace(tzinfo=self._zone, fold=int(fold)).timestamp()

    def _shown(self, moment: float) -> datetime:
        """What the local clock shows, without its zone."""
        return datetime.fromtimestamp(moment, self._zone).replace(tzinfo=None, fold=0)

    def _said(self, moment: float, wall: float) -> str:
        """A moment that is not far from `wall`, for a person."""
        local = self.local(moment)
        return f"{local:%H:%M}" if local.date() == self.local(wall).date() else f"{local:%a %H:%M}"


def _merged(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """In order, and those that touch as one."""
    start = end = -inf
    for begin, until in sorted(spans):
        if begin > end:
            if end > -inf:
                yield start, end
            start = begin
        end = max(end, until)
    if end > -inf:
        yield start, end


def _spoken(when: When) -> str:
    """``at night``, ``fri at night``, ``mon-fri 18:00-07:00``."""
    if when.phase is None:
        return str(when)
    days = "" if when.days == EVERY_DAY else f"{When(when.days)} "
    return days + SPOKEN[when.phase]
