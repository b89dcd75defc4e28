"""Pictures and clips, as files beside the database: a row that names one implies that it is on the disk, whole."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from smartcam.durable import make_durably, write_durably

FOLDER = "media"
LARGE_BYTES = 4096
"""What is smaller lies in the database, unless it is kept."""
SUFFIXES = {b"\xff\xd8": ".jpg", b"\x00\x00": ".mp4"}
CHUNK_BYTES = 2**20


class Lost(OSError):
    """What a row names is not there as it was written."""


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
        if stat.S_ISREG(_mode(file)):  # With another row, and so whole.
            return False
        make_durably(self._folder / FOLDER)
        make_durably(file.parent)
        write_durably(file, data)
        return True

    def has(self, name: str, size_bytes: int) -> bool:
        """Whether it is there in its full length."""
        with suppress(OSError):
            found = (self._folder / name).lstat()
            return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes
        return False

    def is_lost(self, name: str) -> bool:
        """Whether it is gone for certain."""
        try:
            (self._folder / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # Who knows.
            return False
        return False

    def open(self, name: str) -> BinaryIO:
        """To read it. Raises Lost where it is gone, or damaged, or no file; OSError where it cannot be opened now."""
        return opened(self._folder / name)

    def read(self, name: str) -> bytes:
        """What `write` has written. Raises Lost where it is not that; OSError."""
        with self.open(name) as file, _damage_told():
            data = file.read()
        if hashlib.sha256(data).hexdigest()[:32] != Path(name).stem:
            raise Lost(f"{self._folder / name} is damaged")
        return data

    def read_part(self, name: str, offset: int, size_bytes: int) -> bytes:
        """So many bytes of it. Raises Lost where there are fewer; OSError."""
        with self.open(name) as file, _damage_told():
            data = os.pread(file.fileno(), size_bytes, offset)
        if len(data) != size_bytes:
            raise Lost(f"{self._folder / name} has been cut short")
        return data

    def remove(self, names: Collection[str]) -> None:
        """After no row names them any more. What cannot be removed now is removed at the next start."""
        for name in names:
            file = self._folder / name
            with suppress(OSError):
                file.unlink()
                file.parent.rmdir()  # Refused while there are others.

    def all(self) -> Iterator[str]:
        """The names of all files that are there, those too that are not ours.

        Removes on the way what is no file, or has no name that we would give, and empty folders.
        """
        for path, folders, files in os.walk(self._folder / FOLDER, topdown=False):
            here = Path(path)
            below = here.relative_to(self._folder)
            links = [each for each in folders if stat.S_ISLNK(_mode(here / each))]
            for name in (*files, *links):
                mode = _mode(here / name)
                if stat.S_ISREG(mode) and str(below / name).isprintable():
                    yield str(below / name)
                elif mode:
                    self.remove([str(below / name)])
            with suppress(OSError):
                here.rmdir()


def opened(file: Path) -> BinaryIO:
    """What is at the end of a link is not ours, and a pipe would keep us waiting. Raises Lost, OSError."""
    try:
        found = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise Lost(str(error)) from None
        raise
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise Lost(f"{file} is no file")
    return os.fdopen(found, "rb", buffering=0)


def sha256_of(file: Path) -> Generator[None, None, str]:
    """Read a large file in steps. Raises OSError."""
    digest = hashlib.sha256()
    with opened(file) as reading:
        while chunk := reading.read(CHUNK_BYTES):
            digest.update(chunk)
            yield
    return digest.hexdigest()


def _mode(file: Path) -> int:
    """0 where it cannot be told."""
    with suppress(OSError):
        return file.lstat().st_mode
    return 0


@contextmanager
def _damage_told() -> Iterator[None]:
    """Raises Lost where the disk cannot read back what it has."""
    try:
        yield
    except OSError as error:
        raise (Lost(str(error)) if error.errno == errno.EIO else error) from None
