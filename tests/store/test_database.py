"""The database file: made, migrated, refused, set aside."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from smartcam.errors import Unavailable
from smartcam.owed import KINDS
from smartcam.store import NAME, open_to_read
from smartcam.store.database import VERSION, open_store
from tests.mqtt.links import until
from tests.store.outboxes import kept, told, until_written


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
