"""Which runtime folder is chosen, on a disk of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smartcam.errors import Unavailable
from smartcam.service import runtime_folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without systemd whose /run does not exist, and whose temporary files are in `tmp`."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("smartcam.service.folders.SYSTEM", tmp_path / "run" / "smartcam")
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return tmp_path


def test_the_configured_folder_is_the_first_choice_and_the_only_one(machine: Path) -> None:
    assert runtime_folder(str(machine / "own")) == machine / "own"
    with pytest.raises(Unavailable, match="cannot write to a runtime folder"):
        runtime_folder(str(machine / "missing" / "own"))


def test_systemds_folder_comes_next(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable may name several, separated by colons."""
    (machine / "given").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{machine / 'given'}:{machine / 'other'}")
    assert runtime_folder() == machine / "given"


def test_then_the_systems_own(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(machine))
    (machine / "run").mkdir()
    assert runtime_folder() == machine / "run" / "smartcam"


def test_then_the_users(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(machine))
    assert runtime_folder() == machine / "smartcam"


def test_last_a_private_one_among_the_temporary_files(machine: Path) -> None:
    folder = runtime_folder()
    assert folder == machine / "tmp" / f"smartcam-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert runtime_folder() == folder


def test_a_folder_among_the_temporary_files_that_others_may_enter_is_refused(machine: Path) -> None:
    """Somebody else may have made it first, to be asked in the daemon's place."""
    (machine / "tmp" / f"smartcam-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(Unavailable):
        runtime_folder()


def test_a_link_among_the_temporary_files_is_refused(machine: Path) -> None:
    (machine / "elsewhere").mkdir(mode=0o700)
    (machine / "tmp" / f"smartcam-{os.getuid()}").symlink_to(machine / "elsewhere")
    with pytest.raises(Unavailable):
        runtime_folder()
