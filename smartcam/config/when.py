"""When a rule holds, as one writes it: ``"night"``, ``"mon-fri 18:00-07:00"``, ``"sat-sun"``, ``"sunset-30m - 23:00"``.

A window is some days, some hours, or both. Days name the day on which its hours begin: ``"fri 22:00-06:00"`` ends on
Saturday morning. Hours are two edges, or a phase of the sun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BeforeValidator

from smartcam.config.values import closest, shown

Phase: TypeAlias = Literal["night", "day", "dawn", "dusk"]
"""Night is sunset to sunrise. Dawn and dusk are the civil twilights before the one and after the other."""
Sun: TypeAlias = Literal["sunrise", "sunset"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = frozenset(range(7))
PHASES: tuple[Phase, ...] = get_args(Phase)
NAMED_DAYS = {"weekdays": frozenset(range(5)), "weekends": frozenset({5, 6})}
LATEST = 24 * 60
NOON = LATEST // 2

SAME = {
    "weekday": "weekdays",
    "weekend": "weekends",
    "every day": "mon-sun",
    "everyday": "mon-sun",
    "daily": "mon-sun",
    "always": "mon-sun",
    "nights": "night",
    "nighttime": "night",
    "daytime": "day",
    "noon": "12:00",
    "midnight": "00:00",
}
"""Other words for what has one."""
WRITTEN = (
    ("[\u2013\u2014\u2212]", "-"),  # Dashes that word processors and people write.
    (r"\s*\b(?:to|until|till)\b\s*", "-"),
    (r"(\d)\s*(?:minutes?|mins?)\b", r"\1m"),
    (r"(\d)\s*(?:hours?|h)\b", r"\1h"),
    (r"(\d) (?=(?:m|am|pm)\b)", r"\1"),
    (r"(\d+[hm]) before (sunrise|sunset)", r"\2-\1"),
    (r"(\d+[hm]) after (sunrise|sunset)", r"\2+\1"),
    (r"(?<=[a-z])\s*(?:,|\band\b)\s*(?=[a-z])", ","),
    (r"\s*([-+])\s*", r"\1"),
)
"""Other ways of writing, and ours."""
FILLERS = ("at", "by", "during", "from", "in", "on", "the")

_TIME = r"\d{1,2}:\d{2}"
_OFFSET = r"[+-](?:\d+h)?(?:\d+m)?(?<=[hm])"
_EDGE = rf"(?:{_TIME}|(?:sunrise|sunset)(?:{_OFFSET})?)"
_HOURS = re.compile(rf"({_EDGE})-({_EDGE})")
_SUN_EDGE = re.compile(r"(sunrise|sunset)(?:([+-])(?:(\d+)h)?(?:(\d+)m)?)?")
_DAY_WORDS = re.compile(r"[a-z]+(?:[-,][a-z]+)*")
_LOOSE = r"(\d{1,2})(?:[:.h]?(\d{2}))?h?(am|pm)?"
"""Times as they are written elsewhere: 6pm, 18h, 18.00, 1800."""
_HOW = 'write "night", "18:00-07:00", "mon-fri 18:00-07:00", "sat-sun" or "sunset-23:00"'


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a window's hours begin or end."""

    minutes: int
    """After local midnight, or after the sun's event; before it where negative."""
    sun: Sun | None = None

    def __str__(self) -> str:
        if self.sun is None:
            return f"{self.minutes // 60:02d}:{self.minutes % 60:02d}"
        return f"{self.sun}{self.minutes:+d}m" if self.minutes else self.sun


@dataclass(frozen=True, slots=True)
class When:
    """One window. Without `hours` and `phase` it is whole days."""

    days: frozenset[int]
    """Monday is 0."""
    hours: tuple[Edge, Edge] | None = None
    phase: Phase | None = None

    @property
    def needs_sun(self) -> bool:
        return self.phase is not None or any(edge.sun for edge in self.hours or ())

    @property
    def ends_next_day(self) -> bool:
        """Whether its hours go over midnight. It depends on the words alone, not on the season: sunrise is of the
        morning and sunset of the evening, so ``"19:00-sunset"`` is an evening of summer, and nothing in winter."""
        if not self.hours:
            return self.phase == "night"
        start, end = self.hours
        if start.sun == end.sun:
            return end.minutes <= start.minutes
        in_the_evening = start.sun == "sunset" if start.sun else start.minutes >= NOON
        till_the_evening = end.sun == "sunset" if end.sun else end.minutes > NOON
        return in_the_evening and not till_the_evening

    @classmethod
    def read(cls, text: Any) -> When:
        """From its text. Raises ValueError, with a sentence that says how it is written."""
        if not isinstance(text, str):
            raise ValueError(f"{shown(text)} is no time: {_HOW}, in quotes")
        words = _plain(text).split()
        days, rest = _parted(words, text)
        if not rest and words:
            return cls(days)
        if rest in PHASES:
            return cls(days, phase=rest)
        if not (hours := _HOURS.fullmatch(rest)):
            raise ValueError(f"{shown(text)} is no time{_meant(rest, text)}: {_HOW}")
        start, end = _edge(hours[1]), _edge(hours[2])
        if start == end:
            raise ValueError(f"{shown(text)} begins when it ends: leave the hours out for a whole day")
        if start == Edge(LATEST):
            raise ValueError(f'{shown(text)} begins at the end of a day: write "00:00-{end}", and the day after')
        return cls(days, (start, end))

    def __str__(self) -> str:
        hours = self.phase or ("-".join(map(str, self.hours)) if self.hours else "")
        days = "" if self.days == EVERY_DAY else _runs(self.days)
        return " ".join(filter(None, (days, hours))) or "mon-sun"


