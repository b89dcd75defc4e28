"""A story as lines of text: a bar over the recording's length for each rule, and why it did not fire. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple, TypeAlias

from smartcam.pipeline.story import Part, Story
from smartcam.rules.misses import Miss

MIN_COLUMNS = 48
MAX_NAME = 24
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Between two times below each other's bars."""
TICK_COLUMNS = 10

Style: TypeAlias = Literal["title", "dim", "fired", "silent", "added", "removed"]


class Line(NamedTuple):
    """A line, and how it may be coloured."""

    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn with."""

    fires: str
    goes_on: str
    nearly: str
    nothing: str


BLOCKS = Marks("█", "▒", "○", "·")
ASCII = Marks("#", "=", "o", ".")


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Where things stand on a line."""

    length_s: float
    name: int
    """Columns of the rules' names, and so on."""
    times: int
    bar: int
    marks: Marks

    @property
    def margin(self) -> str:
        return " " * (self.name + self.times + 2)

    def cell(self, at: float) -> int:
        """The column of the bar in which a time lies."""
        share = at / self.length_s if self.length_s > 0 else 0.0
        return min(max(int(share * self.bar), 0), self.bar - 1)


def marks_for(encoding: str | None) -> Marks:
    """Blocks where they can be written in this encoding, ASCII where not."""
    try:
        "".join((BLOCKS.fires, BLOCKS.goes_on, BLOCKS.nearly, BLOCKS.nothing)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def clock(at: float) -> str:
    """A place in a recording: ``0:41``, ``1:02:03``."""
    minutes, seconds = divmod(int(at), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def timeline(
    story: Story, *, columns: int = 80, marks: Marks = BLOCKS, zone: tzinfo | None = None, invented: bool = False
) -> list[Line]:
    """The story on lines of at most so many columns (`MIN_COLUMNS` at least); wall times are in `zone`.

    Where its date was `invented`, because nobody said when it began, that is told.
    """
    start = datetime.fromtimestamp(story.wall_start, zone).astimezone(zone)
    title = f"{story.clip}: {clock(round(story.length_s))} as {story.camera}"
    began = f"{start:%a %Y-%m-%d %H:%M:%S %Z}".rstrip()
    if invented:
        told = f"pretending that it begins on {began}; --at sets another"
        lines = [Line(title, "title"), *(Line(text, "dim") for text in textwrap.wrap(told, max(columns, MIN_COLUMNS)))]
    else:
        lines = [Line(f"{title}, from {began}", "title")]
    if story.parts:
        lines += _rows(story, max(columns, MIN_COLUMNS), marks)
    if story.elsewhere:
        told = f"not on {story.camera}: {', '.join(story.elsewhere)}"
        lines += [Line(text, "dim") for text in textwrap.wrap(told, max(columns, MIN_COLUMNS), subsequent_indent="  ")]
    return lines


def _rows(story: Story, columns: int, marks: Marks) -> Iterator[Line]:
    counts = {rule: _count(part) for rule, part in story.parts.items()}
    name = min(max(map(len, story.parts)), MAX_NAME)
    times = max(map(len, counts.values()))
    sheet = _Sheet(story.length_s, name, times, columns - name - times - 2, marks)
    yield Line(sheet.margin + _axis(sheet), "dim")
    for rule, part in story.parts.items():
        short = rule if len(rule) <= name else f"{rule[: name - 2]}.."
        first, *more = _cells(sheet, part)
        yield Line(f"{short:{name}} {counts[rule]:{times}} {first}", "fired" if part.firings else "silent")
        yield from (Line(sheet.margin + text, "dim") for text in more)
    legend = f"{marks.fires} fires  {marks.goes_on} goes on  {marks.nearly} nearly"
    yield Line(" " * min(len(sheet.margin), columns - len(legend)) + legend, "dim")


def _cells(sheet: _Sheet, part: Part) -> list[str]:
    """A rule's bar, and how near it came besides; why it did not fire, in place of a bar with nothing on it."""
    why = textwrap.wrap(_why(part), sheet.bar)
    return [_bar(sheet, part), *why] if _has_bar(part) else why or [""]


def _has_bar(part: Part) -> bool:
    return bool(part.firings) or len(part.misses) > 1


def _count(part: Part) -> str:
    if part.firings:
        return f"{len(part.firings)}x"
    return "never" if _has_bar(part) else "never:"


def _axis(sheet: _Sheet) -> str:
    """Times over the bars, as many as there is room for."""
    per_s = sheet.bar / max(sheet.length_s, 1.0)
    step = next((step for step in STEPS_S if step * per_s >= TICK_COLUMNS), STEPS_S[-1])
    axis = [" "] * sheet.bar
    for at in range(0, int(sheet.length_s) + 1, step):
        label, place = clock(at), sheet.cell(at)
        if place + len(label) <= sheet.bar:
            axis[place : place + len(label)] = label
    return "".join(axis).rstrip()


def _bar(sheet: _Sheet, part: Part) -> str:
    marks = sheet.marks
    bar = [marks.nothing] * sheet.bar
    for miss in part.misses:
        bar[sheet.cell(miss.at)] = marks.nearly
    for firing in part.firings:
        first, last = sheet.cell(firing.start_at), sheet.cell(firing.end_at)
        bar[first : last + 1] = marks.goes_on * (last + 1 - first)
    for firing in part.firings:
        bar[sheet.cell(firing.start_at)] = marks.fires
    return "".join(bar)


def _why(part: Part) -> str:
    """Why it did not fire, or not once more."""
    if not part.misses:
        return "" if part.firings else part.why_not
    nearest = closest(part.misses)
    many = f" (and {len(part.misses) - 1} more)" if len(part.misses) > 1 else ""
    return f"{'nearly once more: ' if part.firings else ''}{nearest.reason} at {clock(nearest.at)}{many}"


def closest(misses: tuple[Miss, ...]) -> Miss:
    """Of several visits, the one that came nearest; the latest of equals."""
    return max(reversed(misses), key=lambda miss: miss.rank)
