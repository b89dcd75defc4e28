"""The runtime folder: where a daemon puts what lives as long as it does, and where clients look for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from smartcam.errors import Unavailable

SYSTEM = Path("/run/smartcam")


def runtime_folder(configured: str | None = None) -> Path:
    """The folder for what lives as long as the daemon, made if need be.

    The configured one; else what systemd made ($RUNTIME_DIRECTORY), /run/smartcam, the user's runtime
    folder, or a private one among the temporary files: the first that can be written to.

    Raises:
        Unavailable: none can.
    """
    tried = list(candidates(configured))
    for folder in tried:
        if _made(folder):
            return folder
    raise Unavailable(
        f"cannot write to a runtime folder ({', '.join(map(str, tried))}): make one of them this user's own"
    )


def candidates(configured: str | None = None) -> Iterator[Path]:
    """The folders that a daemon of this machine may have chosen, the likeliest first."""
    if configured:
        yield Path(configured)
        return
    if given := os.environ.get("RUNTIME_DIRECTORY"):
        yield Path(given.split(":")[0])
    yield SYSTEM
    if user := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(user) / "smartcam"
    yield Path(tempfile.gettempdir()) / f"smartcam-{os.getuid()}"


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o755 if folder == SYSTEM else 0o700, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK) and trusted(folder)


def trusted(folder: Path) -> bool:
    """Anybody may make a folder among the temporary files: there, only one that is this user's alone will do."""
    if folder.parent != Path(tempfile.gettempdir()):
        return True
    found = folder.lstat()
    return not folder.is_symlink() and found.st_uid == os.getuid() and not found.st_mode & 0o077
