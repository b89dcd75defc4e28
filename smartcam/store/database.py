"""The database file: opened, checked, migrated; set aside where it is damaged or not ours.

SQLite in WAL mode with synchronous=FULL: what is committed outlives a power cut. The WAL is kept small, because
deleting needs room in it also on a disk that is full.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from smartcam.durable import belong_to_folder
from smartcam.errors import Unavailable
from smartcam.store.failures import Damaged, damage_told, primary

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "store.db"
OURS = 0x736D6361
"""application_id: "smca"."""
CHECK_S = 5.0
"""How long a start may take to look for damage; what it has not seen by then shows when it is read."""
PAGE_BYTES = 2048
"""An event's message changes eight pages, and each is written twice, however little changes in it: cards wear out."""
WAL_PAGES = 512
WAL_BYTES = 2**20
BUSY_S = 5.0
"""`smartcam events rm` may be at it."""

MIGRATIONS = (
    """
    CREATE TABLE event (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL, seq INTEGER NOT NULL, phase TEXT NOT NULL,
        camera TEXT NOT NULL, rule TEXT NOT NULL, level TEXT NOT NULL,
        start REAL NOT NULL, end REAL, told REAL NOT NULL, test INTEGER NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE INDEX event_by_id ON event (id, seq);
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        follows INTEGER,
        kind TEXT NOT NULL, weight TEXT NOT NULL, topic TEXT NOT NULL, bytes INTEGER NOT NULL,
        event TEXT NOT NULL, rule TEXT NOT NULL, n INTEGER, payload BLOB,
        file TEXT, file_bytes INTEGER NOT NULL, part_bytes INTEGER, parts_sent INTEGER NOT NULL,
        qos INTEGER NOT NULL, retain INTEGER NOT NULL, expiry_s INTEGER,
        tries INTEGER NOT NULL, refused TEXT
    );
    CREATE INDEX outbox_by_file ON outbox (file) WHERE file IS NOT NULL;
    CREATE INDEX outbox_by_n ON outbox (n) WHERE n IS NOT NULL;
    CREATE TABLE media (
        file TEXT PRIMARY KEY,
        event TEXT NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL,
        camera TEXT NOT NULL, rule TEXT NOT NULL, level TEXT NOT NULL, score REAL NOT NULL,
        start REAL NOT NULL, end REAL NOT NULL, reasons TEXT NOT NULL,
        bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
        kept REAL NOT NULL, clock_ok INTEGER NOT NULL, delivered REAL
    );
    CREATE INDEX media_by_event ON media (event);
    CREATE TABLE sent (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL, topic TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL,
        event TEXT NOT NULL, rule TEXT NOT NULL
    );
    CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE counted (n INTEGER NOT NULL);
    """,
)
"""From version 0 up, one each. A payload lies in its row, in a file, or in the event that has the row's n. `counted`
holds how far the node had counted where the events themselves do not show it any more."""
VERSION = len(MIGRATIONS)


class IsNewer(Unavailable):
    """The store was made by a later version of smartcam."""


class IsTaken(Unavailable):
    """Another daemon keeps its store in this folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """One daemon at a time keeps its store in a folder.

    Raises IsTaken where another one does; OSError where nothing can be written there.
    """
    lock = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        belong_to_folder(lock, folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IsTaken(f"another smartcam keeps its store in {folder}: give this one its own node.data") from None
        yield
    finally:
        os.close(lock)


def open_store(folder: Path) -> sqlite3.Connection:
    """The folder's database, made if need be; one that is damaged is set aside, and a new one begun.

    Raises:
        IsNewer: a later version of smartcam made it.
        sqlite3.Error, OSError: the disk does not take it.
    """
    file = folder / NAME
    try:
        return _opened(file)
    except Damaged as error:
        return begin_anew(folder, str(error))


def begin_anew(folder: Path, why: str) -> sqlite3.Connection:
    """A new database instead of the damaged one. What that still tells of pictures and clips is taken over.

    Raises sqlite3.Error, OSError.
    """
    file = folder / NAME
    n, exhibits = _still_told(file, last_n), _still_told(file, _exhibits)
    there = [row for row in exhibits or () if _is_there(folder, row)]
    _set_aside(folder, why)
    db = _opened(file)
    with closed_on_failure(db), transaction(db):
        remember_n(db, n or 0)
        db.executemany(f"INSERT OR IGNORE INTO media VALUES ({', '.join('?' * 16)})", there)
    return db


def last_n(db: sqlite3.Connection) -> int:
    """The greatest number of an event's message that was ever kept."""
    tables = ("event", "counted")
    return max(int(db.execute(f"SELECT coalesce(max(n), 0) FROM {table}").fetchone()[0]) for table in tables)


