"""A node that is careless in one way. A harness that does not notice proves nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

Mutation: TypeAlias = Literal["normal", "no-file-fsync", "no-folder-fsync"]
MUTATIONS: tuple[Mutation, ...] = get_args(Mutation)


def spoil(mutation: Mutation | None) -> None:
    """Make this process careless, for as long as it lives; the product knows nothing of it."""
    if mutation == "normal":
        sqlite3.connect = _with(_Hasty)  # type: ignore[assignment]  # its overloads are many
    elif mutation == "no-file-fsync":
        _skip_fsync(stat.S_ISREG)
    elif mutation == "no-folder-fsync":
        _skip_fsync(stat.S_ISDIR)


class _Hasty(sqlite3.Connection):
    """Whatever is asked of it, it does not wait for the disk."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), *values)


def _with(factory: type[sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    connect = sqlite3.connect
    return lambda *given, **more: connect(*given, factory=factory, **more)


def _skip_fsync(is_skipped: Callable[[int], bool]) -> None:
    """SQLite's own files are none of it: it calls the system itself."""
    for name in ("fsync", "fdatasync"):
        setattr(os, name, _skipping(getattr(os, name), is_skipped))


def _skipping(sync: Callable[[int], None], is_skipped: Callable[[int], bool]) -> Callable[[Any], None]:
    def careless(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        if not is_skipped(os.fstat(number).st_mode):
            sync(number)

    return careless
