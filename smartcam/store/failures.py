"""What an error of SQLite, or of the system below it, means to a store."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class Damaged(sqlite3.DatabaseError):
    """The file is no database, or not ours, or what it says cannot be read."""


@contextmanager
def damage_told() -> Iterator[None]:
    """Raises Damaged for whatever an operation on a damaged database raises."""
    try:
        yield
    except UnicodeDecodeError as error:  # Of a column, a name in the schema, or the text of SQLite's own error.
        raise Damaged(f"it is damaged ({error.reason})") from error
    except sqlite3.Error as error:
        if isinstance(error, Damaged) or not _is_damage(error):
            raise
        raise Damaged(f"it is damaged ({error})") from error


def _is_damage(error: sqlite3.Error) -> bool:
    return primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "decode to UTF-8" in str(error)


def is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # The second one: there is no room for what the connections share.
    return primary(error) == sqlite3.SQLITE_FULL or _code(error) == sqlite3.SQLITE_IOERR_SHMSIZE


def is_busy(error: sqlite3.Error | OSError) -> bool:
    return isinstance(error, sqlite3.Error) and primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def primary(error: sqlite3.Error) -> int:
    """SQLite's result code, without its particulars."""
    return _code(error) & 0xFF


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0)
