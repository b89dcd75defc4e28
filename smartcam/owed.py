"""What is owed to the world: the rows of an outbox, and who goes first, out of the door and overboard."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, get_args

from smartcam.data import Event, Kind, Message, Weight

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The most important first: the order of sending."""

Class: TypeAlias = tuple[Kind, Weight]

WORTH: tuple[Class, ...] = (
    ("clip", "passing"),
    ("clip", "light"),
    ("clip", "full"),
    ("snapshot", "passing"),
    ("snapshot", "light"),
    ("snapshot", "full"),
    ("event", "passing"),
    ("alert", "passing"),
    ("event", "light"),
    ("event", "full"),
    ("alert", "light"),
    ("alert", "full"),
)
"""The order of dropping: clips, snapshots, updates, then events from the lowest to alerts."""


class Row(NamedTuple):
    """A message that is owed."""

    id: int
    """Rises with every message: within a kind, rows are sent in this order."""
    message: Message
    tries: int = 0
    """How often the broker hung up before it had answered for it."""


class Firing(NamedTuple):
    """What an event's message tells, for those who keep it."""

    event: Event
    n: int
    """The node's own count of such messages."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """An outbox in figures, for N/health."""

    depth: int
    bytes: int
    dropped: dict[Kind, int]
    """There was no room."""
    failed: dict[Kind, int]
    """The broker does not take it."""


class Outbox(Protocol):
    """Where messages wait until the broker has them. Every method may be called from any thread, and none waits."""

    max_bytes: int

    def put(self, message: Message, firing: Firing | None = None) -> bool:
        """Owe a message. False, and counted as dropped, where no room can be made by dropping its like or worse."""

    def take(self, kinds: Collection[Kind]) -> Row | None:
        """The row that should go next, now in flight; None when nothing of these kinds waits."""

    def done(self, row_id: int) -> None:
        """The broker has it. What is to follow waits now, in its place."""

    def failed(self, row_id: int, reason: str) -> None:
        """The broker will not take it, however often it is asked."""

    def release(self, row_id: int) -> None:
        """Not now: it waits again."""

    def release_all(self, kinds: Collection[Kind], *, blamed: bool) -> None:
        """The connection ended: what was in flight of these kinds waits again; one try richer where it is `blamed`."""

    def listener(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """While the block lasts, `wake` is called whenever something new may be taken; it must be quick."""

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        """Rows of these kinds that are to be sent, in flight or waiting."""

    @property
    def backlog(self) -> Backlog:
        """In figures."""


class Entry(NamedTuple):
    """What the order of rows needs to know of one: a hundred bytes or two, however long the message."""

    id: int
    kind: Kind
    weight: Weight
    bytes: int
    """With what is to follow it, so that there will be room for that."""
    retained: str = ""
    """The topic of a retained message: of those that wait there only the last counts."""
    tries: int = 0
    follows: bool = False
    """What it tells of has been sent already: it goes first, and is no longer dropped for room."""
    then: Entry | None = None

    @classmethod
    def of(cls, row_id: int, message: Message) -> Entry:
        """What follows the message has the next id."""
        then = cls.of(row_id + 1, message.then) if message.then else None
        retained = message.topic if message.retain else ""
        return cls(row_id, message.kind, message.weight, size(message), retained, then=then)

    @property
    def worth(self) -> int:
        return WORTH.index((self.kind, self.weight))

    @property
    def ids(self) -> tuple[int, ...]:
        """Its own, and those of what follows it."""
        return (self.id, *(self.then.ids if self.then else ()))


class Ledger:
    """Which rows wait, are in flight, or were refused. Not for more than one thread at a time.

    A row waits, is taken (in flight), and goes once it is done; what is released waits again, in its old place. Over
    `max_bytes` what was refused goes first, then what is worth least, the oldest first; rows in flight stay. Nothing
    goes uncounted.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        """Of all rows."""
        self.dropped: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.failed: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._waiting = {each: _Line() for each in WORTH}
        self._following = {kind: _Line() for kind in KINDS}
        self._in_flight: dict[int, Entry] = {}
        self._refused = _Line()
        self._retained: dict[str, Entry] = {}

    def reserve(self, entry: Entry) -> list[Entry] | None:
        """Make room for an entry, and count its bytes; `push` lets it be taken.

        Gives the rows that had to go for it. None, and it is counted as dropped, where dropping its like and worse
        would not be enough: then nothing goes.
        """
        replaced = self._retained.pop(entry.retained, None)
        if replaced:
            self._waiting[replaced.kind, replaced.weight].remove(replaced)
            self.bytes -= replaced.bytes
        dropped = self._make_room(entry)
        if dropped is None:
            self.dropped[entry.kind] += 1
            if replaced:  # An old state is better than none.
                self.bytes += replaced.bytes
                self.push(replaced)
            return None
        self.bytes += entry.bytes
        return [*([replaced] if replaced else []), *dropped]

    def push(self, entry: Entry) -> None:
        """It waits."""
        if entry.follows:
            self._following[entry.kind].push(entry)
            return
        if entry.retained:
            self._retained.setdefault(entry.retained, entry)  # A newer one may wait already.
        self._waiting[entry.kind, entry.weight].push(entry)

    def pop(self, kinds: Collection[Kind]) -> Entry | None:
        """The one that should go next, now in flight."""
        for kind in KINDS:
            if kind in kinds and (entry := self._following[kind].pop() or self._oldest(kind)):
                self._in_flight[entry.id] = entry
                return entry
        return None

    def done(self, row_id: int) -> Entry | None:
        """It is sent; what follows it waits. None where it is not in flight, having been lost with a damaged store."""
        entry = self._in_flight.pop(row_id, None)
        if entry:
            self.bytes -= entry.bytes
            if entry.then:
                self.bytes += entry.then.bytes
                self.push(entry.then._replace(follows=True))
        return entry

    def refuse(self, row_id: int, *, keep: bool) -> Entry | None:
        """The broker does not take it: counted, and kept aside until there is no room."""
        entry = self._in_flight.pop(row_id, None)
        if entry:
            self.failed[entry.kind] += 1
            if keep:
                self._refused.push(entry)
            else:
                self.bytes -= entry.bytes
        return entry

    def release(self, row_id: int, *, blamed: bool = False) -> Entry | None:
        """It waits again."""
        entry = self._in_flight.pop(row_id, None)
        if entry:
            entry = entry._replace(tries=entry.tries + blamed)
            self.push(entry)
        return entry

    def in_flight(self, kinds: Collection[Kind]) -> list[Entry]:
        return [entry for entry in self._in_flight.values() if entry.kind in kinds]

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        """Rows that are to be sent."""
        waiting = sum(len(line.rows) for (kind, _), line in self._waiting.items() if kind in kinds)
        following = sum(len(self._following[kind].rows) for kind in kinds)
        return waiting + following + len(self.in_flight(kinds))

    @property
    def refused(self) -> int:
        """Rows that were refused and are kept."""
        return len(self._refused.rows)

    def shed(self, least_bytes: int) -> list[Entry]:
        """Drop pictures until so many bytes are gone, or no picture waits: what was refused first."""
        return list(self._drop(least_bytes, WORTH.index(("snapshot", "full"))))

    def clear(self) -> None:
        """All rows are lost; counted as dropped."""
        for kind in KINDS:
            self.dropped[kind] += self.depth([kind])
        for line in (*self._waiting.values(), *self._following.values(), self._refused):
            line.rows.clear()
            line.bytes = 0
        self._in_flight.clear()
        self._retained.clear()
        self.bytes = 0

    def _make_room(self, entry: Entry) -> list[Entry] | None:
        excess = self.bytes + entry.bytes - self.max_bytes
        droppable = sum(self._waiting[each].bytes for each in WORTH[: entry.worth + 1]) + self._refused.bytes
        return None if excess > droppable else list(self._drop(excess, entry.worth))

    def _drop(self, least_bytes: int, worth: int) -> Iterator[Entry]:
        for line in (self._refused, *(self._waiting[each] for each in WORTH[: worth + 1])):
            while least_bytes > 0 and (old := line.pop()):
                self.bytes -= old.bytes
                least_bytes -= old.bytes
                self._forget_state(old)
                if line is not self._refused:  # It was counted as failed.
                    self.dropped[old.kind] += 1
                yield old

    def _oldest(self, kind: Kind) -> Entry | None:
        lines = [line for (each, _), line in self._waiting.items() if each == kind and line.rows]
        if not lines:
            return None
        entry = min(lines, key=lambda line: line.rows[0]).pop()
        self._forget_state(entry)
        return entry

    def _forget_state(self, entry: Entry | None) -> None:
        if entry and self._retained.get(entry.retained) is entry:
            del self._retained[entry.retained]


class _Line:
    """Rows that wait, the oldest first."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []
        """A heap."""
        self.bytes = 0

    def push(self, entry: Entry) -> None:
        heapq.heappush(self.rows, entry)
        self.bytes += entry.bytes

    def pop(self) -> Entry | None:
        if not self.rows:
            return None
        entry = heapq.heappop(self.rows)
        self.bytes -= entry.bytes
        return entry

    def remove(self, entry: Entry) -> None:
        self.rows.remove(entry)
        heapq.heapify(self.rows)
        self.bytes -= entry.bytes


def size(message: Message) -> int:
    """Bytes of a message, with what is to follow it."""
    return len(message.topic) + len(message.payload) + (size(message.then) if message.then else 0)


def chain(message: Message) -> Sequence[Message]:
    """The message, and what follows it."""
    return (message, *(chain(message.then) if message.then else ()))
