"""The events that are kept, for those who ask for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from smartcam.store import database
from smartcam.store.exhibits import KeptExhibit, discard, of_event
from smartcam.store.media import MediaFiles

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
        which = "n > :n AND id >= :start AND id < :end" if start else "n > :n"
        sql = f"SELECT n, payload FROM event WHERE {which} ORDER BY n LIMIT {AT_A_TIME}"
        values = {"n": -1, "start": start, "end": start + "~"}
        # Whoever asks may be slow, and the log of the database grows for as long as one answer lasts.
        while page := self._db.execute(sql, values).fetchall():
            yield from (bytes(payload) for _, payload in page)
            values["n"] = page[-1][0]

    def ids(self, start: str) -> list[str]:
        """Of the events and samples whose id begins so."""
        sql = (
            "SELECT id FROM event WHERE id >= ?1 AND id < ?2"
            " UNION SELECT event FROM media WHERE event >= ?1 AND event < ?2"
        )
        return [event_id for (event_id,) in self._db.execute(sql, (start, start + "~"))]

    def exhibits(self, event_id: str) -> list[KeptExhibit]:
        """Its pictures and clips, in the order in which they came."""
        return of_event(self._db, event_id)

    def remove(self, event_id: str, media: MediaFiles) -> tuple[int, int]:
        """How many messages of it went, and how many files: what is still owed stays."""
        with database.transaction(self._db):
            database.remember_n(self._db, database.last_n(self._db))
            sql = "DELETE FROM event WHERE id = ? AND n NOT IN (SELECT n FROM outbox WHERE n NOT NULL)"
            messages = self._db.execute(sql, (event_id,)).rowcount
        files = [kept.exhibit.file for kept in self.exhibits(event_id)]
        return messages, len(discard(self._db, media, files))

    def _kept(self, event_id: str, n: int) -> Kept:
        [payload] = self._db.execute("SELECT payload FROM event WHERE n = ?", (n,)).fetchone()
        sql = "SELECT refused FROM outbox WHERE n IN (SELECT n FROM event WHERE id = ?)"
        owed = [refused for (refused,) in self._db.execute(sql, (event_id,))]
        return Kept(json.loads(payload), bool(owed), next(filter(None, owed), None))


def forget_oldest(db: sqlite3.Connection) -> None:
    """Some of the oldest messages: the disk is full, and the file has no room inside.

    Those stay that are still owed, and those of events of which something is kept.
    """
    [free_pages] = db.execute("PRAGMA freelist_count").fetchone()
    if free_pages <= AT_A_TIME:
        database.remember_n(db, database.last_n(db))
        sql = (
            "DELETE FROM event WHERE n IN (SELECT n FROM event"
            " WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.n = event.n)"
            " AND NOT EXISTS (SELECT 1 FROM media WHERE media.event = event.id) ORDER BY n LIMIT ?)"
        )
        db.execute(sql, (AT_A_TIME,))
