"""Wall clocks that are wrong, and are set: one that only a test looks at, and that of a whole process."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from smartcam.store.clock import Now

SOURCE = Path(__file__).with_name("shift.c")


class Clocks:
    """Both clocks of a board, for who reads them by `read`."""

    def __init__(self, wall: float, ran_s: float = 10.0) -> None:
        self.boot = "one"
        self._wall = wall
        self._ran_s = ran_s

    def read(self) -> Now:
        return Now(self._wall, self._ran_s)

    @property
    def wall(self) -> float:
        return self._wall

    def run(self, seconds: float) -> None:
        self._wall += seconds
        self._ran_s += seconds

    def set(self, wall: float) -> None:
        self._wall = wall

    def is_off(self, boot: str, wall: float) -> None:
        """The power fails, and comes back: then the clock shows `wall`."""
        self.boot, self._wall, self._ran_s = boot, wall, 10.0


class WallClock:
    """That of the processes that get its `environment`."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.environment = {"LD_PRELOAD": str(library), "SMARTCAM_TEST_SHIFT": str(file)}
        self.is_right()

    def shows(self, wall: float) -> None:
        """From now on it goes on from there, in Unix seconds."""
        self.is_ahead(wall - time.time())

    def is_ahead(self, seconds: float) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))

    def is_right(self) -> None:
        self.is_ahead(0.0)


def wall_clock(folder: Path) -> WallClock:
    """Skips the test on a machine without gcc."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to compile a clock that is wrong")
    library = folder / "shift.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl", "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    return WallClock(folder / "shift", library)
