"""Messages and events as rows of the database, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from smartcam.data import Exhibit, Message
from smartcam.owed import Entry, Firing, chain, size


class Owed(NamedTuple):
    """A message, or what is only kept of one, that is to be written down."""

    entry: Entry
    message: Message
    firing: Firing | None
    exhibit: Exhibit | None
    told: float
    """Unix seconds."""
    owed: bool = True
    """False where it is for nobody, or where there was no room for its row: event and exhibit are kept all the same."""

    @property
    def is_evidence(self) -> bool:
        """A picture or a clip, and no word."""
        return self.entry.kind in ("snapshot", "clip")

    @property
    def memory_bytes(self) -> int:
        """What it takes until it is written."""
        return self.entry.bytes - self.entry.file_bytes


class Mark(NamedTuple):
    """What became of a row on its way."""

    tries: int
    refused: str | None
    part_bytes: int
    parts_sent: int

    @classmethod
    def of(cls, entry: Entry, refused: str | None = None) -> Mark:
        """What follows a file bears the parts of that: they are not its own."""
        parts = (entry.part_bytes, entry.parts_sent) if entry.file_bytes else (0, 0)
        return cls(entry.tries, refused, *parts)


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
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, ?, ?, ?, 0, NULL)",
            (
                row_id,
                follows,
                message.kind,
                message.weight,
                message.topic,
                size(message),
                message.event,
                message.rule,
                n,
                payload,
                file,
                message.file_bytes,
                message.qos,
                message.retain,
                message.expiry_s,
            ),
        )
        n, file, follows = None, None, row_id


def mark_rows(db: sqlite3.Connection, marks: Mapping[int, Mark]) -> None:
    sql = "UPDATE outbox SET tries = ?, refused = ?, part_bytes = ?, parts_sent = ? WHERE id = ?"
    db.executemany(sql, [(*mark, row_id) for row_id, mark in marks.items()])


def delete_rows(db: sqlite3.Connection, gone: Mapping[int, float]) -> set[str]:
    """Row ids, with the Unix time at which the broker had them, or 0 where they were dropped. Gives their files."""
    files = set()
    for row_id, at in gone.items():
        sql = "SELECT file, file_bytes, part_bytes, retain FROM outbox WHERE id = ?"
        file, file_bytes, part_bytes, retain = db.execute(sql, (row_id,)).fetchone() or (None, 0, None, False)
        db.execute("DELETE FROM outbox WHERE id = ?", (row_id,))
        if file is None:
            continue
        files.add(file)
        if at and not retain:
            db.execute("UPDATE media SET delivered = ? WHERE file = ? AND delivered IS NULL", (at, file))
        if at and part_bytes and part_bytes < file_bytes:
            _tell_parts(db, row_id, -(-file_bytes // part_bytes), part_bytes)
    return files


def files_of(db: sqlite3.Connection, gone: Collection[int]) -> list[str]:
    """Those that no other row than these owes."""
    files: set[str] = set()
    for row_id in gone:
        files.update(
            file for (file,) in db.execute("SELECT file FROM outbox WHERE id = ? AND file NOT NULL", (row_id,))
        )
    rows_of = "SELECT id FROM outbox WHERE file = ?"
    return [file for file in files if all(row_id in gone for (row_id,) in db.execute(rows_of, (file,)))]


def _tell_parts(db: sqlite3.Connection, row_id: int, parts: int, part_bytes: int) -> None:
    """In the row that follows one that went in parts."""
    for follower, payload in db.execute(
        "SELECT id, payload FROM outbox WHERE id = ? AND follows = ?", (row_id + 1, row_id)
    ).fetchall():
        db.execute("UPDATE outbox SET payload = ? WHERE id = ?", (with_parts(payload, parts, part_bytes), follower))


def with_parts(payload: bytes, parts: int, part_bytes: int) -> bytes:
    """A word that something is there, which is a JSON object, with the number of parts in which it came."""
    with suppress(ValueError):
        told = json.loads(payload)
        if isinstance(told, dict):
            told |= {"parts": parts, "part_bytes": part_bytes}
            return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    return payload


def entries(db: sqlite3.Connection) -> Iterator[Entry]:
    """All rows that are owed, in order. What follows a row that is gone is due itself."""
    waiting: dict[int, Entry] = {}
    sql = (
        "SELECT id, follows, kind, weight, bytes, topic, retain, tries, file_bytes, coalesce(part_bytes, 0),"
        " iif(file_bytes, parts_sent, 0) FROM outbox ORDER BY id DESC"
    )
    followers: dict[int, Entry] = {}
    for row_id, follows, kind, weight, size_, topic, retain, tries, file_bytes, part_bytes, sent in db.execute(sql):
        entry = Entry(
            row_id,
            kind,
            weight,
            size_ - sent * part_bytes,
            topic if retain else "",
            tries,
            follows=sent > 0,
            then=followers.pop(row_id, None),
            file_bytes=file_bytes,
            part_bytes=part_bytes,
            parts_sent=sent,
        )
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
        "SELECT topic, coalesce(outbox.payload, event.payload), kind, qos, retain, expiry_s, weight, outbox.event,"
        " outbox.rule, file FROM outbox LEFT JOIN event USING (n) WHERE outbox.id = ?",
        (row_id,),
    ).fetchone()
    if row is None:
        return None
    topic, payload, kind, qos, retain, expiry_s, weight, event, rule, file = row
    message = Message(topic, payload or b"", kind, qos, bool(retain), expiry_s, weight=weight, event=event, rule=rule)
    return Found(message, file)
