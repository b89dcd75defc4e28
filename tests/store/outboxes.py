"""Durable outboxes at work, and what is put into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartcam.data import Event, Message, Phase
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import Firing
from smartcam.store import DurableOutbox
from smartcam.workers import Worker
from tests.mqtt.events import event
from tests.mqtt.links import until

MIB = 2**20


@contextmanager
def kept(folder: Path, max_bytes: int = 64 * MIB) -> Iterator[DurableOutbox]:
    """Open, and written to as in the daemon."""
    with DurableOutbox(folder, max_bytes) as outbox, Worker("store", outbox.run):
        yield outbox


def told(n: int, *, phase: Phase = "start", level: str = "event") -> tuple[Message, Firing]:
    """The node's message number n."""
    what: Event = event(id=f"01J{n:023d}", phase=phase, level=level)
    return event_message(Topics("ridge1"), what, n=n, clock_ok=True), Firing(what, n)


def until_written(outbox: DurableOutbox) -> None:
    """All that was handed over is on the disk, or given up."""
    assert until(lambda: not outbox.unwritten)
