"""Where what is owed to the world is kept: on the disk, or in memory where the disk is none to rely on."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from math import inf
from pathlib import Path
from typing import Self

from smartcam.config import Config
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.owed import Outbox
from smartcam.pipeline.health import clock_ok
from smartcam.service.folders import runtime_folder, state_folder
from smartcam.store import DurableOutbox, Finish, Salvage
from smartcam.store.chore import Chore
from smartcam.store.database import IsTaken
from smartcam.workers import Alive

log = logging.getLogger(__name__)

WITHIN_S = 3600.0
COUNT_EVERY_S = 30.0
MOST_FAILURES = 2
"""Of the disk, within that time: then a restart helps no more, and the node guards on without it."""


class Owing:
    """An outbox, open while the `with` block lasts; `run` is its worker's loop.

    A disk that fails ends the process: after an fsync that failed, only a new process knows again what is written.
    `salvage`, `finish` and `chores` are what the store asks for.
    """

    def __init__(
        self,
        config: Config,
        *,
        salvage: Salvage = lambda _: False,
        finish: Finish = lambda _: None,
        chores: Sequence[Chore] = (),
    ) -> None:
        self.outbox: Outbox = MemoryOutbox(config.mqtt.outbox * 2**20)
        self._folder = config.node.data
        self._salvage = salvage
        self._finish = finish
        self._chores = chores
        self._store: DurableOutbox | None = None
        self._why_not = ""
        self._stack = ExitStack()
        self._to_fetch = 0, 0
        self._counted_at = -inf

    def __enter__(self) -> Self:
        folder = state_folder(self._folder, make=True)
        if len(failures := _failures()) >= MOST_FAILURES:
            self._do_without(f"the disk of {folder} failed {len(failures)} times within an hour")
            return self
        store = DurableOutbox(
            folder,
            self.outbox.max_bytes,
            clock_ok=clock_ok,
            salvage=self._salvage,
            finish=self._finish,
            chores=self._chores,
        )
        try:
            self._stack.enter_context(store)
        except IsTaken:  # Two would tell different things under one name.
            raise
        except (SmartcamError, sqlite3.Error) as error:
            self._do_without(str(error))
        except OSError as error:
            self._do_without(f"cannot write to {folder} ({error.strerror})")
        else:
            self._store = self.outbox = store
        return self

    def __exit__(self, *_: object) -> None:
        if self.broken:
            _note_failure()
        self._stack.close()

    @property
    def folder(self) -> Path | None:
        """Where pictures and clips may be kept; None where there is no disk to rely on."""
        return self._store.folder if self._store else None

    @property
    def last_n(self) -> int:
        return self._store.last_n if self._store else 0

    @property
    def broken(self) -> str:
        """Why the process must end, as one sentence, or nothing."""
        return self._store.broken if self._store else ""

    @property
    def trouble(self) -> str:
        """Why a power cut could take something, as one sentence, or nothing."""
        return self._store.trouble if self._store else self._why_not

    def to_fetch(self) -> tuple[int, int]:
        """How many clips, and bytes, are here that were never sent, nor are to be. As of the last half minute."""
        if self._store and time.monotonic() - self._counted_at >= COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            self._to_fetch = self._store.unsent("clip")
        return self._to_fetch

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        if self._store:
            self._store.run(alive)

    def _do_without(self, why: str) -> None:
        self._why_not = f"store: {why}: events are kept in memory only, and lost with the process"
        log.error("%s", self._why_not)


def _failures_file() -> Path:
    return runtime_folder() / "disk-failures.json"


def _failures() -> list[float]:
    """When the disk failed within the last hour, on the machine's monotonic clock: the file does not outlive a boot."""
    try:
        found = json.loads(_failures_file().read_text())
        return [at for at in map(float, found) if 0 <= time.monotonic() - at < WITHIN_S]
    except (OSError, Unavailable, ValueError, TypeError):
        return []


def _note_failure() -> None:
    with suppress(OSError, Unavailable):  # Then the next start tries the disk again.
        _failures_file().write_text(json.dumps([*_failures(), time.monotonic()]))
