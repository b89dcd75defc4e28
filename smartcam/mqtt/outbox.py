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
    """How often the broker hung up before it had answered for it."""
    follows: bool = False
    """What it tells of has been sent already: it is no longer dropped for room."""

    @property
    def bytes(self) -> int:
        """With what is to follow it, so that there will be room for that."""
        return _bytes(self.message)


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
    last; rows in flight stay. Nothing goes uncounted. What is to follow a message (`Message.then`) comes up when
    that is done, and goes with it when that is dropped or fails. A retained message takes the place of one that
    waits for the same topic: only the last one counts there.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._last_id = 0
        self._waiting = {kind: _Line() for kind in KINDS}
        self._following = {kind: _Line() for kind in KINDS}
        """What tells of a message that has been sent: it goes first, and is not dropped."""
        self._in_flight: dict[int, Row] = {}
        self._bytes = 0
        """Of all rows."""
        self._dropped: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._failed: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._told: set[tuple[Kind, str]] = set()
        self._listeners: list[Callable[[], None]] = []

    def put(self, message: Message) -> bool:
        """Owe a message. False, and counted as dropped, where no room can be made by dropping its like or worse."""
        with self._lock:
            self._last_id += 1
            row = Row(self._last_id, message)
            if message.retain:
                self._replace(message)
            if not self._make_room(row):
                self._dropped[message.kind] += 1
                return False
            self._waiting[message.kind].push(row)
            self._bytes += row.bytes
        for wake in tuple(self._listeners):
            wake()
        return True

    def take(self, kinds: Collection[Kind]) -> Row | None:
        """The row that should go next, now in flight; None when nothing of these kinds waits."""
        with self._lock:
            for kind in KINDS:
                if kind in kinds and (row := self._following[kind].pop() or self._waiting[kind].pop()):
                    self._in_flight[row.id] = row
                    return row
            return None

    def done(self, row_id: int) -> None:
        """The broker has it. What is to follow waits now, in its place."""
        with self._lock:
            then = self._forget(row_id).message.then
            if then is not None:
                row = Row(row_id, then, follows=True)
                self._following[then.kind].push(row)
                self._bytes += row.bytes

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

    def release_all(self, kinds: Collection[Kind], *, blamed: bool) -> None:
        """The connection ended: what was in flight of these kinds waits again; one try richer where it is `blamed`."""
        with self._lock:
            for row in [row for row in self._in_flight.values() if row.message.kind in kinds]:
                del self._in_flight[row.id]
                self._wait_again(row._replace(tries=row.tries + blamed))

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
            waiting = sum(len(self._waiting[kind].rows) + len(self._following[kind].rows) for kind in kinds)
            return waiting + sum(row.message.kind in kinds for row in self._in_flight.values())

    @property
    def backlog(self) -> Backlog:
        depth = self.depth()
        with self._lock:
            return Backlog(depth, self._bytes, dict(self._dropped), dict(self._failed))

    def _replace(self, message: Message) -> None:
        waiting = self._waiting[message.kind]
        for old in [row for row in waiting.rows if row.message.retain and row.message.topic == message.topic]:
            waiting.remove(old)
            self._bytes -= old.bytes

    def _make_room(self, row: Row) -> bool:
        """Drop the like and the worse until the row fits; drops nothing where that would not be enough."""
        droppable = KINDS[KINDS.index(row.message.kind) :]
        excess = self._bytes + row.bytes - self.max_bytes
        if excess > sum(self._waiting[kind].bytes for kind in droppable):
            return False
        for kind in reversed(droppable):
            while excess > 0 and (old := self._waiting[kind].pop()):
                self._bytes -= old.bytes
                self._dropped[kind] += 1
                excess -= old.bytes
        return True

    def _wait_again(self, row: Row) -> None:
        (self._following if row.follows else self._waiting)[row.message.kind].push(row)

    def _forget(self, row_id: int) -> Row:
        row = self._in_flight.pop(row_id)
        self._bytes -= row.bytes
        return row


class _Line:
    """Rows that wait, the oldest first."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        """A heap."""
        self.bytes = 0

    def push(self, row: Row) -> None:
        heapq.heappush(self.rows, row)
        self.bytes += row.bytes

    def pop(self) -> Row | None:
        if not self.rows:
            return None
        row = heapq.heappop(self.rows)
        self.bytes -= row.bytes
        return row

    def remove(self, row: Row) -> None:
        self.rows.remove(row)
        heapq.heapify(self.rows)
        self.bytes -= row.bytes


def _bytes(message: Message) -> int:
    return len(message.topic) + len(message.payload) + (_bytes(message.then) if message.then else 0)
