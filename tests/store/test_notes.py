"""Small things that are kept by the way: notes, and what has left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from smartcam.store import DurableOutbox, open_to_read
from tests.store.outboxes import MIB, kept, sent, told, until_written


def test_a_note_is_found_again(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        assert outbox.noted("budget") == ""
        outbox.note("budget", "1")
        outbox.note("budget", "2")
        assert outbox.noted("budget") == "2"
        until_written(outbox)
    with kept(tmp_path) as outbox:
        assert (outbox.noted("budget"), outbox.noted("other")) == ("2", "")


def test_the_same_note_again_writes_nothing(tmp_path: Path) -> None:
    with DurableOutbox(tmp_path, MIB) as outbox:
        outbox.note("budget", "1")
        outbox.run(lambda: False)
        outbox.note("budget", "1")
        assert not outbox.unwritten


def test_notes_outlive_a_damaged_database_while_it_runs(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.note("budget", "1")
        until_written(outbox)
        outbox._books.damage = "as a reader would have noticed"
        outbox.put(*told(1))
        until_written(outbox)
        assert len(list(tmp_path.glob("store.db.damaged-*"))) == 1
    with kept(tmp_path) as outbox:
        assert outbox.noted("budget") == "1"


def test_of_what_has_left_the_oldest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.store.sent.MOST_SENT", 5)
    with kept(tmp_path) as outbox:
        for n in range(1, 10):
            outbox.put(*told(n))
            until_written(outbox)
            sent(outbox)
            until_written(outbox)
    with closing(open_to_read(tmp_path)) as db:
        assert [row_id for (row_id,) in db.execute("SELECT id FROM sent")] == [5, 6, 7, 8, 9]
