"""A clip on the disk, whole and for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from smartcam.durable import finish_durably
from smartcam.evidence.footage import Footage

HASH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A clip that is on the disk, whole and for good."""

    path: Path
    start: float
    """Unix seconds."""
    end: float
    bytes: int
    sha256: str
    codec: str
    small: ClipFile | None = None
    """The same for the link."""
    truncated: str = ""
    """Why it ends before it should, as a clause."""


def finished(footage: Footage, wall_offset: float, small: ClipFile | None = None, truncated: str = "") -> ClipFile:
    """A film under its final name, on the disk. Raises OSError."""
    path = footage.part.with_suffix("")
    finish_durably(footage.part, path)
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
            size += len(block)
    assert footage.first
    return ClipFile(
        path,
        footage.first.at + wall_offset,
        footage.end_at + wall_offset,
        size,
        digest.hexdigest(),
        footage.first.coding.codec,
        small,
        truncated,
    )
