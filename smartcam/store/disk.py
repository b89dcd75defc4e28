"""A state folder: its database, its files, its ballast."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from smartcam.data import Message
from smartcam.owed import Entry
from smartcam.store import database
from smartcam.store.ballast import Ballast
from smartcam.store.failures import damage_told
from smartcam.store.media import Lost, MediaFiles
from smartcam.store.reading import open_to_read
from smartcam.store.rows import read_row, with_parts

T = TypeVar("T")


class Disk:
    """Open between `open` and `close`. Any thread may read; `db` is the writer's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = MediaFiles(folder)
        self.ballast = Ballast(folder)
        self.db: sqlite3.Connection
        self._reader: sqlite3.Connection
        self._reading = threading.Lock()

    def open(self) -> None:
        """Raises Unavailable, sqlite3.Error, OSError."""
        self.db = database.open_store(self.folder)
        self._reader = open_to_read(self.folder)

    def close(self) -> None:
        """The reader first: the last one that closes puts everything into one file."""
        with self._reading, suppress(AttributeError, sqlite3.Error):
            self._reader.close()
            self.db.close()

    def begin_anew(self, why: str) -> None:
        """Set the damaged database aside. Raises sqlite3.Error, OSError."""
        self.close()
        database.begin_anew(self.folder, why).close()
        self.open()

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """What is committed. Raises Damaged, sqlite3.Error."""
        with self._reading, damage_told():
            return ask(self._reader)

    def message(self, entry: Entry) -> Message:
        """A row's message as it is to be sent: of a large file, the part that is next.

        Raises Lost where there is nothing to be sent; OSError where that cannot be told now; Damaged, sqlite3.Error.
        """
        found = self.read(lambda db: read_row(db, entry.id))
        if found is None:
            raise Lost("its row is gone")
        message = found.message
        if not found.file:
            is_of_parts = entry.parts_sent > 1
            told = with_parts(message.payload, entry.parts_sent, entry.part_bytes) if is_of_parts else message.payload
            return replace(message, payload=told)
        if not entry.file_bytes:
            return replace(message, payload=self.media.read(found.file))
        begin = entry.parts_sent * entry.part_bytes
        part = self.media.read_part(found.file, begin, min(entry.part_bytes, entry.file_bytes - begin))
        topic = f"{message.topic}/{entry.parts_sent + 1}-of-{entry.parts}" if entry.parts > 1 else message.topic
        return replace(message, topic=topic, payload=part)
