"""What the store's one writer does besides writing down what comes: in its own transactions, because it is the one."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Protocol


class Chore(Protocol):
    """All of it is called by the writer's thread alone."""

    def begin(self, db: sqlite3.Connection) -> None:
        """The store has been opened, or begun anew. Changes nothing there."""

    @property
    def is_due(self) -> bool:
        """Whether a transaction is wanted for it. Asked at every turn, about twice a second."""

    def work(self, db: sqlite3.Connection) -> Collection[str]:
        """Do it, in a transaction, after the rows that are written with it: the files that go once it is committed.

        Raises sqlite3.Error.
        """

    def committed(self) -> None:
        """What `work` did is on the disk; without this it is not, and is done again."""
