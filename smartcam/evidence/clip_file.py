"""A clip on the disk, whole and for good."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

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
    """What it lacks, as clauses."""
    too_large: bool = False
    """Whether its rule wants a smaller one sent, and none could be made."""


class _Sum(NamedTuple):
    sha256: str
    bytes: int


def finishing(
    footage: Footage,
    wall_offset: float,
    small: Footage | None = None,
    truncated: str = "",
    *,
    too_large: bool = False,
) -> Generator[None, None, ClipFile]:
    """A film under its final name, on the disk. Raises OSError.

    Reading a large one takes minutes on a slow card: it is done in steps. Until the last one it is a part, which is
    found again after a crash; and the smaller one gets its name first, for the same reason.
    """
    small_sum = (yield from _summed(small.part)) if small else None
    whole_sum = yield from _summed(footage.part)
    small_file = _named(small, wall_offset, small_sum) if small and small_sum else None
    clip = _named(footage, wall_offset, whole_sum, small_file, truncated)
    return replace(clip, too_large=too_large)


def finished(footage: Footage, wall_offset: float) -> ClipFile:
    """The same at once."""
    steps = finishing(footage, wall_offset)
    while True:
        try:
            next(steps)
        except StopIteration as over:
            clip: ClipFile = over.value
            return clip


def _summed(part: Path) -> Generator[None, None, _Sum]:
    digest, size = hashlib.sha256(), 0
    with part.open("rb") as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
            size += len(block)
            yield
    return _Sum(digest.hexdigest(), size)


def _named(
    footage: Footage, wall_offset: float, told: _Sum, small: ClipFile | None = None, truncated: str = ""
) -> ClipFile:
    path = footage.part.with_suffix("")
    finish_durably(footage.part, path)
    assert footage.first
    start, end = footage.first.at + wall_offset, footage.end_at + wall_offset
    return ClipFile(path, start, end, told.bytes, told.sha256, footage.first.coding.codec, small, truncated)
