"""What was kept while the clock was wrong, moved by the step that set it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from smartcam.store.database import last_n

STEP_S = 2.0
"""Time servers move a clock by less without a jump."""
LEAP_S = 86_400.0
LATE_S = 4.0
"""How long after a step something may still be written that was told before it."""
AT_ONCE = 500
"""Events that are moved in one transaction."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The last rows that are of no interest: of an earlier boot, or done."""

    event: int = 0
    media: int = 0
    sent: int = 0

    @classmethod
    def of(cls, db: sqlite3.Connection) -> Marks:
        """All that are there."""
        return cls(last_n(db), _greatest(db, "media"), _greatest(db, "sent"))


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set: what is to be moved for it."""

    seconds: float
    since: float
    """On the clock as it was before: from when on it was not to be trusted …"""
    until: float
    """… until then."""
    at_s: float
    """Of running time."""
    sets: bool
    """Whether the clock can be trusted afterwards."""
    marks: Marks
    is_swept: bool = False
    """Whether all was moved that was there."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether the clock will soon show again what it showed before: then a time does not tell when it was."""
        return -LEAP_S < self.seconds < 0

    @property
    def span(self) -> tuple[float, float]:
        """What the clock showed then, with a little more, because it is not looked at all the time."""
        return self.since - STEP_S / 2, self.until + STEP_S / 2


def moved(db: sqlite3.Connection, step: Step, ran_s: float) -> Step | None:
    """Move what was kept on the old clock; what is left of the step, if anything is."""
    since, until = step.span
    values = {"since": since, "until": until, "seconds": step.seconds, "sets": step.sets, **asdict(step.marks)}
    # What was seen before the step may be told after it.
    which = f"n > :event AND ({_within('told')} OR {_within('start')})"
    sql = f"SELECT n FROM event WHERE {which} ORDER BY n LIMIT {AT_ONCE}"
    found = [n for (n,) in db.execute(sql, values)]
    for n in found:
        _move_event(db, n, step, values)
    if len(found) == AT_ONCE:
        return replace(step, marks=replace(step.marks, event=found[-1]))
    done = Marks.of(db)
    which = f"rowid > :media AND {_within('kept')}"
    columns = _shifted("start", "end", "kept", "delivered")
    db.execute(f"UPDATE media SET {columns}, clock_ok = max(clock_ok, :sets) WHERE {which}", values)
    db.execute(f"UPDATE sent SET {_shifted('at')} WHERE id > :sent AND {_within('at')}", values)
    is_over = step.is_ambiguous or ran_s - step.at_s >= LATE_S
    return None if is_over else replace(step, marks=done, is_swept=True)


def _move_event(db: sqlite3.Connection, n: int, step: Step, values: dict[str, object]) -> None:
    """One message's row; and what it says, unless that was sent already."""
    db.execute(f"UPDATE event SET {_shifted('start', 'end', 'told')} WHERE n = :n", values | {"n": n})
    sql = "SELECT payload FROM event WHERE n = ? AND EXISTS (SELECT 1 FROM outbox WHERE outbox.n = event.n)"
    if owed := db.execute(sql, (n,)).fetchone():
        db.execute("UPDATE event SET payload = ? WHERE n = ?", (_said_again(owed[0], step), n))


def _said_again(payload: bytes, step: Step) -> bytes:
    """An event's payload with the times as they are on the new clock."""
    said = json.loads(payload)
    since, until = step.span
    for key in ("start", "end"):
        if key in said and since <= (then := datetime.fromisoformat(said[key])).timestamp() <= until:
            then += timedelta(milliseconds=round(step.seconds * 1000))
            said[key] = then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said["clock_ok"] = said["clock_ok"] or step.sets
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _within(column: str) -> str:
    return f"{column} BETWEEN :since AND :until"


def _shifted(*columns: str) -> str:
    return ", ".join(f"{each} = {each} + CASE WHEN {_within(each)} THEN :seconds ELSE 0 END" for each in columns)


def _greatest(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])
