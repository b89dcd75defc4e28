"""Who goes first, out of the door and overboard. Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from smartcam.data import Kind, Message, Weight
from smartcam.owed.outbox import KINDS, PART_BYTES, WHOLE_BYTES

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

TRIES = 3
"""After so many of a part, parts are half as large: a way that is cut often lets a short one through …"""
SMALL_BYTES = 8 * 1024
"""… down to so many bytes."""
TRIES_BEGUN = 12
"""Before that, a file of which parts are sent goes on as it began: to begin anew sends those again."""


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
    file_bytes: int = 0
    """Of the file that it is, or 0."""
    part_bytes: int = 0
    """Of one part of it; 0 until it is decided."""
    parts_sent: int = 0
    """For what follows a file: of that file, like `part_bytes`."""

    @classmethod
    def of(cls, row_id: int, message: Message) -> Entry:
        """What follows the message has the next id."""
        then = cls.of(row_id + 1, message.then) if message.then else None
        retained = message.topic if message.retain else ""
        return cls(
            row_id, message.kind, message.weight, size(message), retained, then=then, file_bytes=message.file_bytes
        )

    @property
    def parts(self) -> int:
        """How many make up the file."""
        return max(1, math.ceil(self.file_bytes / self.part_bytes)) if self.part_bytes else 1

    def cut(self, whole_bytes: int, part_bytes: int) -> Entry:
        """With parts of the size that is right now. Where some are sent it goes on as it began, unless that is too
        large by now: then it begins anew.

        On what cannot stand a whole, it goes in parts the next time, and in smaller ones after some tries: a
        short-lived connection lets no others through.
        """
        if not self.file_bytes:
            return self
        most = max(part_bytes >> (self.tries // TRIES), min(part_bytes, SMALL_BYTES))
        if self.parts_sent and self.part_bytes <= (most if self.tries >= TRIES_BEGUN else part_bytes):
            return self
        is_whole = self.file_bytes <= whole_bytes and not self.tries and not self.parts_sent
        bytes_ = self.bytes + self.parts_sent * self.part_bytes
        return self._replace(bytes=bytes_, part_bytes=self.file_bytes if is_whole else most, parts_sent=0)

    def advanced(self) -> Entry:
        """With one more part sent."""
        return self._replace(bytes=self.bytes - self.part_bytes, parts_sent=self.parts_sent + 1, tries=0, follows=True)

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
        self._refused = {kind: _Line() for kind in KINDS}
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

    def pop(
        self, kinds: Collection[Kind], whole_bytes: int = WHOLE_BYTES, part_bytes: int = PART_BYTES
    ) -> Entry | None:
        """The one that should go next, now in flight. A file is cut into parts as told; no other goes meanwhile."""
        file_is_out = any(entry.file_bytes for entry in self._in_flight.values())
        for kind in KINDS:
            line = self._next_line(kind) if kind in kinds else None
            if line and not (file_is_out and line.rows[0].file_bytes):
                self._forget_state(line.rows[0])
                was_bytes = line.rows[0].bytes
                entry = line.pop().cut(whole_bytes, part_bytes)
                self.bytes += entry.bytes - was_bytes
                self._in_flight[entry.id] = entry
                return entry
        return None

    def done(self, row_id: int) -> Entry | None:
        """It is sent; what follows it waits. None where it is not in flight, having been lost with a damaged store.

        Where it was one part of several it is given as it is now, and waits for its next.
        """
        entry = self._in_flight.pop(row_id, None)
        if entry is None:
            return None
        if entry.parts_sent + 1 < entry.parts:
            self.bytes -= entry.part_bytes
            entry = entry.advanced()
            self.push(entry)
            return entry
        self.bytes -= entry.bytes
        if entry.then:
            self.bytes += entry.then.bytes
            self.push(entry.then._replace(follows=True, part_bytes=entry.part_bytes, parts_sent=entry.parts))
        return entry._replace(parts_sent=entry.parts)

    def refuse(self, row_id: int, *, keep: bool) -> Entry | None:
        """The broker does not take it: counted, and kept aside until there is no room."""
        entry = self._in_flight.pop(row_id, None)
        if entry:
            self.failed[entry.kind] += 1
            if keep:
                self._refused[entry.kind].push(entry)
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
    def waiting(self) -> dict[Kind, tuple[int, int]]:
        """Rows that are to be sent, and their bytes."""
        lines = [*((kind, line) for (kind, _), line in self._waiting.items()), *self._following.items()]
        found = {}
        for kind in KINDS:
            size_bytes = sum(line.bytes for each, line in lines if each == kind)
            found[kind] = self.depth([kind]), size_bytes + sum(entry.bytes for entry in self.in_flight([kind]))
        return found

    @property
    def refused(self) -> dict[Kind, tuple[int, int]]:
        """Rows that were refused and are kept, and their bytes."""
        return {kind: (len(line.rows), line.bytes) for kind, line in self._refused.items()}

    def shed(self, least_bytes: int) -> list[Entry]:
        """Drop pictures until so many bytes are gone, or no picture waits: what was refused first."""
        return list(self._drop(least_bytes, WORTH.index(("snapshot", "full"))))

    def clear(self) -> None:
        """All rows are lost; counted as dropped."""
        for kind in KINDS:
            self.dropped[kind] += self.depth([kind])
        for line in (*self._waiting.values(), *self._following.values(), *self._refused.values()):
            line.rows.clear()
            line.bytes = 0
        self._in_flight.clear()
        self._retained.clear()
        self.bytes = 0

    def _make_room(self, entry: Entry) -> list[Entry] | None:
        excess = self.bytes + entry.bytes - self.max_bytes
        lines = (*self._refused.values(), *(self._waiting[each] for each in WORTH[: entry.worth + 1]))
        droppable = sum(line.bytes for line in lines)
        return None if excess > droppable else list(self._drop(excess, entry.worth))

    def _drop(self, least_bytes: int, worth: int) -> Iterator[Entry]:
        refused = [self._refused[kind] for kind in reversed(KINDS)]  # They were counted as failed.
        for line in (*refused, *(self._waiting[each] for each in WORTH[: worth + 1])):
            while least_bytes > 0 and line.rows:
                old = line.pop()
                self.bytes -= old.bytes
                least_bytes -= old.bytes
                self._forget_state(old)
                self.dropped[old.kind] += line not in refused
                yield old

    def _next_line(self, kind: Kind) -> _Line | None:
        """What follows something first; else that with the oldest row."""
        if self._following[kind].rows:
            return self._following[kind]
        lines = [line for (each, _), line in self._waiting.items() if each == kind and line.rows]
        return min(lines, key=lambda line: line.rows[0].id, default=None)

    def _forget_state(self, entry: Entry) -> None:
        if self._retained.get(entry.retained) is entry:
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

    def pop(self) -> Entry:
        """Not where there is none."""
        entry = heapq.heappop(self.rows)
        self.bytes -= entry.bytes
        return entry

    def remove(self, entry: Entry) -> None:
        self.rows.remove(entry)
        heapq.heapify(self.rows)
        self.bytes -= entry.bytes


def size(message: Message) -> int:
    """Bytes of a message, or of its file, with what is to follow it."""
    own = len(message.topic) + len(message.payload) + message.file_bytes
    return own + (size(message.then) if message.then else 0)


def chain(message: Message) -> Sequence[Message]:
    """The message, and what follows it."""
    return (message, *(chain(message.then) if message.then else ()))