def minutes_of(text: Any) -> int:
    """``"12:00"`` → minutes after midnight. Raises ValueError with a sentence."""
    plain = SAME.get(text.strip().lower(), text.strip()) if isinstance(text, str) else ""
    if not re.fullmatch(_TIME, plain):
        meant = re.fullmatch(_LOOSE, plain.lower().replace(" ", ""))
        suggestion = _suggested(_clock(meant)) if meant else ""
        raise ValueError(
            f'{shown(text)} is no time of day{suggestion}: write hours and minutes in quotes, like "12:00"'
        )
    hours, minutes = map(int, plain.split(":"))
    if minutes > 59 or hours * 60 + minutes > LATEST:
        raise ValueError(f'{shown(text)} is no time of day: the last one is "23:59"')
    return hours * 60 + minutes


def whens(value: Any) -> tuple[When, ...]:
    """One window or a list of them, of which any will do."""
    several = value if isinstance(value, list | tuple) else [value]
    if not several:
        raise ValueError(f"an empty list is never: leave it out, or {_HOW}")
    return tuple(each if isinstance(each, When) else When.read(each) for each in several)


def times(value: Any) -> tuple[int, ...]:
    """One time of day or a list of them, in minutes after midnight."""
    several = value if isinstance(value, list | tuple) else [value]
    if not several:
        raise ValueError('an empty list is never: write a time of day, like "12:00"')
    return tuple(sorted({minutes_of(each) % LATEST for each in several}))


def _plain(text: str) -> str:
    """In lower case and without what makes no difference, so that a blank stands between days and hours only."""
    plain = " ".join(text.lower().split())
    for pattern, written in WRITTEN:
        plain = re.sub(pattern, written, plain)
    plain = re.sub(rf"\b(?:{'|'.join(SAME)})\b", lambda found: SAME[found[0]], plain)
    return " ".join(word for word in plain.split() if word not in FILLERS)


def _parted(words: list[str], text: str) -> tuple[frozenset[int], str]:
    """The days, which stand first or last, and the rest."""
    for place in (0, -1):
        if words and (days := _days(words[place].strip(",:"), text)) is not None:
            return days, " ".join(words[1:] if place == 0 else words[:-1])
    return EVERY_DAY, " ".join(words)


def _days(word: str, text: str) -> frozenset[int] | None:
    """``mon``, ``mon-fri``, ``mon,wed``, ``weekends`` → days; None where the word speaks of something else."""
    if word in NAMED_DAYS:
        return NAMED_DAYS[word]
    parts = re.split("[-,]", word)
    if not _DAY_WORDS.fullmatch(word) or not any(part[:3] in DAYS for part in parts):
        return None
    if any(part in PHASES or part.startswith(("sunrise", "sunset")) for part in parts):
        return None
    return frozenset[int]().union(*(_range(part, text) for part in word.split(",")))


def _range(part: str, text: str) -> frozenset[int]:
    first, _, last = part.partition("-")
    start, end = _day(first, text), _day(last or first, text)
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))


def _day(word: str, text: str) -> int:
    for number, full in enumerate(FULL_DAYS):
        if len(word) >= 3 and (full.startswith(word) or word == f"{full}s"):
            return number
    raise ValueError(f"{shown(text)}: no day {shown(word)}{closest(word, (*DAYS, *FULL_DAYS))}; write mon, tue … sun")


def _runs(days: frozenset[int]) -> str:
    """``mon-fri``, ``mon,wed``, ``sat-sun``."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join("-".join(DAYS[day] for day in dict.fromkeys((run[0], run[-1]))) for run in runs)


def _edge(text: str) -> Edge:
    if not (sun := _SUN_EDGE.fullmatch(text)):
        return Edge(minutes_of(text))
    offset = int(sun[3] or 0) * 60 + int(sun[4] or 0)
    if offset > NOON:
        raise ValueError(f"{shown(text)} is more than half a day from {sun[1]}: write a time of day instead")
    event: Sun = "sunrise" if sun[1] == "sunrise" else "sunset"
    return Edge(-offset if sun[2] == "-" else offset, event)


def _meant(rest: str, text: str) -> str:
    """`` (did you mean "18:00-07:00"?)``, for hours that are written in another way."""
    if loose := re.fullmatch(f"{_LOOSE}-{_LOOSE}", rest):
        return _suggested(f"{_clock(loose)}-{_clock(loose, 4)}")
    if re.fullmatch(_LOOSE, rest):
        return f', but a moment: write `at = "{rest}"` for a rule by the clock, or a begin and an end'
    if sun := re.search(r"\b(before|after|since)\b.*\b(sunrise|sunset)\b|^(sunrise|sunset)\b", rest):
        ends = "00:00-sunrise" if sun[1] == "before" else f"{sun[2] or sun[3]}-23:00"
        return f' without a begin and an end (did you mean something like "{ends}"?)'
    if rest in ("dusk-dawn", "dawn-dusk"):
        return _suggested("night" if rest == "dusk-dawn" else "day")
    if "," in text:
        return '; several are a list, ["night", "sat-sun"]'
    return closest(rest, (*DAYS, *PHASES, *NAMED_DAYS, "sunrise", "sunset"))


def _clock(loose: re.Match[str], first: int = 1) -> str:
    """A time that is written in another way, in ours."""
    hours, half = int(loose[first]), loose[first + 2]
    if half:
        hours = hours % 12 + (12 if half == "pm" else 0)
    return f"{hours:02d}:{loose[first + 1] or '00'}"


def _suggested(words: str) -> str:
    return f' (did you mean "{words}"?)'


Whens: TypeAlias = Annotated[tuple[When, ...], BeforeValidator(whens)]
Times: TypeAlias = Annotated[tuple[int, ...], BeforeValidator(times)]