def remember_n(db: sqlite3.Connection, n: int) -> None:
    """Go on from there, although no event shows it."""
    if not db.execute("UPDATE counted SET n = max(n, ?)", (n,)).rowcount:
        db.execute("INSERT INTO counted VALUES (?)", (n,))


def _still_told(file: Path, ask: Callable[[sqlite3.Connection], T]) -> T | None:
    """As far as a damaged database still answers."""
    try:
        with closing(sqlite3.connect(file)) as db:
            return ask(db)
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _exhibits(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Rows of media, up to the first that cannot be read."""
    rows: list[tuple[Any, ...]] = []
    with suppress(sqlite3.Error):
        rows.extend(row for row in db.execute("SELECT * FROM media"))
    return rows


def _is_there(folder: Path, row: tuple[Any, ...]) -> bool:
    """Whether this row of media names a file that is as it says."""
    file, size = row[0], row[11]
    if not isinstance(file, str) or not file.startswith("media/") or ".." in file:
        return False
    try:
        return bool((folder / file).lstat().st_size == size)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:  # It cannot be told now.
        return True


def _set_aside(folder: Path, why: str) -> None:
    """Let the damaged database lie under another name, for whoever wants to look at it: only the last one is kept."""
    for old in folder.glob(f"{NAME}.damaged-*"):
        with suppress(OSError):
            old.unlink()
    aside = f"{NAME}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            (folder / (NAME + suffix)).replace(folder / (aside + suffix))
    log.error("%s: %s: set aside as %s; a new store is begun", folder / NAME, why, aside)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and on the disk once the block is left. Raises Damaged, sqlite3.Error."""
    try:
        with damage_told():
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some failures.
            db.execute("ROLLBACK")
        raise


def _opened(file: Path) -> sqlite3.Connection:
    _make_private(file)
    db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    with closed_on_failure(db), damage_told():
        version = look_at(db, file)
        _check(db)
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # Of a new one; others keep theirs.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        db.execute("PRAGMA cache_size = -1024")
        _migrate(db, version)
    return db


def _make_private(file: Path) -> None:
    """And the folder's owner's: SQLite makes what lies beside it belong to the same."""
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        belong_to_folder(opened, file.parent)
    finally:
        os.close(opened)


def look_at(db: sqlite3.Connection, file: Path) -> int:
    """The version that it has."""
    application, version, tables = (
        db.execute(sql).fetchone()[0]
        for sql in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
    )
    if application != OURS and (tables or version):
        raise Damaged("it is not a store of smartcam")
    if version > VERSION:
        raise IsNewer(
            f"{file} has version {version}, and this smartcam knows {VERSION}: "
            "run the later one that made it, or move it away"
        )
    return int(version)


def _check(db: sqlite3.Connection) -> None:
    until = time.monotonic() + CHECK_S
    db.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if primary(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        found = "ok"
    finally:
        db.set_progress_handler(None, 0)
    if found != "ok":
        raise Damaged(f"it is damaged ({found})")


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        with transaction(db):
            for statement in script.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {OURS}")
            db.execute(f"PRAGMA user_version = {number}")


@contextmanager
def closed_on_failure(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise
