"""Pictures and clips, as files beside the database: a row that names one implies that it is on the disk, whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Generator, Iterator
from contextlib import suppress
from pathlib import Path

from smartcam.durable import make_durably, write_durably

FOLDER = "media"
LARGE_BYTES = 4096
"""What is smaller lies in the database, unless it is kept."""
SUFFIXES = {b"\xff\xd8": ".jpg", b"\x00\x00": ".mp4"}
CHUNK_BYTES = 2**20


class MediaFiles:
    """`media/<event>/<start of its sha256>.jpg`, below the state folder, and clips by the names that they were given;
    the same bytes are written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where it is; `name` is below the state folder."""
        return self._folder / name

    def name(self, event: str, data: bytes) -> str:
        """Where this belongs, below the state folder."""
        digest = hashlib.sha256(data).hexdigest()[:32]
        return f"{FOLDER}/{event or 'other'}/{digest}{SUFFIXES.get(data[:2], '.bin')}"

    def write(self, name: str, data: bytes) -> bool:
        """Put it there; once this returns, it is on the disk. False where it was there already. Raises OSError."""
        file = self._folder / name
        if file.exists():  # With another row, and so whole.
            return False
        make_durably(self._folder / FOLDER)
        make_durably(file.parent)
        write_durably(file, data)
        return True

    def has(self, name: str, size_bytes: int) -> bool:
        """Whether it is there in its full length."""
        with suppress(OSError):
            return (self._folder / name).stat().st_size == size_bytes
        return False

    def read(self, name: str) -> bytes:
        """What `write` has written. Raises OSError, also where it is not that."""
        data = (self._folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest()[:32] != Path(name).stem:
            raise OSError(f"{self._folder / name} is damaged")
        return data

    def read_part(self, name: str, offset: int, size_bytes: int) -> bytes:
        """So many bytes of it. Raises OSError, also where there are fewer."""
        with (self._folder / name).open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), size_bytes, offset)
        if len(data) != size_bytes:
            raise OSError(f"{self._folder / name} has been cut short")
        return data

    def remove(self, names: Collection[str]) -> None:
        """After no row names them any more. What cannot be removed now is removed at the next start."""
        for name in names:
            file = self._folder / name
            with suppress(OSError):
                file.unlink()
                file.parent.rmdir()  # Refused while there are others.

    def all(self) -> Iterator[str]:
        """The names of all files that are there, those too that are not ours. Removes empty folders on the way."""
        for path, folders, files in os.walk(self._folder / FOLDER, topdown=False):
            here = Path(path)
            below = here.relative_to(self._folder)
            links = [each for each in folders if (here / each).is_symlink()]
            yield from (str(below / each) for each in (*files, *links))
            with suppress(OSError):
                here.rmdir()


def sha256_of(file: Path) -> Generator[None, None, str]:
    """Read a large file in steps. Raises OSError."""
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            yield
    return digest.hexdigest()


class Ballast:
    """A file that can be given up: deleting needs room too, and a full disk has none."""

    BYTES = 4 * 2**20

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ballast"

    def drop(self) -> bool:
        """Whether there was any."""
        try:
            self._file.unlink()
        except OSError:
            return False
        return True

    def take_on(self) -> None:
        """Have it, where there is room for twice as much."""
        with suppress(OSError):
            if self._file.exists() and self._file.stat().st_blocks * 512 >= self.BYTES:
                return
            disk = os.statvfs(self._file.parent)
            if disk.f_bavail * disk.f_frsize < 2 * self.BYTES:
                return
            file = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(file, 0, self.BYTES)
            finally:
                os.close(file)
