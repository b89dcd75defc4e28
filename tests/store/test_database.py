"""The database file: made, migrated, refused, set aside."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from smartcam.errors import Unavailable
from smartcam.owed import KINDS
from smartcam.store import NAME, Events, open_to_read
from smartcam.store.database import VERSION, open_store, remember_n
from tests.mqtt.links import until
from tests.store.disks import small_disk
from tests.store.outboxes import MIB, kept, picture, told, until_written


def set_aside(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(f"{NAME}.damaged-*") if not path.name.endswith(("-wal", "-shm"))]


def test_what_is_committed_outlives_a_power_cut(tmp_path: Path) -> None:
    """As far as SQLite promises it in these modes, which an upgrade of it must not change behind our back."""
    with closing(open_store(tmp_path)) as db:
        modes = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_store_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with (
        pytest.raises(Unavailable, match=f"has version {VERSION + 1}, and this smartcam knows {VERSION}"),
        kept(tmp_path),
    ):
        pass
    assert set_aside(tmp_path) == []


@pytest.mark.parametrize("what", ["text", "another database", "flipped bytes", "cut short"])
def test_a_file_that_is_damaged_or_not_ours_is_set_aside(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / NAME
    if what == "text":
        file.write_text("no database at all\n" * 100)
    elif what == "another database":
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE mine (x)")
    else:
        with kept(tmp_path) as outbox:
            for n in range(1, 200):
                outbox.put(*told(n))
        data = bytearray(file.read_bytes())
        if what == "flipped bytes":
            for place in range(4096, len(data), 97):
                data[place] ^= 0xFF
        file.write_bytes(data[: len(data) // 2] if what == "cut short" else data)
    with kept(tmp_path) as outbox:
        outbox.put(*told(300))
        until_written(outbox)
        row = outbox.take(KINDS)
        assert row
        assert b'"n":300' in row.message.payload
        assert outbox.last_n == 300
    assert len(set_aside(tmp_path)) == 1
    assert len([each for each in caplog.records if "set aside as store.db.damaged-" in each.getMessage()]) == 1


def test_damage_that_shows_later_is_set_aside_while_it_runs(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        for n in range(1, 500):
            outbox.put(*told(n))
        until_written(outbox)
        with (tmp_path / NAME).open("r+b") as file:
            file.write(os.urandom(os.fstat(file.fileno()).st_size))
        for suffix in ("-wal", "-shm"):
            with (tmp_path / (NAME + suffix)).open("r+b") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
        outbox.put(*told(500))
        assert until(lambda: len(set_aside(tmp_path)) == 1)
        outbox.put(*told(501))
        until_written(outbox)
        found = []
        while row := outbox.take(KINDS):
            found.append(row.id)
        assert found[-2:] == [500, 501]
        assert outbox.broken == ""


def test_one_that_is_not_there_is_a_sentence_to_those_who_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="smartcam has not run with this configuration yet"):
        open_to_read(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_keeps_by_hand_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """Else the service could not go on afterwards."""
    os.chown(tmp_path, 12345, 12345)
    with kept(tmp_path) as outbox:
        outbox.put(*told(1))
        outbox.put(*picture(1, b"\xff\xd8" + bytes(5000)))
        until_written(outbox)
        found = {path.name: path.stat().st_uid for path in (tmp_path, *tmp_path.rglob("*"))}
    assert {"store.db", "store.db-wal", "store.db-shm", "store.lock", "ballast", "media"} <= found.keys()
    assert set(found.values()) == {12345}


def test_how_far_was_counted_is_one_row(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as db:
        for n in (3, 7, 5):
            remember_n(db, n)
        assert db.execute("SELECT n FROM counted").fetchall() == [(7,)]


def test_on_a_read_only_disk_a_store_that_was_closed_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as folder:
        with kept(folder) as outbox:
            outbox.put(*told(1))
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with closing(open_to_read(folder)) as db:
            assert len(list(Events(db).messages())) == 1


def test_and_one_that_was_not_is_a_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as folder:
        with kept(folder) as outbox:
            outbox.put(*told(1))
            until_written(outbox)
            for name in (NAME, f"{NAME}-wal"):
                shutil.copy(folder / name, tmp_path)
        for name in (NAME, f"{NAME}-wal"):
            shutil.copy(tmp_path / name, folder)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with pytest.raises(Unavailable, match="its disk is read-only"):
            open_to_read(folder)


def test_a_folder_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(Unavailable, match="is no folder"):
        open_to_read(tmp_path / "state")


def test_events_are_read_in_pages_that_hold_up_nobody(tmp_path: Path) -> None:
    """A slow reader would keep the log of the database from being begun anew."""
    with kept(tmp_path, 64 * MIB) as outbox:
        for n in range(1, 601):
            outbox.put(*told(n))
        until_written(outbox)
        with closing(open_to_read(tmp_path)) as db:
            found = Events(db).messages()
            first = next(found)
            with closing(sqlite3.connect(tmp_path / NAME)) as other:
                assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            assert [json.loads(payload)["n"] for payload in (first, *found)] == list(range(1, 601))
            assert len(list(Events(db).messages(told(3)[1].event.id))) == 1
