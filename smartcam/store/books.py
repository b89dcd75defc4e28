"""What an outbox knows in memory: which rows there are, and what is to be written down of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from smartcam.data import Exhibit, Kind, Message
from smartcam.owed import KINDS, Backlog, Entry, Firing, Ledger
from smartcam.store.rows import Mark, Owed
from smartcam.store.sent import Sent

MOST_INCOMING_BYTES = 8 * 2**20
"""Of messages that wait to be written."""
AT_ONCE_BYTES = 2**18
"""Of words in one transaction: the WAL grows with it."""
DELETE_S = 2.0
"""How long rows that are done may lie before they are deleted, all at once: cards wear out."""
NOTES_WAIT = 5
"""How many times as long a note may wait for something else to be written with."""


class Batch(NamedTuple):
    """What goes into one transaction."""

    owed: tuple[Owed, ...]
    gone: dict[int, float]
    """Rows that go, with the Unix time at which the broker had them; 0 for those that were dropped."""
    marks: dict[int, Mark]
    sent: tuple[Sent, ...]
    notes: dict[str, str]

    @property
    def has_words(self) -> bool:
        """What comes is words, or else a picture or a clip."""
        return any(not owed.is_evidence for owed in self.owed)


class Books:
    """Whoever calls or reads anything of it holds `changed`."""

    def __init__(self, max_bytes: int) -> None:
        self.changed = threading.Condition()
        """Notified when something is handed over."""
        self.ledger = Ledger(max_bytes)
        self.last_id = 0
        self.last_n = 0
        """The greatest number of an event's message that was ever kept here, or is about to be."""
        self.damage = ""
        """What somebody saw who read: the database is damaged."""
        self.notes: dict[str, str] = {}
        """All that were noted since the start."""
        self.writing: list[Owed] = []
        """What is in the ledger's count, and not on the disk."""
        self._words: dict[int, Owed] = {}
        """What comes in …"""
        self._evidence: dict[int, Owed] = {}
        """… and pictures and clips, whose files take a slow disk long: words do not wait for them."""
        self._incoming_bytes = 0
        self._gone: dict[int, float] = {}
        self._marks: dict[int, Mark] = {}
        self._sent: list[Sent] = []
        self._noted: dict[str, str] = {}
        self._small_since = 0.0
        """Since when something small waits for something else to be written with."""
        self._noted_since = 0.0
        self._soon: set[str] = set()
        """Notes that wait for nothing."""

    def hand_over(
        self, message: Message, firing: Firing | None, exhibit: Exhibit | None, *, owed: bool, told: float
    ) -> bool:
        """To be written down; false where there is no room for it in memory."""
        entry = Entry.of(self.last_id + 1, message)
        new = Owed(entry, message, firing, exhibit, told, owed)
        if not self._has_room(new):
            return False
        self.last_id = entry.ids[-1]
        self.last_n = max(self.last_n, firing.n if firing else 0)
        self._line_of(new)[entry.id] = new
        self._incoming_bytes += new.memory_bytes
        self.changed.notify_all()
        return True

    def let_go(self, row_ids: Iterable[int], at: float = 0.0) -> None:
        """Rows that are not owed any more; `at` is the Unix time at which the broker had them."""
        self._touch()
        self._gone |= dict.fromkeys(row_ids, at)

    def mark(self, entry: Entry, refused: str | None = None) -> None:
        self._touch()
        self._marks[entry.id] = Mark.of(entry, refused)

    def has_left(self, sent: Sent) -> None:
        self._touch()
        self._sent.append(sent)

    def note(self, name: str, text: str, *, soon: bool = False) -> None:
        if self.notes.get(name) == text and not (soon and name in self._noted):
            return
        if soon:
            self._soon.add(name)
        elif not self._noted:
            self._noted_since = time.monotonic()
        self.notes[name] = self._noted[name] = text

    @property
    def has_incoming(self) -> bool:
        return bool(self._words or self._evidence)

    @property
    def unwritten(self) -> bool:
        return bool(self.has_incoming or self.writing or self._gone or self._marks or self._sent or self._noted)

    def is_due(self, after_s: float) -> bool:
        """Whether it is time to write, where small things may wait so long for others."""
        now = time.monotonic()
        small = bool(self._gone or self._marks or self._sent) and now - self._small_since >= after_s
        noted = bool(self._noted) and now - self._noted_since >= after_s * NOTES_WAIT
        return bool(self.writing or self._soon) or small or noted

    def admit_incoming(self) -> None:
        """As many words as one transaction should hold, or else one picture or clip: what is told does not wait for
        more than that. Of the rest, what is worth least can still be dropped."""
        size = sum(owed.memory_bytes for owed in self.writing if not owed.is_evidence)
        while self._words and size < AT_ONCE_BYTES:
            size += self._admit_first(self._words)
        if self._evidence and not self.writing:
            self._admit_first(self._evidence)

    def admit(self, entry: Entry) -> bool:
        """Whether there is room for its row."""
        dropped = self.ledger.reserve(entry)
        for old in dropped or ():
            self.let_go(old.ids)
        return dropped is not None

    def batch(self) -> Batch:
        """All that is to be written now: words, if there are any."""
        words = tuple(owed for owed in self.writing if not owed.is_evidence)
        return Batch(
            words or tuple(self.writing), dict(self._gone), dict(self._marks), tuple(self._sent), dict(self._noted)
        )

    def written(self, batch: Batch, missing: Collection[int]) -> None:
        """It is on the disk, but for the rows of files that are `missing`: what is owed may be taken."""
        for row_id in batch.gone:
            self._gone.pop(row_id, None)
        for row_id, mark in batch.marks.items():
            if self._marks.get(row_id) == mark:
                del self._marks[row_id]
        del self._sent[: len(batch.sent)]
        for name, text in batch.notes.items():
            if self._noted.get(name) == text:
                del self._noted[name]
        self._soon &= self._noted.keys()
        self._small_since = self._noted_since = time.monotonic()  # What has come meanwhile waits for others, too.
        for owed in batch.owed:
            self.writing.remove(owed)
            if owed.entry.id in missing:
                self._give_up(owed, self.ledger.failed)
            elif owed.owed:
                self.ledger.push(owed.entry)

    def give_up_evidence(self) -> list[str]:
        """Write down no picture and no clip of those that are about to be: the clips' files, which nobody names now."""
        evidence = [owed for owed in self.writing if owed.is_evidence]
        for owed in evidence:
            self.writing.remove(owed)
            self._give_up(owed, self.ledger.dropped)
        return [owed.message.file for owed in evidence if owed.message.file and owed.exhibit]

    def lose_all(self) -> int:
        """The database is gone: how many messages were only there. What is known here is to be written again."""
        lost = self.ledger.depth()
        self.ledger.clear()
        self._gone.clear()
        self._marks.clear()
        self.ledger.bytes = sum(owed.entry.bytes for owed in self.writing if owed.owed)
        self._noted = dict(self.notes)
        return lost

    def take_up(self, entries: Iterable[Entry]) -> None:
        """The rows that a database holds."""
        for entry in entries:
            self.last_id = max(self.last_id, *entry.ids)
            if entry.follows:
                self.ledger.bytes += entry.bytes
            if entry.follows or self.admit(entry):
                self.ledger.push(entry)
            else:
                self.let_go(entry.ids)

    def depth(self, kinds: Collection[Kind] = KINDS) -> int:
        """Rows that are to be sent, with those that are still to be written."""
        return self.ledger.depth(kinds) + sum(owed.entry.kind in kinds for owed in self._unwritten)

    @property
    def backlog(self) -> Backlog:
        ledger = self.ledger
        waiting = ledger.waiting
        for owed in self._unwritten:
            rows, size = waiting[owed.entry.kind]
            waiting[owed.entry.kind] = rows + 1, size + owed.entry.bytes
        size = ledger.bytes + sum(owed.entry.bytes for owed in self._incoming if owed.owed)
        return Backlog(self.depth(), size, dict(ledger.dropped), dict(ledger.failed), waiting, ledger.refused)

    @property
    def _unwritten(self) -> list[Owed]:
        return [owed for owed in (*self._incoming, *self.writing) if owed.owed]

    @property
    def _incoming(self) -> Iterator[Owed]:
        yield from self._words.values()
        yield from self._evidence.values()

    def _line_of(self, owed: Owed) -> dict[int, Owed]:
        return self._evidence if owed.is_evidence else self._words

    def _admit_first(self, line: dict[int, Owed]) -> int:
        """Bytes of memory that it takes."""
        owed = line.pop(next(iter(line)))
        self._incoming_bytes -= owed.memory_bytes
        self.writing.append(owed if owed.owed and self.admit(owed.entry) else owed._replace(owed=False))
        return owed.memory_bytes

    def _has_room(self, new: Owed) -> bool:
        """In memory, after dropping what is worth less or the same, the oldest first."""
        while self._incoming_bytes + new.memory_bytes > MOST_INCOMING_BYTES:
            worst = min(self._incoming, key=lambda owed: owed.entry.worth, default=None)
            if worst is None or worst.entry.worth > new.entry.worth:
                return False
            del self._line_of(worst)[worst.entry.id]
            self._incoming_bytes -= worst.memory_bytes
            self.ledger.dropped[worst.entry.kind] += worst.owed
        return True

    def _give_up(self, owed: Owed, counted: dict[Kind, int]) -> None:
        if owed.owed:
            self.ledger.bytes -= owed.entry.bytes
            counted[owed.entry.kind] += 1

    def _touch(self) -> None:
        if not (self._gone or self._marks or self._sent):
            self._small_since = time.monotonic()
