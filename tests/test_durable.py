"""A file is the old one or the new one, whatever happens."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smartcam.durable import finish_durably, make_durably, write_durably


def test_the_new_takes_the_place_of_the_old_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state"
    for text in (b"old", b"new"):
        write_durably(file, text)
        assert file.read_bytes() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_until_it_is_on_the_disk_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, or power fails before the rename."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "state"
    write_durably(file, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".state.part").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        write_durably(tmp_path / "state", b"new")
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """A service must find its own files again after somebody ran it by hand."""
    os.chown(tmp_path, 12345, 12345)
    write_durably(tmp_path / "state", b"new")
    assert (tmp_path / "state").stat().st_uid == 12345


def test_a_file_gets_its_name_once_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the file, then the name, then the folder that holds the name."""
    part, file = tmp_path / "clip.mp4.part", tmp_path / "clip.mp4"
    part.write_bytes(b"whole")
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda opened: steps.append(str(Path(f"/proc/self/fd/{opened}").readlink())))
    finish_durably(part, file)
    assert steps == [str(part), str(tmp_path)]
    assert (part.exists(), file.read_bytes()) == (False, b"whole")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_folder_that_root_makes_belongs_to_the_owner_of_its_own(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    make_durably(tmp_path / "media")
    assert (tmp_path / "media").stat().st_uid == 12345
