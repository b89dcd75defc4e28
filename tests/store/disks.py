"""Disks that are small, slow, or fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("fsync.c")


class Fsync:
    """Disturbs every fsync of the processes that get its `environment`."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "fsync-says"
        self.environment = {"LD_PRELOAD": str(library), "SMARTCAM_TEST_FSYNC": str(self._file)}

    def takes(self, seconds: float) -> None:
        self._say(str(seconds))

    def fails(self) -> None:
        self._say("EIO")

    def is_well(self) -> None:
        self._file.unlink(missing_ok=True)

    def _say(self, what: str) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(what)
        part.replace(self._file)


def fsync_shim(folder: Path) -> Fsync:
    """Skips the test on a machine without gcc."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to compile a disk that fails")
    library = folder / "fsync.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True, capture_output=True)
    return Fsync(folder, library)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of its own; skips the test without the right to mount one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"may not mount a small disk (uid {os.getuid()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
