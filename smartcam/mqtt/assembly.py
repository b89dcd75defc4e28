"""What a subscriber keeps of the media topics: files, whole, and verified once C/media tells what they should be.

A file that came in parts is put together from a hidden folder beside its place, where its parts and what was said of
it wait in any order, also for another process that goes on later. Topics and payloads come from strangers: nothing is
written outside the folder, no symbolic link is followed, and what waits is bounded.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from smartcam.errors import SmartcamError
from smartcam.mqtt.payloads import MAX_BYTES, MediaPayload
from smartcam.mqtt.topics import Part, Topics, media_announced, media_file, part_name, part_number, part_of

MOST_WAITING_BYTES = 2**30
"""Of the parts of unfinished files; over it, the file that was heard of least lately is given up."""
MOST_WAITING = 64
"""Unfinished files."""
MOST_REMEMBERED = 64
"""Whole files whose last few versions are known when their words come: a better picture may overtake the first's."""
BLOCK_BYTES = 4096
SUFFIX = ".parts"
ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class Kept:
    """What has become of a message."""

    file: Path | None = None
    """Where the whole lies, if this message made it or proved it."""
    verified: bool = False
    """Whether it is what was announced."""
    missing: int = 0
    """Parts that are still to come, of a file that is not whole yet."""
    trouble: str = ""
    """What is wrong with it, as a sentence."""


class Assembler:
    """Keeps what comes on media topics below a folder. Not for more than one thread or process at a time."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_WAITING_BYTES, most_waiting: int = MOST_WAITING) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._piles: OrderedDict[Path, _Pile] | None = None
        """By the file's place; what was heard of last is last."""
        self._seen: OrderedDict[Path, deque[str]] = OrderedDict()

    def take(self, topic: str, payload: bytes) -> Kept | None:
        """Keep it, or put to use what it announces; None where it is none of this.

        Raises:
            SmartcamError: it cannot be written.
        """
        if not payload:  # It says that there is none any more.
            return None
        part = part_of(topic)
        word = None if part else _announced(topic, payload)
        topic = part.topic if part else word.topic if word else topic
        relative = media_file(topic)
        if relative is None:
            return None
        place = self._folder / relative
        try:
            _make_parents(self._folder, relative)
            if part:
                return self._take_part(place, part, payload)
            return self._take_word(place, word) if word else self._take_whole(place, payload)
        except OSError as error:
            raise SmartcamError(f"{place} cannot be written: {error.strerror}") from error

    def _take_whole(self, place: Path, payload: bytes) -> Kept:
        write_whole(place, payload)
        sha256 = hashlib.sha256(payload).hexdigest()
        self._remember(place, sha256)
        if (pile := self._known.get(place)) and pile.sha256 == sha256:
            self._finish(place)
            return Kept(place, verified=True)
        return Kept(place)

    def _take_part(self, place: Path, part: Part, payload: bytes) -> Kept:
        pile = self._pile(place)
        pile.add(part.number, part.parts, payload)
        if not self._fits(place):
            return Kept(trouble="it is given up: it is too large to wait for its other parts")
        if pile.missing or not pile.sha256:
            return Kept(missing=pile.missing)
        if self._join(place, pile):
            return Kept(place, verified=True)
        # What was announced may be an earlier file of this name.
        pile.announce("")
        return Kept(trouble=f"it is not what was announced; if nothing else is, {_ask(part.topic)}")

    def _take_word(self, place: Path, word: MediaPayload) -> Kept:
        if _sha256_of(place) == word.sha256:
            self._finish(place)
            return Kept(place, verified=True)
        if word.sha256 in self._seen.get(place, ()):
            return Kept()  # A better one has taken its place.
        pile = self._pile(place)
        pile.announce(word.sha256)
        self._fits(place)
        if pile.missing or not pile.parts:
            missing = pile.missing or word.parts
            some = f"{missing} of its {word.parts} parts" if word.parts > 1 else "it"
            return Kept(missing=missing, trouble=f"{some} did not come so far; if nothing follows, {_ask(word.topic)}")
        if self._join(place, pile):
            return Kept(place, verified=True)
        pile.clear()
        return Kept(trouble=f"what came is not what was announced, and is not kept: {_ask(word.topic)}")

    def _join(self, place: Path, pile: _Pile) -> bool:
        """Whether the parts are what was announced: then they are the file now."""
        part = _part_file(place)
        with open(part, "wb", opener=_unlinked) as file:
            digest = hashlib.sha256()
            for piece in pile.pieces():
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())  # Its parts go next.
        if digest.hexdigest() != pile.sha256:
            part.unlink()
            return False
        part.replace(place)
        self._finish(place)
        return True

    def _finish(self, place: Path) -> None:
        if pile := self._known.pop(place, None):
            pile.remove()

    def _remember(self, place: Path, sha256: str) -> None:
        self._seen.setdefault(place, deque(maxlen=4)).append(sha256)
        self._seen.move_to_end(place)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)

    @property
    def _known(self) -> OrderedDict[Path, _Pile]:
        """With what an earlier process left."""
        if self._piles is None:
            folders = [path for path in self._folder.glob(f"*/*/.*{SUFFIX}") if not _is_linked(path, self._folder)]
            folders.sort(key=lambda path: path.stat().st_mtime)
            self._piles = OrderedDict(
                (path.with_name(path.name[1 : -len(SUFFIX)]), _Pile.found(path)) for path in folders
            )
        return self._piles

    def _pile(self, place: Path) -> _Pile:
        known = self._known
        if place not in known:
            known[place] = _Pile.found(place.with_name(f".{place.name}{SUFFIX}"))
        known.move_to_end(place)
        return known[place]

    def _fits(self, place: Path) -> bool:
        """Give up the oldest until what waits is within its bounds; whether this one is still there."""
        known = self._known
        while len(known) > self._most_waiting or sum(pile.size for pile in known.values()) > self._most_bytes:
            known.popitem(last=False)[1].remove()
        return place in known


