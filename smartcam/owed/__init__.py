"""What is owed to the world: the rows of an outbox, and their order."""

from smartcam.owed.ledger import Entry, Ledger, chain, size
from smartcam.owed.outbox import (
    KINDS,
    LEAST_PART_BYTES,
    PART_BYTES,
    WHOLE_BYTES,
    Backlog,
    Firing,
    Outbox,
    Row,
)

__all__ = [
    "KINDS",
    "LEAST_PART_BYTES",
    "PART_BYTES",
    "WHOLE_BYTES",
    "Backlog",
    "Entry",
    "Firing",
    "Ledger",
    "Outbox",
    "Row",
    "chain",
    "size",
]
