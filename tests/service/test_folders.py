"""Which folders are chosen, on a disk of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smartcam.errors import Unavailable
from smartcam.service import runtime_folder, state_folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without systemd whose /run does not exist, and whose temporary files are in `tmp`."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("smartcam.service.folders.SYSTEM", tmp_path / "run" / "smartcam")
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr("smartcam.service.folders.STATE", tmp_path / "var" / "lib" / "smartcam")
    for name in ("XDG_RUNTIME_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
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


def test_state_goes_where_the_configuration_says(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that cannot be made: another place would be found by nobody."""
    monkeypatch.setenv("STATE_DIRECTORY", str(machine / "given"))
    assert state_folder(str(machine / "own"), make=True) == machine / "own"
    assert (machine / "own").is_dir()
    assert state_folder(str(machine / "missing" / "own"), make=True) == machine / "missing" / "own"
    assert not (machine / "missing").exists()


def test_else_where_systemd_says(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{machine / 'given'}:{machine / 'other'}")
    assert state_folder() == machine / "given"


def test_else_to_the_systems_own_if_that_can_be_written_to(machine: Path) -> None:
    (machine / "var" / "lib").mkdir(parents=True)
    assert state_folder(make=True) == machine / "var" / "lib" / "smartcam"
    assert state_folder() == machine / "var" / "lib" / "smartcam"


def test_else_to_the_users_own(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder() == machine / "home" / ".local" / "state" / "smartcam"
    monkeypatch.setenv("XDG_STATE_HOME", str(machine / "xdg"))
    assert state_folder(make=True) == machine / "xdg" / "smartcam"
    assert stat.S_IMODE((machine / "xdg" / "smartcam").stat().st_mode) == 0o700


def test_only_to_ask_makes_nothing(machine: Path) -> None:
    state_folder(str(machine / "own"))
    assert not (machine / "own").exists()
