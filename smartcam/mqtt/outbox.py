"""What MQTT still owes to the world, bounded in bytes."""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, get_args

from smartcam.data import Kind, Message

log = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The most important first: the order of sending, and from its end the order of dropping."""


class Row(NamedTuple):
    """A message that is owed."""

    id: int
    """Rises with every message: within a kind, rows are sent in this order."""
    message: Message
    tries: int = 0
    """How often a connection ended before the broker had answered for it."""

    @property
    def bytes(self) -> int:
        return len(self.message.topic) + len(self.message.payload)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox in figures, for N/health."""

    depth: int
    bytes: int
    dropped: dict[Kind, int]
    """There was no room."""
    failed: dict[Kind, int]
    """The broker does not take it."""


class MemoryOutbox:
    """An outbox that lives as long as the process. Every method may be called from any thread.

    A row waits, is taken (in flight), and goes once it is done or failed; what is released waits again,
    in its old place. Over `max_bytes` the oldest clip goes first, then snapshots, events, and alerts
    last; rows in flight stay. Nothing goes uncounted.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._last_id = 0
        self._waiting: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
        """Heaps: the oldest row first."""
        self._in_flight: dict[int, Row] = {}
        self._bytes: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._dropped: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._failed: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._told: set[tuple[Kind, str]] = set()
        self._listeners: list[Callable[[], None]] = []

    def put(self, message: Message) -> bool:
        """Owe a message. False, and counted as dropped, where no room can be made by dropping its like or worse."""
        with self._lock:
            self._last_id += 1
            row = Row(self._last_id, message)
            if not self._make_room(row):
                self._dropped[message.kind] += 1
                return False
            heapq.heappush(self._waiting[message.kind], row)
            self._bytes[message.kind] += row.bytes
        for wake in tuple(self._listeners):
            wake()
        return True

    def take(self, kinds: Collection[Kind]) -> Row | None:
        """The row that should go next, now in flight; None when nothing of these kinds waits."""
        with self._lock:
            for kind in KINDS:
                if kind in kinds and self._waiting[kind]:
                    row = heapq.heappop(self._waiting[kind])
                    self._in_flight[row.id] = row
                    return row
            return None

    def done(self, row_id: int) -> None:
        """The broker has it."""
        with self._lock:
            self._forget(row_id)

    def failed(self, row_id: int, reason: str) -> None:
        """The broker will not take it, however often it is asked. Counted, and each reason told once a kind."""
        with self._lock:
            message = self._forget(row_id).message
            self._failed[message.kind] += 1
            first = (message.kind, reason) not in self._told
            self._told.add((message.kind, reason))
        if first:
            log.warning("%s: given up: %s (further ones are counted, not told)", message.topic, reason)

    def release(self, row_id: int) -> None:
        """Not now: it waits again."""
        with self._lock:
            self._wait_again(self._in_flight.pop(row_id))

    def release_all(self, kinds: Collection[Kind]) -> None:
        """The connection ended: what was in flight of these kinds waits again, one try richer."""
        with self._lock:
            for row in [row for row in self._in_flight.values() if row.message.kind in kinds]:
                del self._in_flight[row.id]
                self._wait_again(row._replace(tries=row.tries + 1))

    @contextmanager
    def listener(self, wake: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, `wake` is called after each `put`, in the putting thread: it must be quick."""
        self._listeners.append(wake)
        try:
            yield
        finally:
            self._listeners.remove(wake)

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        """Rows of these kinds, in flight or waiting."""
        with self._lock:
            waiting = sum(len(rows) for kind, rows in self._waiting.items() if kind in kinds)
            return waiting + sum(row.message.kind in kinds for row in self._in_flight.values())

    @property
    def backlog(self) -> Backlog:
        depth = self.depth()
        with self._lock:
            return Backlog(depth, sum(self._bytes.values()), dict(self._dropped), dict(self._failed))

    def _make_room(self, row: Row) -> bool:
        """Drop the like and the worse until the row fits; drops nothing where that would not be enough."""
        droppable = KINDS[KINDS.index(row.message.kind) :]
        excess = sum(self._bytes.values()) + row.bytes - self._max_bytes
        in_flight = sum(old.bytes for old in self._in_flight.values() if old.message.kind in droppable)
        if excess > sum(self._bytes[kind] for kind in droppable) - in_flight:
            return False
        for kind in reversed(droppable):
            while excess > 0 and self._waiting[kind]:
                old = heapq.heappop(self._waiting[kind])
                self._bytes[kind] -= old.bytes
                self._dropped[kind] += 1
                excess -= old.bytes
        return True

    def _wait_again(self, row: Row) -> None:
        heapq.heappush(self._waiting[row.message.kind], row)

    def _forget(self, row_id: int) -> Row:
        row = self._in_flight.pop(row_id)
        self._bytes[row.message.kind] -= row.bytes
        return row
