"""Files that are whole whenever the power fails: the old one, or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put `data` in the place of the file: once this returns it is on the disk. Readers never see half of it.

    It belongs to the owner of its folder. Raises OSError.
    """
    part = path.with_name(f".{path.name}.part")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, mode)) as file:
            os.fchmod(file.fileno(), mode)
            belong_to_folder(file.fileno(), folder)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        os.fsync(folder)
    except OSError:
        with suppress(OSError):  # Half a file must not take the room that is missing.
            part.unlink()
        raise
    finally:
        os.close(folder)


def make_durably(folder: Path) -> None:
    """Make a folder, so that it is there after a power cut. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        made = os.open(folder.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=parent)
        try:
            belong_to_folder(made, parent)
        finally:
            os.close(made)
        os.fsync(parent)
    finally:
        os.close(parent)


def belong_to_folder(opened: int, folder: Path | int) -> None:
    """Let an open file belong to the owner of its folder, also when root made it: what a service keeps must stay its
    own after somebody ran it by hand. Raises OSError."""
    if os.geteuid() == 0:
        owner = os.stat(folder)  # noqa: PTH116 - of an open folder, too
        os.fchown(opened, owner.st_uid, owner.st_gid)


def finish_durably(part: Path, file: Path) -> None:
    """Give a file that was written under another name in the same folder its own: once this returns, both it and its
    name are on the disk. Raises OSError."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        written = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(written)
        finally:
            os.close(written)
        part.replace(file)
        os.fsync(folder)
    finally:
        os.close(folder)
