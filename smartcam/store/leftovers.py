"""What an end without warning has left among the files: clips that were being made, and what no row ever named."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from smartcam.data import Exhibit, Message
from smartcam.durable import finish_durably
from smartcam.store.database import transaction
from smartcam.store.exhibits import delete_exhibits, named_files
from smartcam.store.media import MediaFiles, sha256_of

log = logging.getLogger(__name__)

PART = ".part"
CLIP = ".mp4"


class Leftover(NamedTuple):
    """A clip of an event that is known, whole as far as it goes, which no row names yet."""

    file: str
    """Below the state folder, as in `Exhibit.file` and `Message.file`."""
    path: Path
    told: dict[str, Any]
    """What was last told of its event on C/event."""
    bytes: int
    sha256: str


Salvage: TypeAlias = Callable[[Path], bool]
"""Cuts a clip that broke off to what can be played, in its place and durably; false where that is nothing."""
Finish: TypeAlias = Callable[[Leftover], tuple[Message | None, Exhibit] | None]
"""What is owed and kept of it; None where nothing should be, and it goes."""


def sort_out(db: sqlite3.Connection, media: MediaFiles, salvage: Salvage) -> list[str]:
    """Remove what no row names, but for clips of events that are known; gives these. Before anybody makes a new one.

    Rows whose file is gone, which somebody else must have removed, go too.
    """
    named, there = named_files(db), set(media.all())
    if lost := named - there:
        log.warning("%d pictures and clips are gone from the disk, %s for one", len(lost), min(lost))
        with transaction(db):
            delete_exhibits(db, lost)
    unnamed = sorted(there - named)
    clips = {name: _finished(db, media, name, named, salvage) for name in unnamed}
    media.remove([name for name, clip in clips.items() if clip is None])
    return [clip for clip in clips.values() if clip]


def measured(db: sqlite3.Connection, media: MediaFiles, name: str) -> Generator[None, None, Leftover | None]:
    """Look at a clip in steps; None where it cannot be read."""
    path = media.path(name)
    try:
        digest = yield from sha256_of(path)
        size = path.stat().st_size
    except OSError as error:
        log.warning("%s cannot be read: %s", path, error)
        return None
    told = _last_told(db, PurePosixPath(name).parent.name)
    return Leftover(name, path, json.loads(told), size, digest) if told else None


def _finished(db: sqlite3.Connection, media: MediaFiles, name: str, named: set[str], salvage: Salvage) -> str | None:
    """The name of a clip under its final name; None where this is none, or nothing that could be played."""
    file = PurePosixPath(name)
    final = str(file.with_suffix("")) if file.suffix == PART else name
    if file.name.startswith(".") or PurePosixPath(final).suffix != CLIP or not _last_told(db, file.parent.name):
        return None
    if final == name:
        return name
    path = media.path(name)
    try:
        if final in named or media.path(final).exists() or not salvage(path):
            return None
        finish_durably(path, media.path(final))
    except OSError as error:
        log.warning("%s cannot be finished: %s", path, error)
        return None
    return final


def _last_told(db: sqlite3.Connection, event: str) -> bytes | None:
    row = db.execute("SELECT payload FROM event WHERE id = ? ORDER BY seq DESC LIMIT 1", (event,)).fetchone()
    return bytes(row[0]) if row else None
