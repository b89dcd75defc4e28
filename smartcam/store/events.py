"""The events that are kept, for those who ask for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from smartcam.store import database

MOST_MESSAGES = 250_000
"""Of events, some 250 MB: the oldest go first, unless they are still owed."""
AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class Kept:
    """An event, as of its last message."""

    payload: dict[str, Any]
    """As it was sent on C/event."""
    owed: bool
    """Whether the broker does not have all of it yet."""
    refused: str | None
    """Why the broker did not take it."""


class Events:
    """Reads a store that is open; the daemon may go on writing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def last(self, count: int, *, rule: str | None = None, camera: str | None = None) -> list[Kept]:
        """The last events that had a message, the newest last."""
        sql = "SELECT n, id FROM event"
        wanted = {"rule": rule, "camera": camera}
        given = [key for key, value in wanted.items() if value]
        sql += (" WHERE " + " AND ".join(f"{key} = :{key}" for key in given)) if given else ""
        found: dict[str, int] = {}
        for n, event_id in self._db.execute(f"{sql} ORDER BY n DESC", {key: wanted[key] for key in given}):
            if event_id not in found and len(found) == count:
                break
            found.setdefault(event_id, n)
        return [self._kept(event_id, n) for event_id, n in reversed(found.items())]

    def messages(self, start: str = "") -> Iterator[bytes]:
        """What was told of the events whose id begins so, or of all, in order."""
        where = ("WHERE id >= ? AND id < ?", (start, start + "~")) if start else ("", ())
        for (payload,) in self._db.execute(f"SELECT payload FROM event {where[0]} ORDER BY n", where[1]):
            yield bytes(payload)

    def ids(self, start: str) -> list[str]:
        """Of the events whose id begins so."""
        sql = "SELECT DISTINCT id FROM event WHERE id >= ? AND id < ?"
        return [event_id for (event_id,) in self._db.execute(sql, (start, start + "~"))]

    def remove(self, event_id: str) -> int:
        """How many messages of it went: those that are still owed stay."""
        with database.transaction(self._db):
            database.remember_n(self._db, database.last_n(self._db))
            sql = "DELETE FROM event WHERE id = ? AND n NOT IN (SELECT n FROM outbox WHERE n NOT NULL)"
            return self._db.execute(sql, (event_id,)).rowcount

    def _kept(self, event_id: str, n: int) -> Kept:
        [payload] = self._db.execute("SELECT payload FROM event WHERE n = ?", (n,)).fetchone()
        sql = "SELECT refused FROM outbox WHERE n IN (SELECT n FROM event WHERE id = ?)"
        owed = [refused for (refused,) in self._db.execute(sql, (event_id,))]
        return Kept(json.loads(payload), bool(owed), next(filter(None, owed), None))


def forget_oldest(db: sqlite3.Connection, *, enough: bool) -> None:
    """Some of the oldest messages: those beyond `MOST_MESSAGES`, or others too where there is not `enough` room."""
    first, last = db.execute("SELECT min(n), max(n) FROM event").fetchone()
    if first is None:
        return
    [free_pages] = db.execute("PRAGMA freelist_count").fetchone()
    most = last - MOST_MESSAGES if enough or free_pages > AT_A_TIME else first + AT_A_TIME
    if first <= most:
        sql = "DELETE FROM event WHERE n <= ? AND n NOT IN (SELECT n FROM outbox WHERE n NOT NULL)"
        db.execute(sql, (min(most, first + AT_A_TIME),))
