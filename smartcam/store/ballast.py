"""Room that is held back on the disk, so that deleting works when all the rest is full."""

from __future__ import annotations

import os
from pathlib import Path

from smartcam.durable import belong_to_folder


class Ballast:
    """A file that can be given up: deleting needs room too, and a full disk has none."""

    BYTES = 4 * 2**20
    SHARE = 4
    """Of a small disk it takes no more than this part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "ballast"

    @property
    def held_bytes(self) -> int:
        try:
            return self._file.lstat().st_blocks * 512
        except OSError:
            return 0

    def drop(self) -> bool:
        """Whether there was any."""
        try:
            self._file.unlink()
        except OSError:
            return False
        return True

    def take_on(self) -> bool:
        """Have it, where there is room: whether it is there. Raises OSError where the disk cannot even be looked at."""
        size_bytes, free_bytes = self._measured()
        if self.held_bytes >= size_bytes:
            return True
        self.drop()
        if free_bytes < size_bytes:
            return False
        try:
            file = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                belong_to_folder(file, self._folder)
                os.posix_fallocate(file, 0, size_bytes)
            finally:
                os.close(file)
        except OSError:
            self.drop()
            return False
        return True

    @property
    def has_room_for_words(self) -> bool:
        """Whether, without it, at least half of what it would take is free: that much is left to deleting."""
        size_bytes, free_bytes = self._measured()
        return free_bytes >= size_bytes // 2

    def _measured(self) -> tuple[int, int]:
        """How large it should be, and what is free."""
        disk = os.statvfs(self._folder)
        return min(self.BYTES, disk.f_blocks * disk.f_frsize // self.SHARE), disk.f_bavail * disk.f_frsize
