"""An outbox in memory: for a machine without a disk that can be written to, and for tests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from smartcam.data import Exhibit, Kind, Message
from smartcam.owed import KINDS, PART_BYTES, WHOLE_BYTES, Backlog, Entry, Firing, Ledger, Row, chain

log = logging.getLogger(__name__)


class MemoryOutbox:
    """An `Outbox` that lives as long as the process. What the broker does not take is given up."""

    def __init__(self, max_bytes: int) -> None:
        self.whole_bytes = WHOLE_BYTES
        self.part_bytes = PART_BYTES
        self._lock = threading.Lock()
        self._last_id = 0
        self._ledger = Ledger(max_bytes)
        self._messages: dict[int, Message] = {}
        self._told: set[tuple[Kind, str]] = set()
        self._listeners: list[Callable[[], None]] = []
        self._notes: dict[str, str] = {}

    @property
    def max_bytes(self) -> int:
        return self._ledger.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._ledger.max_bytes = value

    def put(self, message: Message, _firing: Firing | None = None, _exhibit: Exhibit | None = None) -> bool:
        """Of a file nothing can be sent: there is no disk."""
        with self._lock:
            if message.file:
                self._ledger.dropped[message.kind] += 1
                return False
            entry = Entry.of(self._last_id + 1, message)
            dropped = self._ledger.reserve(entry)
            if dropped is None:
                return False
            for old in dropped:
                self._forget(old.ids)
            self._messages |= zip(entry.ids, chain(message), strict=True)
            self._last_id = entry.ids[-1]
            self._ledger.push(entry)
        for wake in tuple(self._listeners):
            wake()
        return True

    def keep(self, _exhibit: Exhibit, _data: bytes = b"") -> bool:
        return False

    def exhibits(self, _event: str) -> list[Exhibit]:
        return []

    def note(self, name: str, text: str, *, soon: bool = False) -> None:  # noqa: ARG002 - memory is always at once
        self._notes[name] = text

    def noted(self, name: str) -> str:
        return self._notes.get(name, "")

    def take(self, kinds: Collection[Kind]) -> Row | None:
        with self._lock:
            entry = self._ledger.pop(kinds)
            return Row(entry.id, self._messages[entry.id], entry.tries) if entry else None

    def done(self, row_id: int) -> None:
        with self._lock:
            self._ledger.done(row_id)
            self._forget([row_id])

    def failed(self, row_id: int, reason: str) -> None:
        """Counted, and each reason told once a kind."""
        with self._lock:
            message = self._messages[row_id]
            if entry := self._ledger.refuse(row_id, keep=False):
                self._forget(entry.ids)
            first = (message.kind, reason) not in self._told
            self._told.add((message.kind, reason))
        if first:
            log.warning("%s: given up: %s (further ones are counted, not told)", message.topic, reason)

    def release(self, row_id: int) -> None:
        with self._lock:
            self._ledger.release(row_id)

    def release_all(self, kinds: Collection[Kind], *, blamed: bool) -> None:
        with self._lock:
            for entry in self._ledger.in_flight(kinds):
                self._ledger.release(entry.id, blamed=blamed)

    @contextmanager
    def listener(self, wake: Callable[[], None]) -> Iterator[None]:
        self._listeners.append(wake)
        try:
            yield
        finally:
            self._listeners.remove(wake)

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        with self._lock:
            return self._ledger.depth(kinds)

    @property
    def backlog(self) -> Backlog:
        with self._lock:
            ledger = self._ledger
            dropped, failed = dict(ledger.dropped), dict(ledger.failed)
            return Backlog(ledger.depth(), ledger.bytes, dropped, failed, ledger.waiting, ledger.refused)

    def _forget(self, row_ids: Collection[int]) -> None:
        for row_id in row_ids:
            self._messages.pop(row_id, None)
