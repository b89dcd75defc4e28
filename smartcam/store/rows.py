"""Messages and events as rows of the database, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smartcam.data import Message
from smartcam.owed import Entry, Firing, chain, size


class Owed(NamedTuple):
    """A message that is to be written down."""

    entry: Entry
    message: Message
    firing: Firing | None
    told: float
    """Unix seconds."""
    owed: bool = True
    """False where there was no room for its row: the event is kept all the same."""


def insert_event(db: sqlite3.Connection, owed: Owed) -> None:
    """What an event's message tells, once."""
    if owed.firing:
        event, n = owed.firing
        db.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                n,
                event.id,
                event.seq,
                event.phase,
                event.camera,
                event.rule,
                event.level,
                event.start,
                event.end,
                owed.told,
                event.test,
                owed.message.payload,
            ),
        )


def insert_rows(db: sqlite3.Connection, owed: Owed, file: str | None) -> None:
    """The message, with its payload in `file` if that is given, and what follows it."""
    n = owed.firing.n if owed.firing else None
    follows = None
    for row_id, message in zip(owed.entry.ids, chain(owed.message), strict=True):
        payload = None if n is not None or file else message.payload
        db.execute(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL)",
            (
                row_id,
                follows,
                message.kind,
                message.weight,
                message.topic,
                size(message),
                message.event,
                n,
                payload,
                file,
                message.qos,
                message.retain,
                message.expiry_s,
            ),
        )
        n, file, follows = None, None, row_id


def delete_rows(db: sqlite3.Connection, row_ids: Iterable[int]) -> list[str]:
    """The files that no row names any more: to be removed once this is committed."""
    files = set()
    for row_id in row_ids:
        files |= {file for (file,) in db.execute("SELECT file FROM outbox WHERE id = ?", (row_id,)) if file}
        db.execute("DELETE FROM outbox WHERE id = ?", (row_id,))
    return [file for file in files if not db.execute("SELECT 1 FROM outbox WHERE file = ?", (file,)).fetchone()]


def entries(db: sqlite3.Connection) -> Iterator[Entry]:
    """All rows that are owed, in order. What follows a row that is gone is due itself."""
    waiting: dict[int, Entry] = {}
    sql = "SELECT id, follows, kind, weight, bytes, topic, retain, tries FROM outbox ORDER BY id DESC"
    followers: dict[int, Entry] = {}
    for row_id, follows, kind, weight, size_, topic, retain, tries in db.execute(sql):
        then = followers.pop(row_id, None)
        entry = Entry(row_id, kind, weight, size_, topic if retain else "", tries, then=then)
        if follows is None:
            waiting[row_id] = entry
        else:
            followers[follows] = entry
    for entry in followers.values():
        waiting[entry.id] = entry._replace(follows=True)
    yield from (waiting[row_id] for row_id in sorted(waiting))


class Found(NamedTuple):
    """A row as it is read again."""

    message: Message
    """Without its payload where that is in a file."""
    file: str | None


def read_row(db: sqlite3.Connection, row_id: int) -> Found | None:
    """None where it is not there."""
    row = db.execute(
        "SELECT topic, coalesce(outbox.payload, event.payload), kind, qos, retain, expiry_s, weight, outbox.event, file"
        " FROM outbox LEFT JOIN event USING (n) WHERE outbox.id = ?",
        (row_id,),
    ).fetchone()
    if row is None:
        return None
    topic, payload, kind, qos, retain, expiry_s, weight, event, file = row
    message = Message(topic, payload or b"", kind, qos, bool(retain), expiry_s, weight=weight, event=event)
    return Found(message, file)
