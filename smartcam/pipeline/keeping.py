"""What outlives the process: the rules' memory, and the last configuration that was good."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from smartcam.config.sources import Sources
from smartcam.durable import write_durably
from smartcam.owed import Outbox
from smartcam.rules.memory import Memory, restored

log = logging.getLogger(__name__)

NAME = "memory"
"""Of the rules' memory among the store's notes."""


class Keeper:
    """Keeps the rules' memory in the store, in one transaction with the events that it knows to have been told."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def restored(self, at: float, wall: float) -> Memory:
        """What was kept, on clocks that show `at` and `wall`. What is damaged, or not ours, is set aside."""
        text = self._outbox.noted(NAME)
        try:
            return restored(text.encode(), at, wall) if text else Memory()
        except ValueError as error:
            log.warning("what the rules knew cannot be read (%s): set aside; they begin anew", error)
            self._outbox.note(f"{NAME}-damaged", text)
            return Memory()

    def take(self, memory: bytes, /, *, soon: bool) -> None:
        """Keep this, `soon` or with the next event. Never waits."""
        self._outbox.note(NAME, memory.decode(), soon=soon)


class LastGood:
    """The last set of files that was in force, of one main file.

    It lies in the folder that is found without a configuration: it is for when that cannot be read.
    """

    def __init__(self, folder: Path, main: Path) -> None:
        self.trouble = ""
        """Why it could not be written: one sentence, or nothing."""
        name = hashlib.sha256(str(main.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        self.file = folder / f"last-good-{name}.json"

    def load(self) -> Sources | None:
        """None where there is none.

        Raises ValueError with a sentence where it cannot be used.
        """
        try:
            return Sources.from_json(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.file}: {_reason(error)}") from error

    def keep(self, sources: Sources) -> None:
        """Write it, unless it is there already: the disk may be a card that wears out."""
        data = sources.to_json()
        with suppress(OSError):
            if self.file.read_bytes() == data:
                return
        try:
            write_durably(self.file, data)
        except OSError as error:
            self.trouble = (
                f"cannot write {self.file} ({error.strerror}): a start with a broken configuration would fail"
            )
            log.warning("%s", self.trouble)
        else:
            self.trouble = ""


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
