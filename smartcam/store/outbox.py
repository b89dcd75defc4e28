"""An outbox that outlives the process and the power. Nobody but its own worker ever waits for the disk.

Messages are handed over in memory, and all that wait are written down in one transaction; only then may they be taken.
Which rows there are is known in memory (`books`); what they say is read when they are sent (`disk`). `writer` writes.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, TypeVar

from smartcam.data import Exhibit, Kind, Message
from smartcam.owed import KINDS, PART_BYTES, WHOLE_BYTES, Backlog, Firing, Row
from smartcam.store import database
from smartcam.store.books import Books
from smartcam.store.chore import Chore
from smartcam.store.disk import Disk
from smartcam.store.exhibits import of_event, unsent
from smartcam.store.failures import Damaged, damage_told
from smartcam.store.leftovers import Finish, Salvage, adopted, sort_out
from smartcam.store.media import Lost
from smartcam.store.sent import Sent
from smartcam.store.writer import Writer
from smartcam.workers import Alive

log = logging.getLogger(__name__)

T = TypeVar("T")


class DurableOutbox:
    """An `Outbox` in a folder, open while the `with` block lasts; `run` is its worker's loop.

    What the broker refuses is kept aside, and tried again after the next start: its permissions may be mended by then.
    `clock_ok` tells whether the wall clock can be right, for those who ask later how old something is. What `chores`
    have to do is done by the worker. Of clips that an end without warning interrupted, `salvage` saves what can be
    played, and `finish` tells what is owed of them.

    Raises on entering, with a sentence or the system's own: Unavailable, sqlite3.Error, OSError.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        clock_ok: Callable[[], bool] = lambda: True,
        salvage: Salvage = lambda _: False,
        finish: Finish = lambda _: None,
        chores: Sequence[Chore] = (),
    ) -> None:
        self.whole_bytes = WHOLE_BYTES
        self.part_bytes = PART_BYTES
        self.folder = folder
        self._salvage = salvage
        self._finish = finish
        self._disk = Disk(folder)
        self._books = Books(max_bytes)
        self._changed = self._books.changed
        self._ledger = self._books.ledger
        self._writer = Writer(self._disk, self._books, self._wake, clock_ok=clock_ok, chores=chores)
        self._stack = ExitStack()
        self._listeners: list[Callable[[], None]] = []
        self._under_way: dict[int, Sent] = {}
        """Of rows in flight: what is to be written down once the broker has them."""
        self._refusal = ""
        """The last one."""
        self._told: set[tuple[str, str]] = set()
        self._leftovers: Iterator[None] = iter(())

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(database.claimed(self.folder))
            stack.callback(self._disk.close)
            try:
                clips = self._open()
            except (sqlite3.Error, OSError):
                if not self._disk.ballast.drop():
                    raise
                self._disk.close()
                clips = self._open()  # Even to be read, a database needs a little room.
            self._leftovers = self._owe(clips)
            self._disk.ballast.take_on()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, alive: Alive) -> None:
        """The worker's loop; what is unwritten when it ends is written still."""
        self._writer.run(alive, self._leftovers)

    @property
    def max_bytes(self) -> int:
        return self._ledger.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._ledger.max_bytes = value

    @property
    def last_n(self) -> int:
        """The greatest number of an event's message that was ever kept here, or is about to be."""
        return self._books.last_n

    @property
    def broken(self) -> str:
        """Why the disk can be trusted no more, as one sentence, or nothing: the process must end."""
        return self._writer.broken

    @property
    def unwritten(self) -> bool:
        """Whether a power cut would take something, or bring something back."""
        with self._changed:
            return self._books.unwritten

    @property
    def trouble(self) -> str:
        """What people should know, as one sentence, or nothing."""
        if self.broken:
            return self.broken
        if self._writer.is_full:
            return f"the disk of {self.folder} is full: events wait in memory, and a power cut would take them"
        with self._changed:
            refused = sum(rows for rows, _ in self._ledger.refused.values())
        if refused:
            how = f"the last one {self._refusal}; they are tried again after a restart"
            return f"outbox: the broker refused {refused} messages, {how}"
        return ""

    # What everybody else calls: none of it waits for the writing.

    def put(self, message: Message, firing: Firing | None = None, exhibit: Exhibit | None = None) -> bool:
        with self._changed:
            taken = self._books.hand_over(message, firing, exhibit, owed=True, told=time.time())
            self._ledger.dropped[message.kind] += not taken
            return taken

    def keep(self, exhibit: Exhibit, data: bytes = b"") -> bool:
        if data and self._writer.is_full:
            return False
        kind: Kind = "clip" if exhibit.kind == "clip" else "snapshot"
        file_bytes = exhibit.bytes if exhibit.file else 0
        kept = Message("", data, kind, weight="passing", event=exhibit.event, file=exhibit.file, file_bytes=file_bytes)
        with self._changed:
            return self._books.hand_over(kept, None, exhibit, owed=False, told=time.time())

    def take(self, kinds: Collection[Kind]) -> Row | None:
        while True:
            with self._changed:
                entry = self._ledger.pop(kinds, self.whole_bytes, self.part_bytes)
            if entry is None:
                return None
            try:
                message = self._disk.message(entry)
            except Lost as error:
                self._refuse(entry.id, f"it cannot be read again: {error}", keep=False)
            except (OSError, sqlite3.Error) as error:
                self.release(entry.id)
                self._notice(error)
                return None
            else:
                with self._changed:
                    self._under_way[entry.id] = Sent.now(message)
                return Row(entry.id, message, entry.tries)

    def done(self, row_id: int) -> None:
        at = time.time()
        with self._changed:
            entry, sent = self._ledger.done(row_id), self._under_way.pop(row_id, None)
            if entry is None:
                return
            if sent:
                self._books.has_left(sent._replace(at=at))
            if entry.parts_sent < entry.parts:
                self._books.mark(entry)
            else:
                self._books.let_go([row_id], at)

    def failed(self, row_id: int, reason: str) -> None:
        self._refuse(row_id, reason, keep=True)

    def release(self, row_id: int) -> None:
        with self._changed:
            self._ledger.release(row_id)
            self._under_way.pop(row_id, None)

    def release_all(self, kinds: Collection[Kind], *, blamed: bool) -> None:
        with self._changed:
            for entry in self._ledger.in_flight(kinds):
                released = self._ledger.release(entry.id, blamed=blamed)
                self._under_way.pop(entry.id, None)
                if blamed and released and entry.kind in ("snapshot", "clip"):
                    self._books.mark(released)

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
            return self._books.depth(kinds)

    @property
    def backlog(self) -> Backlog:
        with self._changed:
            return self._books.backlog

    def exhibits(self, event: str) -> list[Exhibit]:
        return self._read(lambda db: [kept.exhibit for kept in of_event(db, event)], [])

    def unsent(self, kind: str) -> tuple[int, int]:
        """How many exhibits of a kind were never sent, nor are to be, and their bytes."""
        return self._read(lambda db: unsent(db, kind), (0, 0))

    def note(self, name: str, text: str, *, soon: bool = False) -> None:
        with self._changed:
            self._books.note(name, text, soon=soon)

    def noted(self, name: str) -> str:
        with self._changed:
            if name in self._books.notes:
                return self._books.notes[name]
        sql = "SELECT text FROM note WHERE name = ?"
        [text] = self._read(lambda db: db.execute(sql, (name,)).fetchone(), None) or [""]
        return str(text)

    def _open(self) -> list[str]:
        """Gives the clips that are still to be owed."""
        self._disk.open()
        try:
            with damage_told():
                clips = sort_out(self._disk.db, self._disk.media, self._salvage)
                self._writer.begin()
        except Damaged as error:
            self._writer.begin_anew(str(error))
            return []
        return clips

    def _read(self, ask: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            return self._disk.read(ask)
        except sqlite3.Error as error:
            self._notice(error)
            return otherwise

    def _wake(self) -> None:
        for wake in tuple(self._listeners):
            wake()

    def _notice(self, error: sqlite3.Error | OSError) -> None:
        """Of reading: the worker sees to damage; all else may be over the next time."""
        if isinstance(error, Damaged):
            with self._changed:
                self._books.damage = str(error)
        elif isinstance(error, OSError) and ("", str(error)) not in self._told:
            self._told.add(("", str(error)))
            log.warning("cannot be read now, and waits: %s", error)

    def _refuse(self, row_id: int, reason: str, *, keep: bool) -> None:
        """Counted, and each reason told once a kind."""
        with self._changed:
            entry = self._ledger.refuse(row_id, keep=keep)
            sent = self._under_way.pop(row_id, None)
            if entry is None:
                return
            if keep:
                self._books.mark(entry, reason)
                self._refusal = reason
            else:
                self._books.let_go(entry.ids)
            first = (entry.kind, reason) not in self._told
            self._told.add((entry.kind, reason))
        if first:
            what = sent.topic if sent else f"message {row_id}"
            log.warning("%s: given up for now: %s (further ones are counted, not told)", what, reason)

    def _owe(self, clips: Sequence[str]) -> Iterator[None]:
        """Keep, in steps, clips that an end without warning interrupted, and owe what is owed of them."""
        for what in adopted(self._disk.db, self._disk.media, clips, self._finish):
            if what:
                message, exhibit = what
                if message:
                    self.put(message, None, exhibit)
                else:
                    self.keep(exhibit)
            yield
