"""The one thread that writes: all that waits goes into one transaction, and a disk that fails is coped with."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf

from smartcam.store import database
from smartcam.store.books import DELETE_S, Batch, Books
from smartcam.store.chore import Chore
from smartcam.store.disk import Disk
from smartcam.store.exhibits import least_worth
from smartcam.store.failures import Damaged, is_busy, is_full
from smartcam.store.rows import entries, files_of
from smartcam.store.transaction import write_down
from smartcam.workers import Alive

log = logging.getLogger(__name__)

TURN_S = 0.5
RETRY_S = 1.0
BALLAST_S = 30.0
TOLD_S = 10.0
"""How long the log hears of a full disk no more than once."""
SHED_BYTES = 2**18
"""What is given up at a time on a full disk."""
FLUSH_S = 5.0
"""How long what is not written yet is tried at the end."""


class Writer:
    """Writes the books down on the disk; `run` is its worker's loop.

    `wake` is called when something new may be taken.
    """

    def __init__(
        self,
        disk: Disk,
        books: Books,
        wake: Callable[[], None],
        *,
        clock_ok: Callable[[], bool],
        chores: Sequence[Chore],
    ) -> None:
        self.broken = ""
        """Why the disk can be trusted no more: the process must end, because nobody knows what an fsync that failed has
        thrown away."""
        self.is_full = False
        self._disk = disk
        self._books = books
        self._wake = wake
        self._clock_ok = clock_ok
        self._chores = chores
        self._going: set[str] = set()
        """Exhibits that are given up with the next transaction for lack of room …"""
        self._going_bytes = 0
        """… and how much of them was asked for."""
        self._forgets = False
        """Whether the oldest events go with it."""
        self._is_bare = False
        """Whether nothing was left to be given up."""
        self._wait_until = 0.0
        self._ballast_at = -inf
        self._told_at = -inf

    def begin(self) -> None:
        """Take up what an open database holds. Raises sqlite3.Error."""
        db, books = self._disk.db, self._books
        with books.changed:
            books.last_n = max(books.last_n, database.last_n(db))
            books.take_up(entries(db))
        for chore in self._chores:
            chore.begin(db)

    def run(self, alive: Alive, first: Iterator[None]) -> None:
        """What is unwritten when it ends is written still. Steps of `first` are taken meanwhile, one at a turn."""
        has_more = True
        while alive() and not self.broken:
            with self._books.changed:
                self._books.changed.wait_for(self._has_work, 0.0 if has_more else TURN_S)
            if time.monotonic() >= self._wait_until:
                self._turn(DELETE_S)
            has_more = has_more and next(first, "over") is None
        until = time.monotonic() + FLUSH_S
        while not self.broken and self._unwritten and time.monotonic() < until:
            self._turn(0.0)
            if self.is_full:
                time.sleep(0.1)

    @property
    def _unwritten(self) -> bool:
        with self._books.changed:
            return self._books.unwritten

    def _has_work(self) -> bool:
        return self._books.has_incoming and time.monotonic() >= self._wait_until

    def _turn(self, small_s: float) -> None:
        """Write down all that waits, and small things that have waited so long."""
        with self._books.changed:
            damage, self._books.damage = self._books.damage, ""
            self._books.admit_incoming()
            is_due = self._books.is_due(small_s)
        chores = [chore for chore in self._chores if chore.is_due]
        try:
            if damage:
                raise Damaged(damage)
            if self.is_full:
                self._write_on_full_disk(chores)
            elif is_due or chores:
                self._commit(self._batch(), chores)
            if not self.is_full and time.monotonic() - self._ballast_at > BALLAST_S:
                self._ballast_at = time.monotonic()
                self._disk.ballast.take_on()
        except Damaged as error:
            self.begin_anew(str(error))
        except (sqlite3.Error, OSError) as error:
            self._cope(error)

    def _batch(self) -> Batch:
        with self._books.changed:
            return self._books.batch()

    def _commit(self, batch: Batch, chores: Sequence[Chore]) -> None:
        disk, clock_ok = self._disk, self._clock_ok()
        missing = write_down(
            disk.db, disk.media, batch, clock_ok=clock_ok, chores=chores, going=self._going, forgets=self._forgets
        )
        self._going, self._going_bytes, self._forgets = set(), 0, False
        for chore in chores:
            chore.committed()
        with self._books.changed:
            self._books.written(batch, missing)
        if batch.owed:
            self._wake()

    def _write_on_full_disk(self, chores: Sequence[Chore]) -> None:
        """First what goes, for which alone the ballast may be used up; then, once that is there again, what comes.

        Where nothing is left to be given up, words may use half of its room; pictures and clips never.
        """
        self._write_what_goes(chores)
        batch, ballast = self._batch(), self._disk.ballast
        has_ballast = not (self._is_bare and batch.has_words and ballast.drop()) and ballast.take_on()
        if batch.owed and (has_ballast or (batch.has_words and ballast.has_room_for_words)):
            self._commit(batch, ())
            self._is_bare = False
        elif not has_ballast:
            self._give_up(also_owed=bool(batch.owed))
            self._wait_until = time.monotonic() + RETRY_S / 2
        self.is_full = not has_ballast

    def _write_what_goes(self, chores: Sequence[Chore]) -> None:
        batch = self._batch()._replace(owed=())
        for make_room in (self._disk.ballast.drop, lambda: self._remove_what_goes(batch)):
            try:
                self._commit(batch, chores)
            except (sqlite3.Error, OSError) as error:
                if not is_full(error):
                    raise
                make_room()
            else:
                return
        self._commit(batch, chores)

    def _remove_what_goes(self, batch: Batch) -> None:
        """Not even deleting rows has room: the files go first. A start, too, removes rows without a file."""
        self._going.update(files_of(self._disk.db, batch.gone))
        self._disk.media.remove(self._going)

    def _cope(self, error: sqlite3.Error | OSError) -> None:
        if is_full(error):
            if not self.is_full and time.monotonic() - self._told_at > TOLD_S:
                self._told_at = time.monotonic()
                log.warning("%s: the disk is full", self._disk.folder)
            self.is_full = True
            self._give_up(also_owed=True)
            if self._is_bare:
                self._wait_until = time.monotonic() + RETRY_S
        elif not is_busy(error):
            self._break(f"does not keep what it is given ({error})")

    def _give_up(self, *, also_owed: bool) -> None:
        """One step: exhibits that nobody waits for; then events, and exhibits that are owed, written ones first."""
        self._going_bytes += SHED_BYTES
        going = self._going.union(least_worth(self._disk.db, self._going_bytes))
        is_more, self._going, self._is_bare = going != self._going, going, False
        if is_more or not also_owed:
            return
        self._forgets = True
        with self._books.changed:
            shed = self._books.ledger.shed(SHED_BYTES)
            for old in shed:
                self._books.let_go(old.ids)
            unnamed, self._is_bare = ([], False) if shed else (self._books.give_up_evidence(), True)
        self._disk.media.remove(unnamed)

    def begin_anew(self, why: str) -> None:
        """With what is known in memory: what lay only in the damaged database is lost, and counted."""
        folder = self._disk.folder
        with self._books.changed:
            lost = self._books.lose_all()
        try:
            self._disk.begin_anew(why)
            log.error("%s: %d messages that were not sent yet are lost with it", folder, lost)
            database.remember_n(self._disk.db, self._books.last_n)
            self.begin()
        except (sqlite3.Error, OSError) as error:
            self._break(f"takes no new store ({error})")

    def _break(self, how: str) -> None:
        self.broken = f"the disk of {self._disk.folder} {how}: see to it"
        log.error("%s", self.broken)
