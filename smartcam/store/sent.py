"""What left this device, when, and by which rule: one row for each message that the broker has."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

from smartcam.data import Kind, Message

MOST_SENT = 100_000
"""Rows, some 15 MB: the oldest go first."""


class Sent(NamedTuple):
    """A message, or a part of one, that the broker has."""

    at: float
    """Unix seconds."""
    topic: str
    kind: Kind
    bytes: int
    event: str
    rule: str

    @classmethod
    def now(cls, message: Message) -> Sent:
        return cls(time.time(), message.topic, message.kind, len(message.payload), message.event, message.rule)


def insert_sent(db: sqlite3.Connection, sent: Sequence[Sent]) -> None:
    """Write them down, and forget those that are too old."""
    if sent:
        db.executemany("INSERT INTO sent VALUES (NULL, ?, ?, ?, ?, ?, ?)", sent)
        db.execute("DELETE FROM sent WHERE id <= (SELECT max(id) FROM sent) - ?", (MOST_SENT,))
