"""What is kept goes in the end: the least valuable first, and never what is still owed.

**By size**, always: a kind that is over its quota, and everything while the disk is shorter of room than `keep.free`.
What goes is told by what was kept since, and not by any clock: a thing stands behind all the newer ones of its kind, an
alert `LEVELS` times less far than an info, and so on. **By age**, only where the time is believed (`clock`), and only
what was kept while the clock was set.

Retention chooses with a connection of its own, and the store's one writer forgets, some at a time: first the rows, and
once they are gone for certain the files.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from smartcam.config.delivery import Keep, Quota
from smartcam.data import Level
from smartcam.errors import Unavailable
from smartcam.store.database import last_n, open_to_read, remember_n
from smartcam.store.exhibits import delete_exhibits
from smartcam.workers import Alive

LOOK_S = 60.0
AGAIN_S = 1.0
"""While there is more to go."""
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


def disk_free(folder: Path) -> int:
    """Bytes that an ordinary user may still write there."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Retention:
    """A worker's loop that chooses, and a chore of the store's writer that forgets.

    `believed()` is what time it is at the least, or None where nobody knows. Both may be asked at any time.
    """

    def __init__(
        self,
        folder: Path,
        keep: Keep,
        believed: Callable[[], float | None],
        *,
        free_bytes: Callable[[Path], int] = disk_free,
        look_s: float = LOOK_S,
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._believed = believed
        self._free_bytes = free_bytes
        self._look_s = look_s
        self._changed = threading.Condition()
        self._choice = Choice()
        """Waits for the writer."""
        self._working = Choice()
        self._reader: sqlite3.Connection | None = None
        """Stays open: to open one writes 16 KiB to the card."""
        self._is_another = False
        """Whether the store has been begun anew since the reader was opened."""

    def renew(self, keep: Keep) -> None:
        """Go on with other quotas."""
        with self._changed:
            self._keep = keep
            self._changed.notify_all()

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        try:
            while alive():
                keep = self._keep
                found = self._chosen(keep)
                with self._changed:
                    self._choice = found
                self._pause(AGAIN_S if found else self._look_s, keep, alive)
        finally:
            self._close()

    # The writer's

    def begin(self, _: sqlite3.Connection) -> None:
        with self._changed:
            self._choice = Choice()
            self._is_another = True

    @property
    def is_due(self) -> bool:
        with self._changed:
            return bool(self._choice)

    def work(self, db: sqlite3.Connection) -> Collection[str]:
        with self._changed:
            self._working = self._choice
        return forget(db, self._working)

    def committed(self) -> None:
        with self._changed:
            if self._choice is self._working:
                self._choice = Choice()
            self._changed.notify_all()

    def _chosen(self, keep: Keep) -> Choice:
        with self._changed:
            is_another, self._is_another = self._is_another, False
        if is_another:
            self._close()
        try:
            self._reader = self._reader or open_to_read(self._folder)
            return choose(self._reader, keep, self._believed(), self._free_bytes(self._folder))
        except Unavailable:  # It is being begun anew, or there is none: whoever cares for that tells it.
            return Choice()
        except sqlite3.Error:
            self._close()
            raise

    def _close(self) -> None:
        if self._reader:
            self._reader.close()
        self._reader = None

    def _pause(self, pause_s: float, keep: Keep, alive: Alive) -> None:
        """Until the writer has done what was chosen; and then for a while, unless the quotas are others by now."""
        until = time.monotonic() + pause_s
        while alive() and (self._choice or (time.monotonic() < until and self._keep is keep)):
            with self._changed:
                self._changed.wait(0.5)


def choose(db: sqlite3.Connection, keep: Keep, believed: float | None, free_bytes: int) -> Choice:
    """What should go next: some of it, if there is much. Raises sqlite3.Error."""
    found = exhibited(db)
    files = dict.fromkeys(each for kind in KINDS for each in _beyond_quota(found, kind, quota_of(keep, kind), believed))
    gone_bytes = sum(each.bytes for each in files)
    left = [each for each in found if each not in files]
    going = [*files, *_least_valuable_of(left, keep.free - free_bytes - gone_bytes, by_kind=True)]
    return Choice(tuple([each.file for each in going[:FILES_AT_ONCE]]), tuple(_old_events(db, keep.events, believed)))


def quota_of(keep: Keep, kind: str) -> Quota:
    return {"clip": keep.clips, "snapshot": keep.snapshots, "sample": keep.samples, "event": keep.events}[kind]


def exhibited(db: sqlite3.Connection) -> list[Exhibited]:
    """What is owed to nobody, in the order in which it was kept."""
    sql = (
        "SELECT file, kind, bytes, level, score, delivered, kept, clock_ok FROM media"
        " WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.file = media.file) ORDER BY rowid"
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


def forget(db: sqlite3.Connection, choice: Choice) -> list[str]:
    """Delete these rows, as far as they are owed to nobody by now; the files that go once that is committed.

    In the writer's transaction. Raises sqlite3.Error.
    """
    if choice.events:
        n = last_n(db)
        ids = [(event,) for event in choice.events]
        db.executemany(f"DELETE FROM event WHERE id = ?1 AND NOT {_OWED.format('?1')}", ids)
        if last_n(db) < n:
            remember_n(db, n)
    return delete_exhibits(db, choice.files)


_OWED = "EXISTS (SELECT 1 FROM event AS told JOIN outbox ON outbox.n = told.n WHERE told.id = {})"


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
    """Among the oldest: those that are too old, or else the least valuable where they take too much room."""
    is_over = used_bytes(db) > quota.size
    before = -inf if believed is None else believed - quota.days * DAY_S
    if not is_over and believed is None:
        return
    sql = (
        "WITH oldest AS (SELECT n, id, level, told, instr(CAST(payload AS TEXT), :unset) AS unset FROM event"
        " ORDER BY n LIMIT :among)"
        " SELECT id, level, count(*), max(told) < :before AND NOT max(unset) FROM oldest GROUP BY id"
        f" HAVING max(n) = (SELECT max(n) FROM event WHERE event.id = oldest.id) AND NOT {_OWED.format('oldest.id')}"
        " ORDER BY max(n)"
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
