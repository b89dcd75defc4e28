from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcam.detect.lock import DeviceLock, lock_folder
from smartcam.errors import Unavailable

HOLD = (
    "import sys, pathlib, subprocess\n"
    "from smartcam.detect.lock import DeviceLock\n"
    "with DeviceLock(sys.argv[1], pathlib.Path(sys.argv[2])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the stick at 2-1.4."""
    command = [sys.executable, "-c", HOLD, "2-1.4", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_who_holds_the_device(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(Unavailable, match=rf"Edge TPU at 2-1.4 is in use by process {holder.pid} \(python.*: stop that"),
        DeviceLock("2-1.4", tmp_path),
    ):
        pass


def test_another_device_is_another_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with DeviceLock("2-1.3", tmp_path), DeviceLock("0000:01:00.0", tmp_path):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)

    with DeviceLock("2-1.4", tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_lock_is_free_after_its_block(tmp_path: Path) -> None:
    with DeviceLock("2-1.4", tmp_path):
        pass
    with DeviceLock("2-1.4", tmp_path):
        pass


def test_two_locks_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with (
        DeviceLock("2-1.4", tmp_path),
        pytest.raises(Unavailable, match=f"process {os.getpid()}"),
        DeviceLock("2-1.4", tmp_path),
    ):
        pass


def test_a_child_of_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A program that the holder starts may live longer than it does."""
    with DeviceLock("2-1.4", tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with DeviceLock("2-1.4", tmp_path):
            pass
    finally:
        child.communicate(b"\n")


def test_another_user_may_take_the_same_lock(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with DeviceLock("2-1.4", tmp_path) as lock:
            assert lock.path.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """The folder is one that everybody may write to."""
    lock = DeviceLock("2-1.4", tmp_path)
    (tmp_path / "precious").write_text("gold")
    lock.path.symlink_to(tmp_path / "precious")

    with pytest.raises(Unavailable, match=r"cannot open the lock .*2-1\.4\.lock"), lock:
        pass
    assert (tmp_path / "precious").read_text() == "gold"


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot make the lock"), DeviceLock("2-1.4", tmp_path / "missing"):
        pass


def test_an_identity_stays_inside_its_folder(tmp_path: Path) -> None:
    with DeviceLock("../2-1", tmp_path) as lock:
        assert lock.path.parent == tmp_path


def test_the_folder_is_one_that_all_processes_share() -> None:
    assert os.access(lock_folder(), os.W_OK)
    assert str(os.getpid()) not in str(lock_folder())
