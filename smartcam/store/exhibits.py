"""Pictures and clips that are kept, as rows that name their files: the file is there first, and goes last."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

from smartcam.data import Exhibit
from smartcam.store import database
from smartcam.store.media import MediaFiles

_COLUMNS = "event, kind, camera, rule, level, score, start, end, number, reasons, file, bytes, sha256"
IS_OWED = "EXISTS (SELECT 1 FROM outbox WHERE outbox.file = media.file)"
"""Of a row of media, in SQL."""


class KeptExhibit(NamedTuple):
    """An exhibit, and what became of it."""

    exhibit: Exhibit
    kept: float
    """Unix seconds: since when, by the clock of then."""
    clock_ok: bool
    """Whether that clock was known to be right."""
    delivered: float | None
    """Unix seconds: when the broker had it."""
    owed: bool
    """Whether it waits to be sent, or was refused: it may not go."""


def insert_exhibit(db: sqlite3.Connection, exhibit: Exhibit, *, kept: float, clock_ok: bool) -> None:
    """Its file is on the disk. What is kept already stays as it is."""
    values = (
        exhibit.file,
        exhibit.event,
        exhibit.kind,
        exhibit.number,
        exhibit.camera,
        exhibit.rule,
        exhibit.level,
        exhibit.score,
        exhibit.start,
        exhibit.end,
        json.dumps(exhibit.reasons, ensure_ascii=False),
        exhibit.bytes,
        exhibit.sha256,
        kept,
        clock_ok,
    )
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO media VALUES ({marks}, NULL) ON CONFLICT (file) DO NOTHING", values)


def of_event(db: sqlite3.Connection, event: str) -> list[KeptExhibit]:
    """In the order in which they came."""
    return _read(db, "WHERE event = ? ORDER BY rowid", (event,))


def unsent(db: sqlite3.Connection, kind: str) -> tuple[int, int]:
    """How many of a kind were never sent, nor are to be, and their bytes. Of clips in two sizes the smaller counts."""
    of_each = f"SELECT min(bytes), max(delivered), max({IS_OWED}) FROM media WHERE kind = ? GROUP BY event"
    sizes = [size for size, delivered, owed in db.execute(of_each, (kind,)) if delivered is None and not owed]
    return len(sizes), sum(sizes)


def discard(db: sqlite3.Connection, media: MediaFiles, files: Collection[str]) -> list[str]:
    """Remove exhibits, but for those that are owed; gives the files that went. May be done beside the daemon.

    Raises sqlite3.Error.
    """
    with database.transaction(db):
        gone = delete_exhibits(db, files)
    with database.transaction(db):  # Nobody may begin to name one meanwhile: who writes looks within a transaction.
        media.remove([file for file in gone if not is_named(db, file)])
    return gone


def delete_exhibits(db: sqlite3.Connection, files: Iterable[str]) -> list[str]:
    """Their rows, but for those that are owed; gives the files to be removed once this is committed."""
    sql = f"DELETE FROM media WHERE file = ? AND NOT {IS_OWED}"
    return [file for file in files if db.execute(sql, (file,)).rowcount]


def least_worth(db: sqlite3.Connection, least_bytes: int) -> list[str]:
    """Files that make up so many bytes and are not owed: samples, then clips, then snapshots, the oldest first."""
    sql = (
        f"SELECT file, bytes FROM media WHERE NOT {IS_OWED}"
        " ORDER BY CASE kind WHEN 'sample' THEN 0 WHEN 'clip' THEN 1 ELSE 2 END, rowid"
    )
    found: list[str] = []
    for file, size in db.execute(sql):
        if least_bytes <= 0:
            break
        found.append(file)
        least_bytes -= size
    return found


def is_named(db: sqlite3.Connection, file: str) -> bool:
    """Whether any row does."""
    sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE file = :file) OR EXISTS (SELECT 1 FROM media WHERE file = :file)"
    return bool(db.execute(sql, {"file": file}).fetchone()[0])


def named_files(db: sqlite3.Connection) -> set[str]:
    """All that rows name."""
    return {file for (file,) in db.execute("SELECT file FROM outbox WHERE file NOT NULL UNION SELECT file FROM media")}


def _read(db: sqlite3.Connection, which: str, values: tuple[object, ...]) -> list[KeptExhibit]:
    sql = f"SELECT {_COLUMNS}, kept, clock_ok, delivered, {IS_OWED} FROM media {which}"
    found = []
    for *columns, kept, clock_ok, delivered, owed in db.execute(sql, values):
        columns[9] = tuple(json.loads(columns[9]))
        found.append(KeptExhibit(Exhibit(*columns), kept, bool(clock_ok), delivered, bool(owed)))
    return found
