"""The daemon's folders: for what lives as long as it does, where clients look for it, and for what must outlive it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from smartcam.errors import Unavailable

SYSTEM = Path("/run/smartcam")
STATE = Path("/var/lib/smartcam")


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


def state_folder(configured: str | None = None, *, make: bool = False) -> Path:
    """The folder for what must outlive a restart; with `make`, made if need be.

    The configured one; else what systemd made ($STATE_DIRECTORY); else /var/lib/smartcam if it can be written to,
    or the user's own. Where it cannot be written to after all, whoever writes there is told so.
    """
    if given := configured or os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        folder, own = Path(given), False
    elif os.access(STATE if STATE.exists() else STATE.parent, os.W_OK | os.X_OK):
        folder, own = STATE, False
    else:
        home = os.environ.get("XDG_STATE_HOME") or f"{os.environ.get('HOME', '')}/.local/state"
        folder, own = Path(home) / "smartcam", True
    if make:
        # What was given may lie on a disk that is not mounted yet: its parents are not ours to make.
        _made(folder, parents=own)
    return folder


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


def _made(folder: Path, *, parents: bool = False) -> bool:
    try:
        folder.mkdir(mode=0o755 if folder == SYSTEM else 0o700, exist_ok=True, parents=parents)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK) and trusted(folder)


def trusted(folder: Path) -> bool:
    """Anybody may make a folder among the temporary files: there, only one that is this user's alone will do."""
    if folder.parent != Path(tempfile.gettempdir()):
        return True
    found = folder.lstat()
    return not folder.is_symlink() and found.st_uid == os.getuid() and not found.st_mode & 0o077
