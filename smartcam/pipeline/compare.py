"""What a change of rules adds and takes away on the same recording. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from smartcam.mqtt.form import rfc3339
from smartcam.pipeline.story import Firing, Key, Story
from smartcam.pipeline.timeline import MIN_COLUMNS, Line, Style, clock, closest

NEAR_S = 3.0
"""Events of one rule that miss each other by no more are the same, shifted."""
TOLD_S = 0.05
"""Times that differ by less are the same."""

Kind: TypeAlias = Literal["added", "removed", "changed"]
MARKS: Mapping[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}
STYLES: Mapping[Kind, Style] = {"added": "added", "removed": "removed", "changed": "silent"}


@dataclass(frozen=True, slots=True)
class Change:
    """One event that is not as it was."""

    kind: Kind
    old: Firing | None
    new: Firing | None
    why: tuple[str, ...]
    """One clause each, for a person."""

    @property
    def firing(self) -> Firing:
        """As it is now, or as it was where it is no more."""
        firing = self.new or self.old
        assert firing is not None
        return firing


class Count(NamedTuple):
    """How often a rule fired; None where there is no such rule."""

    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two sets of rules make of the same recording."""

    changes: tuple[Change, ...]
    """By the time of their start."""
    same: int
    """Events that both have."""
    counts: dict[str, Count]
    """By rule, the new ones' order first."""

    def number(self, kind: Kind) -> int:
        return sum(change.kind == kind for change in self.changes)


def compare(old: Story, new: Story) -> Comparison:
    """Match the events of two stories of one recording.

    Two are the same event where the rule is, and their times overlap or nearly do; also where the rule of the one is
    unknown to the other story and the other way round, the labels agree and the times overlap: it was renamed.
    """
    pairs = list(_pairs(old, new))
    changes = [change for pair in pairs if (change := _changed(*pair))]
    lost = _others(old, {was.key for was, _ in pairs})
    found = _others(new, {now.key for _, now in pairs})
    all_ = [
        *changes,
        *(Change("removed", was, None, (*was.event.reasons, f"now: {_why_not(was, new)}")) for was in lost),
        *(Change("added", None, now, (*now.event.reasons, f"before: {_why_not(now, old)}")) for now in found),
    ]
    return Comparison(
        tuple(sorted(all_, key=lambda change: (change.firing.start_at, change.firing.rule))),
        len(pairs) - len(changes),
        {rule: Count(_number(old, rule), _number(new, rule)) for rule in dict.fromkeys((*new.parts, *old.parts))},
    )


def total(comparisons: Iterable[Comparison]) -> Comparison:
    """Of several recordings together; its changes are in the recordings' order."""
    comparisons = list(comparisons)
    counts: dict[str, Count] = {}
    for comparison in comparisons:
        for rule, count in comparison.counts.items():
            before = counts.get(rule, Count(None, None))
            counts[rule] = Count(_sum(before.old, count.old), _sum(before.new, count.new))
    changes = tuple(change for comparison in comparisons for change in comparison.changes)
    return Comparison(changes, sum(comparison.same for comparison in comparisons), counts)


def _pairs(old: Story, new: Story) -> Iterator[tuple[Firing, Firing]]:
    """Those that are the same event, each in one pair: first within a rule, then across a renaming; the longest
    overlap first."""
    taken_old, taken_new = set[Key](), set[Key]()
    found = [
        (was.rule != now.rule, -_overlap_s(was, now), was, now)
        for was in old.firings
        for now in new.firings
        if _overlap_s(was, now) >= (-NEAR_S if was.rule == now.rule else 0) and _may_be_one(was, now, old, new)
    ]
    for _, _, was, now in sorted(found, key=lambda each: each[:2]):
        if was.key not in taken_old and now.key not in taken_new:
            taken_old.add(was.key)
            taken_new.add(now.key)
            yield was, now


def _others(story: Story, keys: set[Key]) -> list[Firing]:
    return [firing for firing in story.firings if firing.key not in keys]


def _may_be_one(was: Firing, now: Firing, old: Story, new: Story) -> bool:
    renamed = was.rule not in new.parts and now.rule not in old.parts and was.event.label == now.event.label
    return was.rule == now.rule or renamed


