"""What an outbox is to those who put messages into it, and to those who take them out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, get_args

from smartcam.data import Event, Exhibit, Kind, Message

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The most important first: the order of sending."""

WHOLE_BYTES = 1_900_000
"""What brokers take as one message: mosquitto refuses more than 2,000,000 bytes unless it is told otherwise."""
PART_BYTES = 256 * 1024
LEAST_PART_BYTES = 1024


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
    waiting: dict[Kind, tuple[int, int]] = field(default_factory=dict)
    """Messages that are to be sent, and their bytes: of a file that goes in parts, what is left."""
    refused: dict[Kind, tuple[int, int]] = field(default_factory=dict)
    """The same for what the broker did not take, and is kept aside."""


class Outbox(Protocol):
    """Where messages wait until the broker has them. Every method may be called from any thread, and none waits."""

    max_bytes: int
    whole_bytes: int
    """A file of no more goes as one message …"""
    part_bytes: int
    """… and a larger one in parts of so many, one after the other. What is begun goes on in parts of
    the same size, as long as that is not too large by now; what is tried in vain goes in smaller ones."""

    def put(self, message: Message, firing: Firing | None = None, exhibit: Exhibit | None = None) -> bool:
        """Owe a message, and keep what it shows as `exhibit`: its payload or its file, which is whole and durable.

        False, and counted as dropped, where no room can be made by dropping its like or worse.
        """

    def keep(self, exhibit: Exhibit, data: bytes = b"") -> bool:
        """Keep a picture or a clip without owing it to anybody; `data` where it is no file yet.

        False where it cannot be kept.
        """

    def take(self, kinds: Collection[Kind]) -> Row | None:
        """The row that should go next, now in flight; None when nothing of these kinds waits.

        Of a large file it is the next part: its id is the file's, its topic ``TOPIC/2-of-3``. One file is in flight at
        a time.
        """

    def done(self, row_id: int) -> None:
        """The broker has it. What is to follow waits now, in its place: the next part, or the word that it is there."""

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

    def exhibits(self, event: str) -> list[Exhibit]:
        """What is kept of an event, in the order in which it came."""

    def note(self, name: str, text: str, *, soon: bool = False) -> None:
        """Keep a text under a name: on the disk with what is owed next, or within seconds; or at once where `soon`."""

    def noted(self, name: str) -> str:
        """What was last kept under a name; empty before."""
