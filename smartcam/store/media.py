"""Pictures and clips, as files beside the database: a row that names one implies that it is on the disk, whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from smartcam.durable import make_durably, write_durably

FOLDER = "media"
LARGE_BYTES = 4096
"""What is smaller lies in the database."""
SUFFIXES = {b"\xff\xd8": ".jpg", b"\x00\x00": ".mp4"}


class MediaFiles:
    """`media/<event>/<start of its sha256>.jpg`, below the state folder; the same bytes are written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def name(self, event: str, data: bytes) -> str:
        """Where this belongs, below the state folder."""
        digest = hashlib.sha256(data).hexdigest()[:32]
        return f"{FOLDER}/{event or 'other'}/{digest}{SUFFIXES.get(data[:2], '.bin')}"

    def write(self, name: str, data: bytes) -> None:
        """Put it there; once this returns, it is on the disk. Raises OSError."""
        file = self._folder / name
        if file.exists():  # With another row, and so whole.
            return
        make_durably(self._folder / FOLDER)
        make_durably(file.parent)
        write_durably(file, data)

    def read(self, name: str) -> bytes:
        """Raises OSError, also where it is not what was written."""
        data = (self._folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest()[:32] != Path(name).stem:
            raise OSError(f"{self._folder / name} is damaged")
        return data

    def remove(self, names: Collection[str]) -> None:
        """After no row names them any more. What cannot be removed now is removed at the next start."""
        for name in names:
            file = self._folder / name
            with suppress(OSError):
                file.unlink()
                file.parent.rmdir()  # Refused while there are others.

    def remove_all_but(self, names: Collection[str]) -> int:
        """What a row does not name was never committed, or was about to be deleted. How many files went."""
        kept = {self._folder / name for name in names}
        gone = 0
        for path in sorted((self._folder / FOLDER).rglob("*"), reverse=True):
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                elif path not in kept:
                    path.unlink()
                    gone += 1
        return gone


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
