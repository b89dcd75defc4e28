"""What goes next of what is kept: the least valuable first, and never what is still owed. Reads the store only.

**By size**, always: a kind that is over its quota, and everything while the disk is shorter of room than `keep.free`.
What goes is told by what was kept since, and not by any clock: a thing stands behind all the newer ones of its kind, an
alert `LEVELS` times less far than an info, and so on. **By age**, only where the time is believed (`clock`), and only
what was kept while the clock was set.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from smartcam.config.delivery import Keep, Quota
from smartcam.data import Level
from smartcam.store.exhibits import IS_OWED

FILES_AT_ONCE = 64
EVENTS_AT_ONCE = 256
"""Messages, in one transaction …"""
AMONG_OLDEST = 2048
"""… and among how many of the oldest the least valuable are looked for."""
DAY_S = 86_400.0

LEVELS: dict[Level, float] = {"info": 1.0, "event": 2.0, "alert": 8.0}
"""How many times longer than an info a thing of that level stays."""
DELIVERED = 0.5
"""Somebody else has it: it stays half as long."""
KINDS = {"clip": 1.0, "snapshot": 4.0, "sample": 0.5}
"""The same between kinds, where the disk is short of room: one clip makes room for a hundred pictures."""
NOT_SET = '"clock_ok":false'
"""How an event's payload says that its times were not to be trusted."""
LEAST_SCORE = 0.5
"""What is added to a score, so that a doubtful thing stays a third as long as a sure one."""


class Exhibited(NamedTuple):
    """A picture or a clip that is kept, and owed to nobody."""

    file: str
    kind: str
    bytes: int
    worth: float
    kept: float
    """Unix seconds."""
    clock_ok: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes next."""

    files: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    """By their ids."""

    def __bool__(self) -> bool:
        return bool(self.files or self.events)


TOLD_AND_OWED = "EXISTS (SELECT 1 FROM event AS told JOIN outbox ON outbox.n = told.n WHERE told.id = {})"
"""Whether a message of the event is still to be sent, in SQL …"""
SHOWN = "EXISTS (SELECT 1 FROM media WHERE media.event = {})"
"""… and whether exhibits of it are kept."""


def choose(db: sqlite3.Connection, keep: Keep, believed: float | None, free_bytes: int) -> Choice:
    """What should go next: some of it, if there is much. Raises sqlite3.Error."""
    found = exhibited(db)
    files = dict.fromkeys(each for kind in KINDS for each in _beyond_quota(found, kind, quota_of(keep, kind), believed))
    gone_bytes = sum(each.bytes for each in files)
    left = [each for each in found if each not in files]
    short = _least_valuable_of(left, keep.free - free_bytes - gone_bytes, by_kind=True)
    going = [each.file for each in (*files, *short)]
    return Choice(tuple(going[:FILES_AT_ONCE]), tuple(_old_events(db, keep.events, believed)))


def quota_of(keep: Keep, kind: str) -> Quota:
    return {"clip": keep.clips, "snapshot": keep.snapshots, "sample": keep.samples, "event": keep.events}[kind]


def exhibited(db: sqlite3.Connection) -> list[Exhibited]:
    """What is owed to nobody, in the order in which it was kept."""
    sql = (
        "SELECT file, kind, bytes, level, score, delivered, kept, clock_ok FROM media"
        f" WHERE NOT {IS_OWED} ORDER BY rowid"
    )
    return [
        Exhibited(file, kind, size, worth(level, score, delivered is not None), kept, bool(clock_ok))
        for file, kind, size, level, score, delivered, kept, clock_ok in db.execute(sql)
    ]


def used_bytes(db: sqlite3.Connection) -> int:
    """Of the database's pages that hold something."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return (pages - free) * size


def worth(level: Level, score: float, delivered: bool) -> float:
    """How many times longer than the least thing it stays."""
    return LEVELS.get(level, 1.0) * (LEAST_SCORE + score) * (DELIVERED if delivered else 1.0)


def least_valuable(found: Sequence[Exhibited], *, by_kind: bool = False) -> list[Exhibited]:
    """In the order in which they should go; `found` in the order in which they came."""

    def lies_behind(n: int) -> float:
        each = found[n]
        return (len(found) - n) / (each.worth * (KINDS[each.kind] if by_kind else 1.0))

    return [found[n] for n in sorted(range(len(found)), key=lies_behind, reverse=True)]


def _beyond_quota(found: list[Exhibited], kind: str, quota: Quota, believed: float | None) -> Iterator[Exhibited]:
    """Of a kind: what is too old, and then what is too much."""
    before = None if believed is None else believed - quota.days * DAY_S
    of_kind = [each for each in found if each.kind == kind]
    old = dict.fromkeys(each for each in of_kind if before is not None and each.clock_ok and each.kept < before)
    yield from old
    left = [each for each in of_kind if each not in old]
    yield from _least_valuable_of(left, sum(each.bytes for each in left) - quota.size)


def _least_valuable_of(found: list[Exhibited], excess: int, *, by_kind: bool = False) -> Iterator[Exhibited]:
    """As many as make up so many bytes."""
    for each in least_valuable(found, by_kind=by_kind) if excess > 0 else ():
        if excess <= 0:
            return
        excess -= each.bytes
        yield each


def _old_events(db: sqlite3.Connection, quota: Quota, believed: float | None) -> Iterator[str]:
    """Among the oldest: those that are too old, or else the least valuable where they take too much room.

    Those of which something is kept go after that.
    """
    is_over = used_bytes(db) > quota.size
    before = -inf if believed is None else believed - quota.days * DAY_S
    if not is_over and believed is None:
        return
    sql = (
        "WITH oldest AS (SELECT n, id, level, told, instr(CAST(payload AS TEXT), :unset) AS unset FROM event"
        f" WHERE NOT {SHOWN.format('event.id')} ORDER BY n LIMIT :among)"
        " SELECT id, level, count(*), max(told) < :before AND NOT max(unset) FROM oldest GROUP BY id"
        f" HAVING max(n) = (SELECT max(n) FROM event WHERE event.id = oldest.id)"
        f" AND NOT {TOLD_AND_OWED.format('oldest.id')} ORDER BY max(n)"
    )
    values = {"unset": NOT_SET, "among": AMONG_OLDEST, "before": before}
    found = [_Told(*row) for row in db.execute(sql, values)]
    messages = 0
    for n in sorted(range(len(found)), key=lambda n: (not found[n].is_old, (n - len(found)) / LEVELS[found[n].level])):
        if messages >= EVENTS_AT_ONCE or not (is_over or found[n].is_old):
            return
        messages += found[n].messages
        yield found[n].id


class _Told(NamedTuple):
    """An event, all of whose messages are among the oldest."""

    id: str
    level: Level
    messages: int
    is_old: bool
