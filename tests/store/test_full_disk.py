"""A full disk: who gives up what, and that nothing sticks."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smartcam.owed import KINDS, Row
from smartcam.store import DurableOutbox, transaction, writer
from smartcam.store.ballast import Ballast
from tests.mqtt.links import until
from tests.store.disks import small_disk
from tests.store.outboxes import exhibit, kept, picture, told, until_written

JPEG = b"\xff\xd8" + bytes(450_000)


def taken_within(outbox: DurableOutbox, kinds: Collection[Any], seconds: float) -> Row | None:
    end = time.monotonic() + seconds
    while not (row := outbox.take(kinds)) and time.monotonic() < end:
        time.sleep(0.02)
    return row


@pytest.mark.parametrize("mib", [6, 16])
def test_an_alert_is_written_on_a_disk_that_is_full_of_pictures_that_are_owed(tmp_path: Path, mib: int) -> None:
    with small_disk(tmp_path / "disk", mib) as folder:
        with kept(folder) as outbox:
            for n in range(1, 76):
                outbox.put(*picture(n, JPEG + n.to_bytes(2)))
                time.sleep(0.02)
            assert until(lambda: outbox.backlog.dropped["snapshot"] > 30, 30)
            outbox.put(*told(76, level="alert"))
            assert taken_within(outbox, {"alert"}, 10)
        with kept(folder) as outbox:
            assert taken_within(outbox, {"alert"}, 1)
            while row := outbox.take(KINDS):
                outbox.done(row.id)
            assert until(lambda: not outbox.unwritten and not outbox.trouble, 20)
            assert (folder / "ballast").exists()


def test_files_that_nobody_waits_for_go_before_any_event_and_events_before_none_of_their_pictures(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 16) as folder, kept(folder) as outbox:
        for n in range(1, 7):
            outbox.put(*told(n))
            outbox.keep(exhibit(n, "snapshot"), JPEG + n.to_bytes(2))
            until_written(outbox)
        while row := outbox.take(KINDS):
            outbox.done(row.id)
        for n in range(100, 160):
            outbox.put(*picture(n, JPEG + n.to_bytes(2)))
            time.sleep(0.02)
        assert until(lambda: outbox.backlog.dropped["snapshot"] > 20, 30)
        with closing(sqlite3.connect(folder / "store.db")) as db:
            shown = {event for (event,) in db.execute("SELECT event FROM media")}
            events = {event for (event,) in db.execute("SELECT id FROM event")}
        assert not shown & {told(n)[1].event.id for n in range(1, 7)}
        assert events in (set(), {told(n)[1].event.id for n in range(1, 7)})


def test_where_not_even_deleting_has_room_files_are_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of other rows stay."""
    is_full = True
    commit = transaction.write_down

    def without_room(db: sqlite3.Connection, *more: Any, **others: Any) -> set[int]:
        if is_full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return commit(db, *more, **others)

    with kept(tmp_path) as outbox:
        for n in (1, 2):
            outbox.put(*picture(n, JPEG + n.to_bytes(2)))
        until_written(outbox)
        row = outbox.take(KINDS)
        assert row
        monkeypatch.setattr(writer, "SHED_BYTES", 0)
        monkeypatch.setattr(writer, "write_down", without_room)
        outbox.done(row.id)
        assert until(lambda: len(list((tmp_path / "media").rglob("*.jpg"))) == 1, 10)
        assert not (tmp_path / "ballast").exists()
        is_full = False
        until_written(outbox)
        assert until(lambda: (tmp_path / "ballast").exists())
        assert [len(outbox.exhibits(told(n)[1].event.id)) for n in (1, 2)] == [0, 1]


def test_the_log_hears_of_it_once_in_ten_seconds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path / "disk", 16) as folder, kept(folder) as outbox:
        for n in range(1, 60):
            outbox.put(*picture(n, JPEG + n.to_bytes(2)))
            time.sleep(0.02)
        assert until(lambda: outbox.backlog.dropped["snapshot"] > 15, 9)
    said = [record for record in caplog.records if record.levelno == logging.WARNING and "full" in record.message]
    assert len(said) == 1


def test_ballast_needs_no_more_room_than_it_takes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 17) as folder:
        ballast = Ballast(folder)
        (folder / "filler").write_bytes(bytes(12 * 2**20))
        assert ballast.take_on()
        assert ballast.take_on()
        assert ballast.held_bytes == Ballast.BYTES
        assert ballast.drop()
        (folder / "more").write_bytes(bytes(2**21))
        assert not ballast.take_on()
        assert ballast.has_room_for_words
        assert ballast.held_bytes == 0
