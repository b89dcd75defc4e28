"""What is kept, how much of it, and until when: for those who ask. Reads a store that is open; the daemon may go on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from smartcam.config.delivery import Keep, Quota
from smartcam.store.choosing import DAY_S, exhibited, least_valuable, quota_of, used_bytes
from smartcam.store.exhibits import IS_OWED

NAMES = {"clip": "clips", "snapshot": "snapshots", "sample": "samples", "event": "events"}
"""As [keep] calls them."""
LATELY_S = 7 * DAY_S
"""What the present rate is taken from."""
LEAST_S = 3600.0
"""Less says nothing about a day."""


@dataclass(frozen=True, slots=True)
class Holding:
    """All of one kind."""

    name: str
    count: int
    bytes: int
    owed: int
    """How many of them still wait to be sent: they stay until they are."""
    oldest: float | None
    """Unix seconds; None where nothing is kept whose time is known."""
    quota: Quota
    per_day_bytes: float | None
    """What comes in a day at the present rate; None while too little is known."""

    @property
    def days_by_size(self) -> float | None:
        """How long it takes to fill the quota."""
        return self.quota.size / self.per_day_bytes if self.per_day_bytes else None

    @property
    def stays_days(self) -> float:
        """How long what comes now will stay, if it goes on so."""
        return min(self.quota.days, self.days_by_size or self.quota.days)


class Sample(NamedTuple):
    """A picture of what a rule did not tell."""

    at: float
    """Unix seconds."""
    rule: str
    camera: str
    reasons: tuple[str, ...]
    file: str


class Going(NamedTuple):
    """A picture or a clip that goes before all others of its kind."""

    name: str
    file: str
    rule: str
    start: float
    """Unix seconds."""
    bytes: int


def holdings(db: sqlite3.Connection, keep: Keep) -> list[Holding]:
    """One for each kind. Raises sqlite3.Error."""
    return [*(_exhibits(db, kind, quota_of(keep, kind)) for kind in ("clip", "snapshot", "sample")), _events(db, keep)]


def next_to_go(db: sqlite3.Connection) -> Iterator[Going]:
    """The first of each kind. Raises sqlite3.Error."""
    found = exhibited(db)
    for kind in ("clip", "snapshot", "sample"):
        for each in least_valuable([each for each in found if each.kind == kind])[:1]:
            rule, start = db.execute("SELECT rule, start FROM media WHERE file = ?", (each.file,)).fetchone()
            yield Going(NAMES[kind], each.file, rule, start, each.bytes)


def samples(db: sqlite3.Connection) -> list[Sample]:
    """In the order in which they came. Raises sqlite3.Error."""
    sql = "SELECT start, rule, camera, reasons, file FROM media WHERE kind = 'sample' ORDER BY rowid"
    return [
        Sample(at, rule, camera, tuple(json.loads(reasons)), file)
        for at, rule, camera, reasons, file in db.execute(sql)
    ]


def _exhibits(db: sqlite3.Connection, kind: str, quota: Quota) -> Holding:
    sql = f"SELECT bytes, kept, clock_ok, {IS_OWED} FROM media WHERE kind = ? ORDER BY rowid"
    rows = db.execute(sql, (kind,)).fetchall()
    times = [kept for _, kept, clock_ok, _ in rows if clock_ok]
    since = max(times, default=0.0) - LATELY_S
    lately = [(kept, size) for size, kept, clock_ok, _ in rows if clock_ok and kept > since]
    return Holding(
        name=NAMES[kind],
        count=len(rows),
        bytes=sum(row[0] for row in rows),
        owed=sum(row[3] for row in rows),
        oldest=min(times, default=None),
        quota=quota,
        per_day_bytes=_per_day(lately),
    )


def _events(db: sqlite3.Connection, keep: Keep) -> Holding:
    [count] = db.execute("SELECT count(DISTINCT id) FROM event").fetchone()
    [owed] = db.execute("SELECT count(DISTINCT event.id) FROM event JOIN outbox ON outbox.n = event.n").fetchone()
    sql = "SELECT told FROM event WHERE n = (SELECT {}(n) FROM event)"
    ends = [told for which in ("min", "max") for (told,) in db.execute(sql.format(which))]
    used = used_bytes(db)
    span_s = ends[-1] - ends[0] if ends else 0.0
    return Holding(
        name=NAMES["event"],
        count=count,
        bytes=used,
        owed=owed,
        oldest=ends[0] if ends else None,
        quota=keep.events,
        per_day_bytes=used / span_s * DAY_S if span_s > LEAST_S else None,
    )


def _per_day(lately: list[tuple[float, int]]) -> float | None:
    """From when and how large each was."""
    span_s = max(lately)[0] - min(lately)[0] if lately else 0.0
    return sum(size for _, size in lately) / span_s * DAY_S if span_s > LEAST_S else None