class _Pile:
    """The parts of one file, and what was announced of it, as they lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.parts = 0
        """Into how many it is split; 0 while there is none."""
        self.sha256 = ""
        """What was announced."""
        self._folder = folder
        self._bytes: dict[int, int] = {}
        """By the number of the part."""

    @classmethod
    def found(cls, folder: Path) -> _Pile:
        """As an earlier process left it; of parts of several splits, those of the newest."""
        pile = cls(folder)
        if folder.is_symlink() or not folder.is_dir():
            return pile
        files = sorted((path for path in folder.iterdir() if not path.is_symlink()), key=lambda p: p.stat().st_mtime)
        for path in files:
            if part := part_number(path.name):
                pile._counts(*part, path.stat().st_size)
            elif path.name == ANNOUNCED:
                pile.sha256 = path.read_text(errors="replace")[:64]
        return pile

    @property
    def size(self) -> int:
        """Bytes, about as the disk counts them."""
        return sum(max(size, BLOCK_BYTES) for size in self._bytes.values())

    @property
    def missing(self) -> int:
        return self.parts - len(self._bytes)

    def add(self, number: int, parts: int, payload: bytes) -> None:
        """Raises OSError."""
        if parts != self.parts:
            self.clear()
        self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / part_name(number, parts), payload)
        self._counts(number, parts, len(payload))

    def announce(self, sha256: str) -> None:
        """Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / ANNOUNCED, sha256.encode())
        self.sha256 = sha256

    def pieces(self) -> Iterator[bytes]:
        """The parts, in order. Raises OSError."""
        for number in range(1, self.parts + 1):
            with open(self._folder / part_name(number, self.parts), "rb", opener=_unlinked) as file:
                yield file.read()

    def clear(self) -> None:
        """The parts go; what was announced stays."""
        for number in self._bytes:
            (self._folder / part_name(number, self.parts)).unlink(missing_ok=True)
        self.parts = 0
        self._bytes = {}

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _counts(self, number: int, parts: int, size: int) -> None:
        if parts != self.parts:
            self.parts, self._bytes = parts, {}
        self._bytes[number] = size


def write_whole(path: Path, data: bytes) -> None:
    """The file is there whole or not at all. Raises OSError."""
    part = _part_file(path)
    with open(part, "wb", opener=_unlinked) as file:
        file.write(data)
    part.replace(path)


def _part_file(path: Path) -> Path:
    return path.with_name(f".{path.name.lstrip('.')}.part")


def _unlinked(name: str, flags: int) -> int:
    """An opener that follows no symbolic link."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _is_linked(path: Path, below: Path) -> bool:
    levels = [path, *path.parents]
    return any(level.is_symlink() for level in levels[: levels.index(below)])


def _make_parents(folder: Path, relative: PurePosixPath) -> None:
    """Raises OSError, also where a link would lead elsewhere."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    for level in reversed(relative.parents[:-1]):
        (folder / level).mkdir(exist_ok=True)
        if (folder / level).is_symlink():
            raise OSError(0, f"{folder / level} is a symbolic link")


def _ask(topic: str) -> str:
    _, node, *_, kind = topic.split("/")
    return f"ask for it again on {Topics(node).command(kind)}"


def _announced(topic: str, payload: bytes) -> MediaPayload | None:
    begin = media_announced(topic)
    if begin is None or len(payload) > MAX_BYTES:
        return None
    with suppress(ValidationError):
        word = MediaPayload.model_validate_json(payload)
        if word.topic.startswith(begin) and not word.topic.endswith("/latest"):
            return word
    return None


def _sha256_of(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        with open(path, "rb", opener=_unlinked) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
