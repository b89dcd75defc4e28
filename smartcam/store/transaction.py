"""One transaction of the writer: files first, then the rows that name them, and what goes."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from smartcam.data import Exhibit
from smartcam.store import database
from smartcam.store.books import Batch
from smartcam.store.chore import Chore
from smartcam.store.events import forget_oldest
from smartcam.store.exhibits import delete_exhibits, insert_exhibit, is_named
from smartcam.store.media import LARGE_BYTES, MediaFiles
from smartcam.store.rows import Owed, delete_rows, insert_event, insert_rows, mark_rows
from smartcam.store.sent import insert_sent

log = logging.getLogger(__name__)


def write_down(
    db: sqlite3.Connection,
    media: MediaFiles,
    batch: Batch,
    *,
    clock_ok: bool,
    chores: Collection[Chore] = (),
    going: Collection[str] = (),
    forgets: bool = False,
) -> set[int]:
    """All of it or nothing. The disk may be full: then exhibits are `going`, or some of the oldest events (`forgets`).

    Files are looked at and written within the transaction: nobody else removes one meanwhile. Those that no row names
    afterwards are removed. Gives the rows that were not written, because their file is not what it should be.

    Raises sqlite3.Error, OSError.
    """
    with _taken_back(media) as made, database.transaction(db):
        missing = {owed.entry.id for owed in batch.owed if not _insert(db, media, owed, made, clock_ok=clock_ok)}
        mark_rows(db, batch.marks)
        insert_sent(db, batch.sent)
        db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?)", batch.notes.items())
        gone = delete_rows(db, batch.gone)
        gone.update(delete_exhibits(db, going))
        if forgets:
            forget_oldest(db)
        for chore in chores:
            gone.update(chore.work(db))
        unnamed = [file for file in gone if not is_named(db, file)]
    media.remove(unnamed)
    return missing


@contextmanager
def _taken_back(media: MediaFiles) -> Iterator[list[str]]:
    """Files that were made for nothing do not take the room that is missing."""
    made: list[str] = []
    try:
        yield made
    except (sqlite3.Error, OSError):
        media.remove(made)
        raise


def _insert(db: sqlite3.Connection, media: MediaFiles, owed: Owed, made: list[str], *, clock_ok: bool) -> bool:
    """The rows of one message, after its file; false where that was made by others and is not there."""
    insert_event(db, owed)
    if not _are_there(media, owed):
        return False
    file = owed.message.file or _written(media, owed, made)
    if owed.exhibit:
        insert_exhibit(db, _measured(owed.exhibit, file, owed.message.payload), kept=owed.told, clock_ok=clock_ok)
    if owed.owed:
        insert_rows(db, owed, file)
    return True


def _are_there(media: MediaFiles, owed: Owed) -> bool:
    made = {owed.message.file: owed.message.file_bytes}
    if owed.exhibit:
        made[owed.exhibit.file] = owed.exhibit.bytes
    for name, size in made.items():
        if name and not media.has(name, size):
            log.error("%s is not there as it was made: it is neither kept nor sent", media.path(name))
            return False
    return True


def _written(media: MediaFiles, owed: Owed, made: list[str]) -> str | None:
    """The name of the file of a payload, by now on the disk; None where it needs none."""
    payload = owed.message.payload
    is_large = owed.owed and not owed.firing and len(payload) >= LARGE_BYTES
    if not payload or not (is_large or owed.exhibit):
        return None
    name = media.name(owed.message.event, payload)
    if media.write(name, payload):
        made.append(name)
    return name


def _measured(exhibit: Exhibit, file: str | None, data: bytes) -> Exhibit:
    """With its place, length and checksum, unless whoever made its file has told them."""
    if exhibit.file:
        return exhibit
    return replace(exhibit, file=file or "", bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
