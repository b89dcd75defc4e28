"""What outlives the process: the rules' memory, and the last configuration that was good."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

from smartcam.config.sources import Sources
from smartcam.durable import write_durably
from smartcam.rules.memory import Memory, restored
from smartcam.workers import Alive

log = logging.getLogger(__name__)

RETRY_S = 10.0
"""What could not be written is tried again after so long: a full disk may have room by then."""


class Keeper:
    """Writes the rules' memory, in a thread of its own: nobody else ever waits for the disk."""

    NAME = "memory.json"

    def __init__(self, folder: Path) -> None:
        self.trouble = ""
        """Why it could not be written: one sentence, or nothing."""
        self._file = folder / self.NAME
        self._newest: bytes | None = None
        self._changed = threading.Condition()

    def restored(self, at: float, wall: float) -> Memory:
        """What was kept, on clocks that show `at` and `wall`. A file that is damaged, or not ours, is set aside."""
        try:
            return restored(self._file.read_bytes(), at, wall)
        except FileNotFoundError:
            return Memory()
        except (OSError, ValueError) as error:
            aside = self._file.with_suffix(".json.damaged")
            log.warning("%s: %s: set aside as %s; the rules begin anew", self._file, _reason(error), aside.name)
            with suppress(OSError):
                self._file.replace(aside)
            return Memory()

    def move_to(self, folder: Path) -> None:
        """Keep it in another folder from now on."""
        self._file = folder / self.NAME

    def take(self, data: bytes) -> None:
        """Write this soon. Of several that wait only the last one counts; never waits itself."""
        with self._changed:
            self._newest = data
            self._changed.notify()

    def run(self, alive: Alive) -> None:
        """The worker's loop; what waits when it ends is written still."""
        while alive():
            if data := self._wait(0.5):
                self._write(data)
                self._wait_while_it_fails(data, alive)
        if data := self._wait(0):
            self._write(data)

    def _wait(self, timeout_s: float) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest, timeout_s)
            data, self._newest = self._newest, None
            return data

    def _write(self, data: bytes) -> None:
        try:
            write_durably(self._file, data)
        except OSError as error:
            told = f"cannot write {self._file} ({error.strerror}): a restart will forget what the rules know"
            if told != self.trouble:
                log.warning("%s", told)
            self.trouble = told
        else:
            self.trouble = ""

    def _wait_while_it_fails(self, data: bytes, alive: Alive) -> None:
        until = time.monotonic() + RETRY_S
        while self.trouble and alive() and time.monotonic() < until:
            time.sleep(0.1)
        if self.trouble:
            with self._changed:
                self._newest = self._newest or data


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
