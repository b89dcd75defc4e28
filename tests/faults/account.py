"""What a node was heard to say, what it has kept, and what of it is wrong after a power cut."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from smartcam.mqtt.subscriber import Received
from smartcam.store import NAME

Told: TypeAlias = tuple[str, int]
"""An event's id, and the number of its message."""
DIGEST = re.compile("[0-9a-f]{32}")
"""What a picture's file is called."""
PART = re.compile(r"(?P<whole>.+)/(?P<part>\d+)-of-(?P<parts>\d+)")


@dataclass(frozen=True)
class State:
    """A state folder as its database tells it."""

    messages: dict[int, Told]
    """Of events, by n."""
    queued: set[Told]
    media: dict[str, tuple[int, str]]
    """Size and sha256 by file."""
    sent: Counter[str]
    """Messages that the broker is said to have, by event."""
    owed_files: set[str]
    owed: int
    integrity: str

    @classmethod
    def read(cls, folder: Path) -> State:
        """Opened as whoever comes first opens it."""
        with closing(sqlite3.connect(folder / NAME)) as db:
            if not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'outbox'").fetchone()[0]:
                return cls({}, set(), {}, Counter(), set(), 0, "ok")  # The power went while it was made.
            queued = "SELECT event.id, event.seq FROM outbox JOIN event ON event.n = outbox.n"
            return cls(
                {n: (event, seq) for n, event, seq in db.execute("SELECT n, id, seq FROM event")},
                set(db.execute(queued)),
                {file: (size, sha256) for file, size, sha256 in db.execute("SELECT file, bytes, sha256 FROM media")},
                Counter(event for (event,) in db.execute("SELECT event FROM sent")),
                {file for (file,) in db.execute("SELECT file FROM outbox WHERE file NOT NULL")},
                int(db.execute("SELECT count(*) FROM outbox").fetchone()[0]),
                db.execute("PRAGMA integrity_check").fetchone()[0],
            )

    @property
    def files(self) -> set[str]:
        """That are named."""
        return self.owed_files | set(self.media)


class Account:
    """Of one node, over all its lives on one disk."""

    def __init__(self) -> None:
        self.committed: dict[int, Told] = {}
        self.files: set[str] = set()
        """Committed too."""
        self.received: dict[int, Told] = {}
        self.figures: Counter[str] = Counter()
        self._media: dict[str, bytes] = {}
        """The digest of what came, by topic."""
        self._parts: dict[str, dict[int, bytes]] = {}
        self._words: dict[str, dict[str, object]] = {}
        self._contradictions: list[str] = []

    def commit(self, messages: list[tuple[int, str, int]], files: Collection[str]) -> None:
        """Somebody could read them in the database."""
        self.committed |= {n: (event, seq) for n, event, seq in messages}
        self.files |= set(files)

    def hear(self, received: Received) -> None:
        """A subscriber got this."""
        if received.topic.endswith("/event"):
            payload = json.loads(received.payload)
            self._hear_event(payload["n"], (payload["id"], payload["seq"]))
        elif received.topic.endswith("/media"):
            word = json.loads(received.payload)
            self._words[word["topic"]] = word
        elif part := PART.fullmatch(received.topic):
            self.figures["parts"] += 1
            parts = self._parts.setdefault(part["whole"], {})
            parts[int(part["part"])] = received.payload
            if len(parts) == int(part["parts"]):
                self._media[part["whole"]] = hashlib.sha256(b"".join(parts[at] for at in sorted(parts))).digest()
        elif received.topic.startswith("smartcam-media/"):
            self._media[received.topic] = hashlib.sha256(received.payload).digest()

    def _hear_event(self, n: int, told: Told) -> None:
        before = self.received.setdefault(n, told)
        if before != told:
            self._contradictions.append(f"number {n} was sent as {before} and as {told}: the first one was forgotten")
        self.figures["received"] += 1
        self.figures["repeated"] = self.figures["received"] - len(self.received)

    @property
    def totals(self) -> Counter[str]:
        """In figures."""
        return self.figures + Counter(committed=len(self.committed), files=len(self.files))

    def missing(self, state: State) -> set[Told]:
        """Committed, not received and not owed any more."""
        return set(self.committed.values()) - set(self.received.values()) - state.queued

    def wrong(self, folder: Path, state: State) -> Iterator[str]:
        """What a power cut must not do, one sentence each: of the folder as it was found, and what was read of it."""
        yield from self._contradictions
        if state.integrity != "ok":
            yield f"the database is damaged: {state.integrity}"
        for n, told in (self.committed | self.received).items():
            if state.messages.get(n) != told:
                yield f"message {n} of event {told} is not kept"
        for told in self.missing(state):
            said = f"the broker is said to have {state.sent[told[0]]} messages of it"
            yield f"event {told} is neither received nor owed: {said}"
        yield from (f"{file} was kept, and has no row any more" for file in self.files - set(state.media))
        for file in state.files:
            yield from self._wrong_file(folder, file, state)

    def _wrong_file(self, folder: Path, file: str, state: State) -> Iterator[str]:
        try:
            data = (folder / file).read_bytes()
        except FileNotFoundError:
            yield f"{file} has a row, and is not there"
            return
        size, sha256 = state.media.get(file, (len(data), ""))
        digest, stem = hashlib.sha256(data).hexdigest(), Path(file).stem
        if len(data) != size:
            yield f"{file} has {len(data)} bytes instead of {size}"
        elif not digest.startswith(sha256) or (DIGEST.fullmatch(stem) and not digest.startswith(stem)):
            yield f"{file} is not what was written ({len(data)} bytes)"

    def wrong_words(self) -> Iterator[str]:
        """Once nothing is owed any more: what was announced has come, whole."""
        for topic, word in self._words.items():
            digest = self._media.get(topic)
            if digest is None:
                yield f"{topic} was announced and did not come"
            elif digest.hex() != word["sha256"]:
                yield f"{topic} is not what was announced"
        self.figures["announced"] = len(self._words)


def orphans(folder: Path, state: State) -> set[str]:
    """Files that no row names."""
    there = {str(path.relative_to(folder)) for path in (folder / "media").rglob("*") if path.is_file()}
    return there - state.files


def set_aside(folder: Path) -> list[str]:
    """Databases that were taken for damaged."""
    return [path.name for path in folder.glob(f"{NAME}.damaged*")]
