"""A disk of its own, that loses its power when it is told to: ext4 on a loop device."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from smartcam.errors import Unavailable

EXT4_IOC_SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of linux/fs.h, as _IOR('X', 125, __u32)."""
WITHOUT_LOG_FLUSH = 2
"""FS_SHUTDOWN_FLAGS_NOLOGFLUSH: what the journal has not written yet is lost too."""
TOOLS = ("losetup", "mkfs.ext4", "mount", "umount")


class LoopDisk:
    """Mounted on `folder` while the `with` block lasts; its image is a file beside it.

    Raises Unavailable, with a sentence, on a machine where it cannot be had.
    """

    def __init__(self, folder: Path, mib: int = 96) -> None:
        self.folder = folder
        self._image = folder.with_name(f"{folder.name}.image")
        self._mib = mib
        self._device = ""

    def __enter__(self) -> Self:
        for tool in TOOLS:
            if not shutil.which(tool):
                raise Unavailable(f"a disk to cut the power of needs {tool} (apt-get install e2fsprogs mount)")
        self.folder.mkdir(exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._mib * 2**20)
        _run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self._image))
        self._device = _run("losetup", "--find", "--show", str(self._image))
        try:
            self._mount()
        except Unavailable:
            _run("losetup", "--detach", self._device)
            raise
        self.folder.chmod(0o700)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Unavailable):  # A test may have failed before it was mounted again.
            _run("umount", "--lazy", str(self.folder))
        _run("losetup", "--detach", self._device)
        self._image.unlink()

    def cut_power(self) -> None:
        """From now on nothing reaches the disk any more; what did not yet is lost."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
        finally:
            os.close(folder)

    def restore_power(self) -> None:
        """Mount it again, as the next start of the machine does. Nobody may use it any more."""
        until = time.monotonic() + 10
        while True:
            try:
                _run("umount", str(self.folder))
                break
            except Unavailable:  # The kernel closes a killed process's files a little later.
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)
        self._mount()

    def make_read_only(self) -> None:
        """As ext4 does it after an error of the device: what is open for writing fails from now on."""
        _run("mount", "--options", "remount,abort", str(self.folder))

    def written_when_synced(self) -> int:
        """Bytes that the device was given to write so far, with the file system's own share."""
        _run("sync", "--file-system", str(self.folder))
        stat = Path(f"/sys/block/{Path(self._device).name}/stat").read_text().split()
        return int(stat[6]) * 512

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", self._device, str(self.folder))


@contextmanager
def loop_disk(folder: Path) -> Iterator[LoopDisk]:
    """For a test, which is skipped where there is none."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(LoopDisk(folder))
        except Unavailable as error:
            pytest.skip(str(error))
        yield disk


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        who = "" if os.geteuid() == 0 else " (it takes root)"
        raise Unavailable(f"{command[0]} does not work here{who}: {done.stderr.strip()}")
    return done.stdout.strip()