def _overlap_s(one: Firing, other: Firing) -> float:
    return min(one.end_at, other.end_at) - max(one.start_at, other.start_at)


def _changed(was: Firing, now: Firing) -> Change | None:
    """What is not as it was, in what a receiver would notice."""
    differences = [f"was {old_}" for old_, new_ in zip(_traits(was), _traits(now), strict=True) if old_ != new_]
    shifted = max(abs(was.start_at - now.start_at), abs(was.end_at - now.end_at)) >= TOLD_S
    if shifted:
        differences.insert(0, f"was {span(was, exact=True)}, is {span(now, exact=True)}")
    return Change("changed", was, now, tuple(differences)) if differences else None


def _traits(firing: Firing) -> tuple[str, ...]:
    event = firing.event
    return (
        f"the rule {event.rule}",
        event.label or "nothing seen",
        f"in {', '.join(event.zones) or 'no zone'}",
        f"of level {event.level}",
        f"with {' and '.join(event.evidence) or 'no picture'}",
        f'"{event.message}"' if event.message else "without a message",
    )


def span(firing: Firing, *, exact: bool = False) -> str:
    """``0:02-0:09``; with tenths of a second where that is what differs."""
    shown = _tenths if exact else clock
    return f"{shown(firing.start_at)}-{shown(firing.end_at)}"


def _tenths(at: float) -> str:
    tenths = round(at * 10)
    return f"{clock(tenths // 10)}.{tenths % 10}"


def _why_not(firing: Firing, other: Story) -> str:
    """Why the other set of rules did not fire then."""
    part = other.parts.get(firing.rule)
    if part is None:
        return "no such rule"
    then = tuple(miss for miss in part.misses if firing.start_at - NEAR_S <= miss.at <= firing.end_at + NEAR_S)
    if then:
        return closest(then).reason
    open_ = next((each for each in part.firings if _overlap_s(each, firing) >= 0), None)
    return f"part of the event of {span(open_)}" if open_ else part.why_not or "nothing to fire at"


def _number(story: Story, rule: str) -> int | None:
    return len(story.parts[rule].firings) if rule in story.parts else None


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def lines(comparison: Comparison, title: str, columns: int, *, changes: bool = True) -> list[Line]:
    """For people: each change, how often each rule fired that is not as it was, and the sum."""
    width = max(columns, MIN_COLUMNS)
    sums = ", ".join(f"{comparison.number(kind)} {kind}" for kind in MARKS)
    found = [Line(f"{title}: {sums}, {comparison.same} the same", "title")]
    for change in comparison.changes if changes else ():
        text = f"{MARKS[change.kind]} {span(change.firing)} {change.firing.rule}: {_said(change)}"
        wrapped = textwrap.wrap(text, width, subsequent_indent="    ")
        found += [Line(each, STYLES[change.kind]) for each in wrapped]
    counts = {rule: count for rule, count in comparison.counts.items() if count.old != count.new}
    if counts:
        name = max(map(len, ("fired", *counts)))
        found.append(Line(f"  {'fired':{name}}   old   new", "dim"))
        found += [
            Line(f"  {rule:{name}} {_shown(old):>5} {_shown(new):>5}", "silent") for rule, (old, new) in counts.items()
        ]
    return found


def _said(change: Change) -> str:
    event = change.firing.event
    where = f" in {', '.join(event.zones)}" if event.zones else ""
    what = f"{event.label}{where}" if event.label else "by the clock"
    return f"{what} ({'; '.join(change.why)})"


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)


def as_json(change: Change, story: Story) -> str:
    """For programs: one line."""
    told: dict[str, Any] = {"change": change.kind, "clip": story.clip, **_facts(change.firing, story)}
    if change.kind == "changed" and change.old:
        told["was"] = _facts(change.old, story)
    return json.dumps(told | {"why": change.why}, ensure_ascii=False, separators=(",", ":"))


def _facts(firing: Firing, story: Story) -> dict[str, Any]:
    event = firing.event
    return {
        "rule": event.rule,
        "camera": event.camera,
        "start_s": round(firing.start_at, 3),
        "end_s": round(firing.end_at, 3),
        "start": rfc3339(story.wall_start + firing.start_at),
        "label": event.label,
        "zones": event.zones,
        "level": event.level,
        "reasons": event.reasons,
    }
