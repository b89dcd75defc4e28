"""The database, opened by others than its writer: beside the daemon, or after its end."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from smartcam.errors import Unavailable
from smartcam.store.database import BUSY_S, NAME, closed_on_failure, look_at
from smartcam.store.failures import damage_told, primary


def open_to_read(folder: Path) -> sqlite3.Connection:
    """For those who only look, while the daemon writes. May be used from any thread, by one at a time.

    Raises Unavailable with a sentence.
    """
    file = folder / NAME
    try:
        try:
            return _opened_to_read(file, "mode=ro")
        except sqlite3.OperationalError as error:
            if primary(error) != sqlite3.SQLITE_CANTOPEN or not _is_settled(file):
                raise
            return _opened_to_read(file, "mode=ro&immutable=1")
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"cannot read {file} ({error}): {_why_not(file)}") from None


def open_to_change(folder: Path) -> sqlite3.Connection:
    """For a short change beside the daemon, whose turn it waits for. Raises Unavailable with a sentence."""
    with closing(open_to_read(folder)):
        pass
    return sqlite3.connect(folder / NAME, timeout=BUSY_S, isolation_level=None)


def _opened_to_read(file: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{_quoted(file)}?{how}", uri=True, timeout=BUSY_S, check_same_thread=False)
    with closed_on_failure(db), damage_told():
        look_at(db, file)
    return db


def _is_settled(file: Path) -> bool:
    """Whether all is in one file on a disk on which nobody can write."""
    try:
        is_read_only = os.statvfs(file.parent).f_flag & os.ST_RDONLY
        wal = file.with_name(f"{NAME}-wal")
        return bool(is_read_only) and (not os.path.lexists(wal) or not wal.stat().st_size)
    except OSError:
        return False


def _why_not(file: Path) -> str:
    folder = file.parent
    try:
        file.stat()
        disk = os.statvfs(folder)
    except FileNotFoundError:
        return "smartcam has not run with this configuration yet"
    except NotADirectoryError:
        return f"{folder} is no folder: see node.data"
    except OSError:
        return f"only its owner may look into {folder}: become that user, or root"
    if not disk.f_bavail:
        return "its disk is full, and a little room is needed even to read"
    if disk.f_flag & os.ST_RDONLY:
        return "its disk is read-only, and the daemon did not end there in order: let it be written to once"
    return "is it yours to read?"


def _quoted(file: Path) -> str:
    return quote(str(file.absolute()))
