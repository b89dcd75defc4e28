"""What is kept goes in the end.

Retention chooses (`choosing`) with a connection of its own, and the store's one writer forgets, some at a time: first
the rows, and once they are gone for certain the files.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from smartcam.config.delivery import Keep
from smartcam.errors import Unavailable
from smartcam.store.choosing import SHOWN, TOLD_AND_OWED, Choice, choose
from smartcam.store.database import last_n, remember_n
from smartcam.store.exhibits import delete_exhibits
from smartcam.store.failures import Damaged, damage_told
from smartcam.store.reading import open_to_read
from smartcam.workers import Alive

TURN_S = 0.5
"""How often the disk's free room is looked at."""
LOOK_S = 5.0
"""How often it is chosen at the most, where the store has changed …"""
AGE_S = 600.0
"""… and where it has not: things grow older."""
AGAIN_S = 1.0
"""While there is more to go, or the disk is short of room."""


def disk_free(folder: Path) -> int:
    """Bytes that an ordinary user may still write there."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Retention:
    """A worker's loop that chooses, and a chore of the store's writer that forgets.

    `believed()` is what time it is at the least, or None where nobody knows. Both may be asked at any time.
    """

    def __init__(
        self,
        folder: Path,
        keep: Keep,
        believed: Callable[[], float | None],
        *,
        free_bytes: Callable[[Path], int] = disk_free,
        look_s: float = LOOK_S,
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._believed = believed
        self._free_bytes = free_bytes
        self._look_s = look_s
        self._changed = threading.Condition()
        self._choice = Choice()
        """Waits for the writer."""
        self._working = Choice()
        self._reader: sqlite3.Connection | None = None
        """Stays open: to open one writes 16 KiB to the card."""
        self._is_another = False
        """Whether the store has been begun anew since the reader was opened."""
        self._damage = ""
        """What was seen of the store: the writer sees to it."""
        self._chosen_at = 0.0
        self._version = 0
        """Of what the reader then saw …"""
        self._was_short = False
        """… and whether the disk was short of room."""

    def renew(self, keep: Keep) -> None:
        """Go on with other quotas."""
        with self._changed:
            self._keep = keep
            self._changed.notify_all()

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        try:
            while alive():
                keep = self._keep
                found = self._chosen(keep)
                with self._changed:
                    self._choice = found
                while alive() and not self._is_time(keep, has_more=bool(found)):
                    with self._changed:
                        self._changed.wait(TURN_S)
        finally:
            self._close()

    # The writer's

    def begin(self, _: sqlite3.Connection) -> None:
        with self._changed:
            self._choice, self._damage = Choice(), ""
            self._is_another = True

    @property
    def is_due(self) -> bool:
        with self._changed:
            return bool(self._choice or self._damage)

    def work(self, db: sqlite3.Connection) -> Collection[str]:
        with self._changed:
            if self._damage:
                raise Damaged(self._damage)
            self._working = self._choice
        return forget(db, self._working)

    def committed(self) -> None:
        with self._changed:
            if self._choice is self._working:
                self._choice = Choice()
            self._changed.notify_all()

    def _chosen(self, keep: Keep) -> Choice:
        with self._changed:
            is_another, self._is_another = self._is_another, False
        if is_another:
            self._close()
        try:
            free_bytes = self._free_bytes(self._folder)
            self._chosen_at, self._was_short = time.monotonic(), free_bytes < keep.free
            self._reader = self._reader or open_to_read(self._folder)
            with damage_told():
                self._version = data_version(self._reader)
                return choose(self._reader, keep, self._believed(), free_bytes)
        except Unavailable:  # It is being begun anew, or there is none: whoever cares for that tells it.
            return Choice()
        except Damaged as error:
            self._close()
            with self._changed:
                self._damage = str(error)
            return Choice()
        except sqlite3.Error:
            self._close()
            raise

    def _close(self) -> None:
        if self._reader:
            self._reader.close()
        self._reader = None

    def _is_time(self, keep: Keep, *, has_more: bool) -> bool:
        """To choose anew: once the writer has done what was chosen, and something is different."""
        with self._changed:
            if self._choice:
                return False
            is_different = self._is_another or self._keep is not keep
        passed_s, is_short = time.monotonic() - self._chosen_at, self._free_bytes(self._folder) < keep.free
        if is_different or passed_s >= AGE_S or (is_short and not self._was_short):
            return True
        if passed_s < (AGAIN_S if is_short or has_more else self._look_s):
            return False
        return has_more or self._reader is None or data_version(self._reader) != self._version


def data_version(db: sqlite3.Connection) -> int:
    """Another one once others have changed the store."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def forget(db: sqlite3.Connection, choice: Choice) -> list[str]:
    """Delete these rows, as far as they are owed to nobody by now; the files that go once that is committed.

    Of an event nothing is kept without it. In the writer's transaction. Raises sqlite3.Error.
    """
    gone = delete_exhibits(db, choice.files)
    if choice.events:
        n = last_n(db)
        stays = f"{TOLD_AND_OWED.format('?1')} OR {SHOWN.format('?1')}"
        db.executemany(f"DELETE FROM event WHERE id = ?1 AND NOT ({stays})", [(event,) for event in choice.events])
        if last_n(db) < n:
            remember_n(db, n)
    return gone
