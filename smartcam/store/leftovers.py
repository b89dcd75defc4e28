"""What an end without warning has left among the files: clips that were being made, and what no row ever named."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from smartcam.data import Exhibit, Message
from smartcam.durable import finish_durably
from smartcam.store.database import transaction
from smartcam.store.exhibits import delete_exhibits, named_files
from smartcam.store.media import Lost, MediaFiles, sha256_of

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
    if lost := [name for name in sorted(named - there) if media.is_lost(name)]:
        log.warning("%d pictures and clips are gone from the disk, %s for one", len(lost), lost[0])
        with transaction(db):
            delete_exhibits(db, lost)
    unnamed = sorted(there - named)
    clips = {name: _finished(db, media, name, named, salvage) for name in unnamed}
    media.remove([name for name, clip in clips.items() if clip is None])
    return [clip for clip in clips.values() if clip]


def adopted(
    db: sqlite3.Connection, media: MediaFiles, clips: Sequence[str], finish: Finish
) -> Iterator[tuple[Message | None, Exhibit] | None]:
    """What is owed and kept of clips that an end without warning interrupted, in steps: None for a step."""
    for name in clips:
        try:
            found = yield from _measured(db, media, name)
        except Lost as error:
            log.warning("%s cannot be saved: %s", media.path(name), error)
            found = None
        except OSError as error:
            log.warning("%s cannot be read now: %s: it waits for the next start", media.path(name), error)
            continue
        what = finish(found) if found else None
        if what is None:
            media.remove([name])
        else:
            log.info("%s: saved, %d bytes", media.path(name), what[1].bytes)
        yield what


def _measured(db: sqlite3.Connection, media: MediaFiles, name: str) -> Generator[None, None, Leftover | None]:
    """Look at a clip in steps; None where nobody knows its event by now. Raises Lost, OSError."""
    path = media.path(name)
    digest = yield from sha256_of(path)
    size = path.lstat().st_size
    told = _last_told(db, PurePosixPath(name).parent.name)
    return Leftover(name, path, json.loads(told), size, digest) if told else None


def _finished(db: sqlite3.Connection, media: MediaFiles, name: str, named: set[str], salvage: Salvage) -> str | None:
    """The name of a clip under its final name; None where this is none, or nothing that could be played."""
    file = PurePosixPath(name)
    final = str(file.with_suffix("")) if file.suffix == PART else name
    if file.name.startswith(".") or PurePosixPath(final).suffix != CLIP or not _last_told(db, file.parent.name):
        return None
    if _has_left(db, file.parent.name):
        return None
    if final == name:
        return name
    path = media.path(name)
    try:
        if final in named or os.path.lexists(media.path(final)) or not salvage(path):
            return None
        finish_durably(path, media.path(final))
    except OSError as error:
        log.warning("%s cannot be finished: %s", path, error)
        return None
    return final


def _has_left(db: sqlite3.Connection, event: str) -> bool:
    """Whether a clip of the event was sent: then this one was about to be removed."""
    sql = "SELECT EXISTS (SELECT 1 FROM sent WHERE kind = 'clip' AND event = ?)"
    return bool(db.execute(sql, (event,)).fetchone()[0])


def _last_told(db: sqlite3.Connection, event: str) -> bytes | None:
    row = db.execute("SELECT payload FROM event WHERE id = ? ORDER BY seq DESC LIMIT 1", (event,)).fetchone()
    return bytes(row[0]) if row else None
