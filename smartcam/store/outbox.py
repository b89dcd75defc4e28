"""An outbox that outlives the process and the power. Nobody but its own worker ever waits for the disk.

Messages are handed over in memory, and all that wait are written down in one transaction; only then may they be taken.
Which rows there are is known in memory; what they say is read when they are sent.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from smartcam.data import Kind, Message
from smartcam.owed import KINDS, Backlog, Entry, Firing, Ledger, Row
from smartcam.store import database
from smartcam.store.events import forget_oldest
from smartcam.store.media import LARGE_BYTES, Ballast, MediaFiles
from smartcam.store.rows import Owed, delete_rows, entries, insert_event, insert_rows, read_row
from smartcam.workers import Alive

log = logging.getLogger(__name__)

MOST_INCOMING_BYTES = 8 * 2**20
"""Of messages that wait to be written."""
AT_ONCE_BYTES = 2**18
"""In one transaction: the WAL grows with it."""
DELETE_S = 2.0
"""How long rows that are done may lie before they are deleted, all at once: cards wear out."""
RETRY_S = 1.0
BALLAST_S = 30.0
SHED_BYTES = 2**18
"""What is given up at a time on a full disk."""
FLUSH_S = 5.0
"""How long what is not written yet is tried at the end."""


class DurableOutbox:
    """An `Outbox` in a folder, open while the `with` block lasts; `run` is its worker's loop.

    What the broker refuses is kept aside, and tried again after the next start: its permissions may be mended by then.

    Raises on entering, with a sentence or the system's own: Unavailable, sqlite3.Error, OSError.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.broken = ""
        """Why the disk can be trusted no more: the process must end, because nobody knows what an fsync that failed has
        thrown away."""
        self.last_n = 0
        """The greatest number of an event's message that was ever kept here, or is about to be."""
        self._folder = folder
        self._media = MediaFiles(folder)
        self._ballast = Ballast(folder)
        self._stack = ExitStack()
        self._reading = threading.Lock()
        # All below by any thread that holds this.
        self._changed = threading.Condition()
        self._ledger = Ledger(max_bytes)
        self._last_id = 0
        self._incoming: dict[int, Owed] = {}
        self._incoming_bytes = 0
        self._gone: dict[int, None] = {}
        """Rows that are to be deleted."""
        self._gone_since = 0.0
        self._marks: dict[int, tuple[int, str | None]] = {}
        """Tries and refusals that are to be written down."""
        self._refusal = ""
        """The last one."""
        self._told: set[tuple[Kind, str]] = set()
        self._damage = ""
        self._listeners: list[Callable[[], None]] = []
        # Of the worker.
        self._writing: list[Owed] = []
        self._full = False
        self._wait_until = 0.0
        self._ballast_at = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(database.claimed(self._folder))
            stack.callback(self._close)
            try:
                self._open()
            except (sqlite3.Error, OSError):
                if not self._ballast.drop():
                    raise
                self._close()
                self._open()  # Even to be read, a database needs a little room.
            self._ballast.take_on()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def max_bytes(self) -> int:
        return self._ledger.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._ledger.max_bytes = value

    @property
    def trouble(self) -> str:
        """What people should know, as one sentence, or nothing."""
        if self.broken:
            return self.broken
        if self._full:
            return f"the disk of {self._folder} is full: events wait in memory, and a power cut would take them"
        with self._changed:
            refused = self._ledger.refused
        if refused:
            return f"outbox: the broker refused {refused} messages, the last one {self._refusal}; they are tried again"
            " after a restart"
        return ""

    # What judge, evidence and links call: none of it waits for the writing.

    def put(self, message: Message, firing: Firing | None = None) -> bool:
        with self._changed:
            entry = Entry.of(self._last_id + 1, message)
            if not self._has_room(entry):
                self._ledger.dropped[message.kind] += 1
                return False
            self._last_id = entry.ids[-1]
            self.last_n = max(self.last_n, firing.n if firing else 0)
            self._incoming[entry.id] = Owed(entry, message, firing, time.time())
            self._incoming_bytes += entry.bytes
            self._changed.notify_all()
        return True

    def take(self, kinds: Collection[Kind]) -> Row | None:
        while True:
            with self._changed:
                entry = self._ledger.pop(kinds)
            if entry is None:
                return None
            try:
                return Row(entry.id, self._read(entry), entry.tries)
            except (OSError, LookupError) as error:
                self._refuse(entry.id, f"it cannot be read again: {error}", keep=False)
            except sqlite3.Error as error:
                with self._changed:
                    self._ledger.release(entry.id)
                    self._damage = str(error) if database.is_damage(error) else self._damage
                return None

    def done(self, row_id: int) -> None:
        with self._changed:
            if self._ledger.done(row_id):
                self._let_go([row_id])

    def failed(self, row_id: int, reason: str) -> None:
        self._refuse(row_id, reason, keep=True)

    def release(self, row_id: int) -> None:
        with self._changed:
            self._ledger.release(row_id)

    def release_all(self, kinds: Collection[Kind], *, blamed: bool) -> None:
        with self._changed:
            for entry in self._ledger.in_flight(kinds):
                self._ledger.release(entry.id, blamed=blamed)
                if blamed and entry.kind in ("snapshot", "clip"):
                    self._marks[entry.id] = entry.tries + 1, None

    @contextmanager
    def listener(self, wake: Callable[[], None]) -> Iterator[None]:
        self._listeners.append(wake)
        try:
            yield
        finally:
            self._listeners.remove(wake)

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        """With those that are still to be written."""
        with self._changed:
            unwritten = sum(owed.entry.kind in kinds for owed in (*self._incoming.values(), *self._writing))
            return self._ledger.depth(kinds) + unwritten

    @property
    def backlog(self) -> Backlog:
        depth = self.depth()
        with self._changed:
            ledger = self._ledger
            size = ledger.bytes + self._incoming_bytes
            return Backlog(depth, size, dict(ledger.dropped), dict(ledger.failed))

    # What its worker does.

    def run(self, alive: Alive) -> None:
        """The worker's loop; what is unwritten when it ends is written still."""
        while alive() and not self.broken:
            with self._changed:
                self._changed.wait_for(self._is_due, 0.5)
            if time.monotonic() >= self._wait_until:
                self._turn(DELETE_S)
        until = time.monotonic() + FLUSH_S
        while not self.broken and self.unwritten and time.monotonic() < until:
            self._turn(0.0)
            if self._full:
                time.sleep(0.1)

    @property
    def unwritten(self) -> bool:
        """Whether a power cut would take something, or bring something back."""
        with self._changed:
            return bool(self._incoming or self._writing or self._gone or self._marks)

    def _is_due(self) -> bool:
        return bool(self._incoming) and time.monotonic() >= self._wait_until

    def _turn(self, delete_s: float) -> None:
        """Write down all that waits, and delete what has been done for so long."""
        with self._changed:
            damage, self._damage = self._damage, ""
            self._admit_incoming()
            is_due = bool(self._gone or self._marks) and time.monotonic() - self._gone_since >= delete_s
        try:
            if damage:
                raise database.Damaged(damage)
            if self._full:  # First make room.
                self._commit([])
            if self._writing or is_due:
                self._commit(self._writing)
        except database.Damaged as error:
            self._begin_anew(str(error))
        except (sqlite3.Error, OSError) as error:
            self._cope(error)
        else:
            self._full = False
            if time.monotonic() - self._ballast_at > BALLAST_S:
                self._ballast_at = time.monotonic()
                self._ballast.take_on()

    def _admit_incoming(self) -> None:
        """As much as one transaction should hold; of the rest, what is worth least can still be dropped."""
        size = sum(owed.entry.bytes for owed in self._writing)
        while self._incoming and size < AT_ONCE_BYTES:
            owed = self._incoming.pop(next(iter(self._incoming)))
            self._incoming_bytes -= owed.entry.bytes
            size += owed.entry.bytes
            self._writing.append(owed if self._admit(owed.entry) else owed._replace(owed=False))

    def _admit(self, entry: Entry) -> bool:
        dropped = self._ledger.reserve(entry)
        for old in dropped or ():
            self._let_go(old.ids)
        return dropped is not None

    def _commit(self, writing: list[Owed]) -> None:
        """Files first, then the rows, in one transaction with what goes; then those files that nobody names."""
        with self._changed:
            gone, marks = tuple(self._gone), dict(self._marks)
        files = {owed.entry.id: self._file_for(owed) for owed in writing}
        with database.transaction(self._db):
            for owed in writing:
                insert_event(self._db, owed)
                if owed.owed:
                    insert_rows(self._db, owed, files[owed.entry.id])
            orphans = delete_rows(self._db, gone)
            for row_id, (tries, reason) in marks.items():
                self._db.execute("UPDATE outbox SET tries = ?, refused = ? WHERE id = ?", (tries, reason, row_id))
            if self._full or any(owed.firing for owed in writing):
                forget_oldest(self._db, enough=not self._full)
        self._committed(writing, gone, marks)
        self._media.remove(orphans)

    def _file_for(self, owed: Owed) -> str | None:
        """Where the payload lies, by now on the disk; None where it goes into the database."""
        if not owed.owed or owed.firing or len(owed.message.payload) < LARGE_BYTES:
            return None
        name = self._media.name(owed.message.event, owed.message.payload)
        self._media.write(name, owed.message.payload)
        return name

    def _committed(self, writing: list[Owed], gone: Iterable[int], marks: dict[int, tuple[int, str | None]]) -> None:
        with self._changed:
            for row_id in gone:
                self._gone.pop(row_id, None)
            for row_id, mark in marks.items():
                if self._marks.get(row_id) == mark:
                    del self._marks[row_id]
            for owed in writing:
                if owed.owed:
                    self._ledger.push(owed.entry)
            if writing:
                self._writing = []
        if writing:
            for wake in tuple(self._listeners):
                wake()

    def _cope(self, error: sqlite3.Error | OSError) -> None:
        if isinstance(error, sqlite3.Error) and database.is_damage(error):
            self._begin_anew(str(error))
        elif database.is_full(error):
            self._make_room_on_disk()
        elif not database.is_busy(error):
            self.broken = f"the disk of {self._folder} does not keep what it is given ({error}): see to it"
            log.error("%s", self.broken)

    def _make_room_on_disk(self) -> None:
        """One step: the ballast; else pictures, those first that are written down."""
        if not self._full:
            log.warning("%s: the disk is full", self._folder)
        self._full = True
        if self._ballast.drop():
            return
        self._wait_until = time.monotonic() + RETRY_S
        with self._changed:
            shed = self._ledger.shed(SHED_BYTES)
            for old in shed:
                self._let_go(old.ids)
            if not shed:
                for owed in [owed for owed in self._writing if owed.entry.kind in ("snapshot", "clip")]:
                    self._writing.remove(owed)
                    if owed.owed:
                        self._ledger.bytes -= owed.entry.bytes
                        self._ledger.dropped[owed.entry.kind] += 1

    def _begin_anew(self, why: str) -> None:
        """With what is known in memory: what lay only in the damaged database is lost, and counted."""
        self._close()
        try:
            database.set_aside(self._folder, why)
            with self._changed:
                lost = self._ledger.depth()
                self._ledger.clear()
                self._gone.clear()
                self._marks.clear()
                for owed in self._writing:
                    if owed.owed:
                        self._ledger.bytes += owed.entry.bytes
            log.error("%s: %d messages that were not sent yet are lost with it", self._folder, lost)
            self._open()
            database.remember_n(self._db, self.last_n)
        except (sqlite3.Error, OSError) as error:
            self.broken = f"the disk of {self._folder} takes no new store ({error}): see to it"
            log.error("%s", self.broken)

    def _open(self) -> None:
        self._db = database.open_store(self._folder)
        self._reader = database.open_to_read(self._folder)
        self.last_n = max(self.last_n, database.last_n(self._db))
        self._media.remove_all_but(
            [file for (file,) in self._db.execute("SELECT file FROM outbox WHERE file NOT NULL")]
        )
        with self._changed:
            for entry in entries(self._db):
                self._last_id = max(self._last_id, *entry.ids)
                if entry.follows:
                    self._ledger.bytes += entry.bytes
                if entry.follows or self._admit(entry):
                    self._ledger.push(entry)
                else:
                    self._let_go(entry.ids)

    def _close(self) -> None:
        """The reader first: the last one that closes puts everything into one file."""
        with self._reading, suppress(AttributeError, sqlite3.Error):
            self._reader.close()
            self._db.close()

    def _read(self, entry: Entry) -> Message:
        """Raises LookupError, OSError, sqlite3.Error."""
        with self._reading:
            found = read_row(self._reader, entry.id)
        if found is None:
            raise LookupError("its row is gone")
        return replace(found.message, payload=self._media.read(found.file)) if found.file else found.message

    def _has_room(self, entry: Entry) -> bool:
        """In memory, after dropping what is worth less or the same, the oldest first."""
        while self._incoming_bytes + entry.bytes > MOST_INCOMING_BYTES:
            worst = min(self._incoming.values(), key=lambda owed: owed.entry.worth, default=None)
            if worst is None or worst.entry.worth > entry.worth:
                return False
            del self._incoming[worst.entry.id]
            self._incoming_bytes -= worst.entry.bytes
            self._ledger.dropped[worst.entry.kind] += 1
        return True

    def _let_go(self, row_ids: Iterable[int]) -> None:
        if not self._gone:
            self._gone_since = time.monotonic()
        self._gone |= dict.fromkeys(row_ids)

    def _refuse(self, row_id: int, reason: str, *, keep: bool) -> None:
        """Counted, and each reason told once a kind."""
        with self._changed:
            entry = self._ledger.refuse(row_id, keep=keep)
            if entry is None:
                return
            if keep:
                self._marks[row_id] = entry.tries, reason
                self._refusal = reason
            else:
                self._let_go(entry.ids)
            first = (entry.kind, reason) not in self._told
            self._told.add((entry.kind, reason))
        if first:
            what = self._topic(row_id)
            log.warning("%s: given up for now: %s (further ones are counted, not told)", what, reason)

    def _topic(self, row_id: int) -> str:
        with suppress(sqlite3.Error), self._reading:
            if found := read_row(self._reader, row_id):
                return found.message.topic
        return f"message {row_id}"
