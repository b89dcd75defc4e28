"""Durable outboxes at work, and what is put into them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from smartcam.data import Event, Exhibit, Message, Phase
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import KINDS, Firing, Row
from smartcam.store import DurableOutbox
from smartcam.workers import Worker
from tests.mqtt.events import event
from tests.mqtt.links import until

MIB = 2**20


@contextmanager
def kept(folder: Path, max_bytes: int = 64 * MIB, **more: Any) -> Iterator[DurableOutbox]:
    """Open, and written to as in the daemon."""
    with DurableOutbox(folder, max_bytes, **more) as outbox, Worker("store", outbox.run):
        yield outbox


def told(n: int, *, phase: Phase = "start", level: str = "event") -> tuple[Message, Firing]:
    """The node's message number n."""
    what: Event = event(id=f"01J{n:023d}", phase=phase, level=level)
    return event_message(Topics("ridge1"), what, n=n, clock_ok=True), Firing(what, n)


def until_written(outbox: DurableOutbox) -> None:
    """All that was handed over is on the disk, or given up."""
    assert until(lambda: not outbox.unwritten)


def picture(n: int, jpeg: bytes, number: int = 1) -> tuple[Message, None, Exhibit]:
    """A picture of event n, with the word that follows it."""
    what, topics = told(n)[1].event, Topics("ridge1").camera("front")
    word = Message(topics.media, b'{"v":1,"parts":1}', "snapshot")
    message = Message(topics.snapshot(what.id), jpeg, "snapshot", then=word, event=what.id, rule=what.rule)
    return message, None, exhibit(n, "snapshot", number=number)


def exhibit(n: int, kind: Literal["snapshot", "clip", "sample"], **more: Any) -> Exhibit:
    what = told(n)[1].event
    values: dict[str, Any] = {"score": 0.87, "start": what.start, "end": what.start + 10, "reasons": ("in yard",)}
    return Exhibit(what.id, kind, what.camera, what.rule, what.level, **values | more)


def clip(folder: Path, n: int, size: int) -> tuple[Message, None, Exhibit]:
    """A clip of event n, which is made as clips are: whole and durable before anybody hears of it."""
    what, topics = told(n)[1].event, Topics("ridge1").camera("front")
    file = f"media/{what.id}/clip.mp4"
    data = clip_data(size)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    word = Message(topics.media, json.dumps({"v": 1, "sha256": sha256, "parts": 1}).encode(), "clip")
    message = Message(
        topics.clip(what.id), b"", "clip", then=word, event=what.id, rule=what.rule, file=file, file_bytes=size
    )
    return message, None, exhibit(n, "clip", file=file, bytes=size, sha256=sha256)


def clip_data(size: int) -> bytes:
    """Of which no two parts are alike."""
    return b"".join(n.to_bytes(4) for n in range(size // 4 + 1))[:size]


def take(outbox: DurableOutbox) -> Row:
    row = outbox.take(KINDS)
    assert row
    return row


def taken(outbox: DurableOutbox) -> list[Row]:
    """All that may go at once."""
    rows = []
    while row := outbox.take(KINDS):
        rows.append(row)
    return rows


def sent(outbox: DurableOutbox) -> list[Row]:
    """All that the broker gets, one after the other."""
    rows = []
    while row := outbox.take(KINDS):
        rows.append(row)
        outbox.done(row.id)
    return rows
