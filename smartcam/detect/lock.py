"""Our own lock on a device: no driver prevents two processes from opening one USB stick and ending each other."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path
from typing import Self

from smartcam.errors import Unavailable

MACHINE_WIDE = Path("/run/lock")
MAX_PID_BYTES = 16


def lock_folder() -> Path:
    """A folder that all processes of this machine share: the service's and a user's own runtime folders differ.

    Or $SMARTCAM_LOCKS: devices of a made-up /sys are not those of this machine.
    """
    if given := os.environ.get("SMARTCAM_LOCKS"):
        return Path(given)
    return MACHINE_WIDE if os.access(MACHINE_WIDE, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


class InUse(Unavailable):
    """Another process holds the device."""


class DeviceLock:
    """Held inside `with`, by one process at a time; the kernel takes it back from a process that dies.

    Taken by the process that opens the device, so that it lasts exactly as long as the device is open.
    The file stays behind, as whoever removed it could remove one that another process has just locked.
    """

    def __init__(self, identity: str, folder: Path | None = None) -> None:
        self.identity = identity
        self.path = (folder or lock_folder()) / f"smartcam-edgetpu-{identity.replace('/', '_')}.lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Raises InUse, naming the process that holds it; Unavailable where there cannot be a lock."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno != errno.EWOULDBLOCK:
                raise Unavailable(f"cannot lock {self.path}: {error.strerror}") from error
            raise InUse(
                f"the Edge TPU at {self.identity} is in use by {holder}: stop that, or leave this device to it"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._descriptor, 0)
        # Not left to close(): a child that is just being started still has the descriptor too.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def _open(self) -> int:
        """The file's descriptor, which children do not inherit."""
        try:
            # Never O_CREAT on a file that is there: in a folder that all may write to, the kernel refuses that
            # for another user's file (fs.protected_regular).
            return os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unavailable(f"cannot open the lock {self.path}: {error.strerror}; remove it") from error
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except FileExistsError:  # another process was faster
            return self._open()
        except OSError as error:
            raise Unavailable(f"cannot make the lock {self.path}: {error.strerror}") from error
        os.fchmod(descriptor, 0o666)  # whatever the umask: another user's daemon takes the same lock
        return descriptor


def user_of(identity: str) -> int | None:
    """The process whose lock on the device is the last, while it lives. For people: nothing is locked to find out."""
    try:
        descriptor = os.open(DeviceLock(identity).path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    pid = _pid_in(descriptor)
    os.close(descriptor)
    return pid if pid is not None and Path(f"/proc/{pid}").exists() else None


def _holder(descriptor: int) -> str:
    pid = _pid_in(descriptor)
    if pid is None:
        return "another process"
    try:
        return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except OSError:
        return f"process {pid}"


def _pid_in(descriptor: int) -> int | None:
    try:
        return int(os.pread(descriptor, MAX_PID_BYTES, 0))
    except (OSError, ValueError):
        return None
