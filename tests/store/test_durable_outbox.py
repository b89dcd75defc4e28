"""The durable outbox on a real disk: what is written down, what is found again, and what is dropped."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smartcam.data import Message
from smartcam.owed import KINDS, Row
from smartcam.store import NAME, DurableOutbox, Events, MediaFiles, open_to_read, transaction, writer
from smartcam.store.books import Batch, Books
from tests.store.outboxes import MIB, clip, kept, picture, taken, told, until_written

JPEG = b"\xff\xd8" + bytes(range(256)) * 64
PICTURE = Message("m/picture", JPEG, "snapshot", then=Message("c/media", b"there", "snapshot"), event="01JA")
LATEST = Message("m/latest", JPEG, "snapshot", qos=0, retain=True, event="01JA")


def media(folder: Path) -> list[Path]:
    return [path for path in (folder / "media").rglob("*") if path.is_file()]


def rows_in(folder: Path) -> int:
    with closing(sqlite3.connect(folder / NAME)) as db:
        return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])


def test_what_is_owed_is_found_again_as_it_was(tmp_path: Path) -> None:
    message, firing = told(7)
    whole = Message("t", b"\0\xff", "clip", qos=0, retain=True, expiry_s=60, event="01JB")
    with kept(tmp_path) as outbox:
        outbox.put(whole)
        outbox.put(message, firing)
    with kept(tmp_path) as outbox:
        assert outbox.last_n == 7
        assert [row.message for row in taken(outbox)] == [message, whole]


def test_alerts_go_before_events_and_events_before_media_each_in_their_order(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        for n, level in enumerate(("event", "alert", "info", "event", "alert"), 1):
            outbox.put(*told(n, level=level))
        outbox.put(PICTURE)
        until_written(outbox)
        assert [row.id for row in taken(outbox)] == [2, 5, 1, 3, 4, 6]


def test_nothing_can_be_taken_before_it_is_committed(tmp_path: Path) -> None:
    with DurableOutbox(tmp_path, MIB) as outbox:  # Nobody writes.
        outbox.put(*told(1))
        assert (outbox.take(KINDS), outbox.depth()) == (None, 1)


def test_links_hear_of_a_message_once_it_can_be_taken(tmp_path: Path) -> None:
    heard: list[Row | None] = []
    with kept(tmp_path) as outbox, outbox.listener(lambda: heard.append(outbox.take(KINDS))):
        outbox.put(*told(1))
        until_written(outbox)
    assert [row.id for row in heard if row] == [1]


def test_a_row_that_is_done_is_deleted_and_its_event_stays(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(*told(1))
        until_written(outbox)
        [row] = taken(outbox)
        outbox.done(row.id)
        assert outbox.backlog.bytes == 0
    assert rows_in(tmp_path) == 0
    with closing(open_to_read(tmp_path)) as db:
        [event] = Events(db).last(5)
        assert not event.owed


def test_a_large_payload_is_a_file_and_two_rows_share_it(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
        outbox.put(LATEST)
        until_written(outbox)
        [file] = media(tmp_path)
        assert file.read_bytes() == JPEG
        assert file.parent.name == "01JA"
        picture, latest = taken(outbox)
        assert picture.message.payload == latest.message.payload == JPEG
        outbox.done(picture.id)
        until_written(outbox)
        assert media(tmp_path) == [file]
        outbox.done(latest.id)
        [word] = taken(outbox)
        outbox.done(word.id)
    assert media(tmp_path) == []
    assert list((tmp_path / "media").iterdir()) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_what_follows_comes_up_once_the_first_is_done(tmp_path: Path, restarted: bool) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
        outbox.put(Message("later", b"", "snapshot"))
        until_written(outbox)
        picture = outbox.take(KINDS)
        assert picture
        outbox.done(picture.id)
        if not restarted:
            assert [row.message.topic for row in taken(outbox)] == ["c/media", "later"]
    if restarted:
        with kept(tmp_path) as outbox:
            assert [row.message.topic for row in taken(outbox)] == ["c/media", "later"]


def test_what_follows_waits_for_the_first_also_after_a_restart(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
    with kept(tmp_path) as outbox:
        assert [row.message.topic for row in taken(outbox)] == ["m/picture"]


def test_of_a_retained_topic_only_the_last_message_waits(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        for n in range(3):
            outbox.put(Message("latest", bytes([n]), "snapshot", retain=True))
            until_written(outbox)
        assert [row.message.payload for row in taken(outbox)] == [b"\2"]
    assert rows_in(tmp_path) == 1


def test_the_first_to_go_are_pictures_then_updates_then_the_lowest_events(tmp_path: Path) -> None:
    big = b"x" * 600
    with kept(tmp_path, 3000) as outbox:
        outbox.put(Message("alert's update", big, "alert", weight="passing"))
        outbox.put(Message("info", big, "event", weight="light"))
        outbox.put(Message("event", big, "event"))
        outbox.put(Message("picture", big, "snapshot"))
        for gone in ("picture", "alert's update", "info", "event"):
            until_written(outbox)
            before = {row.message.topic for row in taken(outbox)}
            outbox.release_all(KINDS, blamed=False)
            outbox.put(Message(f"alert {len(before)}", b"x" * 700, "alert"))
            until_written(outbox)
            after = {row.message.topic for row in taken(outbox)}
            outbox.release_all(KINDS, blamed=False)
            assert before - after <= {gone, "alert's update", "picture"}, gone
        assert outbox.backlog.bytes <= 3000
        assert sum(outbox.backlog.dropped.values()) == 4
    assert rows_in(tmp_path) == 4


def test_an_event_for_which_there_is_no_room_to_be_owed_is_kept_all_the_same(tmp_path: Path) -> None:
    with kept(tmp_path, 10) as outbox:
        outbox.put(*told(1))
        until_written(outbox)
        assert outbox.backlog.dropped["event"] == 1
    with closing(open_to_read(tmp_path)) as db:
        assert [event.payload["n"] for event in Events(db).last(5)] == [1]


def test_what_is_refused_is_kept_aside_told_and_tried_again_after_a_restart(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(*told(1))
        outbox.put(*told(2))
        until_written(outbox)
        outbox.failed(taken(outbox)[0].id, "not authorized")
        outbox.release_all(KINDS, blamed=False)
        assert [row.id for row in taken(outbox)] == [2]
        assert "refused 1 messages, the last one not authorized" in outbox.trouble
        assert (outbox.depth(), outbox.backlog.failed["event"]) == (1, 1)
        until_written(outbox)
        with closing(open_to_read(tmp_path)) as db:
            assert [event.refused for event in Events(db).last(5)] == ["not authorized", None]
    with kept(tmp_path) as outbox:
        assert [row.id for row in taken(outbox)] == [1, 2]


def test_a_damaged_picture_is_given_up_and_the_next_row_goes(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
        outbox.put(Message("next", b"", "snapshot"))
        until_written(outbox)
        media(tmp_path)[0].write_bytes(b"other")
        assert [row.message.topic for row in taken(outbox)] == ["next"]
        assert outbox.backlog.failed["snapshot"] == 1


def test_files_that_no_row_names_are_removed_at_the_start(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
    orphan, half = tmp_path / "media/01JZ/lost.jpg", tmp_path / "media/01JA/.half.jpg.part"
    orphan.parent.mkdir()
    orphan.touch()
    half.touch()
    with kept(tmp_path) as outbox:
        assert [row.message.payload for row in taken(outbox)] == [JPEG]
    assert (orphan.exists(), orphan.parent.exists(), half.exists()) == (False, False, False)


def test_what_waits_for_the_disk_is_bounded_and_updates_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartcam.store.books.MOST_INCOMING_BYTES", 3000)
    with DurableOutbox(tmp_path, MIB) as outbox:  # Nobody writes: the disk hangs.
        for n in range(1, 20):
            outbox.put(*told(n, phase="update" if n % 2 else "start"))
        assert outbox.backlog.bytes <= 3000
        assert outbox.backlog.dropped["event"] == 19 - outbox.depth()
        outbox.run(lambda: False)
    with closing(open_to_read(tmp_path)) as db:
        assert {event.payload["phase"] for event in Events(db).last(50)} == {"start"}


def test_a_second_daemon_does_not_get_the_same_store(tmp_path: Path) -> None:
    with kept(tmp_path), pytest.raises(Exception, match="another smartcam keeps its store"), kept(tmp_path):
        pass


def test_what_is_told_is_written_before_pictures_that_came_first_and_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk takes seconds for each file."""
    commits: list[list[str]] = []
    write_down = transaction.write_down

    def watched(db: sqlite3.Connection, files: MediaFiles, batch: Batch, **more: Any) -> set[int]:
        commits.append([owed.entry.kind for owed in batch.owed])
        return write_down(db, files, batch, **more)

    monkeypatch.setattr(writer, "write_down", watched)
    with DurableOutbox(tmp_path, MIB) as outbox:
        for n in range(1, 4):
            outbox.put(*picture(n, JPEG + bytes([n])))
        outbox.put(*told(4, level="alert"))
        outbox.put(*told(5))
        outbox.run(lambda: False)
    assert commits == [["alert", "event"], *[["snapshot"]] * 3]


def test_what_follows_a_file_bears_none_of_its_parts_after_a_restart(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.whole_bytes, outbox.part_bytes = 4096, 4096
        outbox.put(*clip(tmp_path, 1, 10_000))
        until_written(outbox)
        for _ in range(3):
            row = outbox.take(KINDS)
            assert row
            outbox.done(row.id)
        assert outbox.take(KINDS)  # The word that it is there.
        outbox.release_all(KINDS, blamed=True)
        size = outbox.backlog.bytes
    with kept(tmp_path) as outbox:
        assert outbox.backlog.bytes == size > 0


def test_what_cannot_be_read_now_waits_and_what_is_damaged_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_of_files(*_: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with kept(tmp_path) as outbox:
        outbox.put(PICTURE)
        until_written(outbox)
        with monkeypatch.context() as patched:
            patched.setattr("smartcam.store.media.os.open", full_of_files)
            assert outbox.take(KINDS) is None
        assert (outbox.depth(), outbox.backlog.failed["snapshot"]) == (1, 0)
        [file] = media(tmp_path)
        file.write_bytes(JPEG[:-1])
        assert outbox.take(KINDS) is None
        assert (outbox.depth(), outbox.backlog.failed["snapshot"]) == (0, 1)


def test_small_things_wait_for_others_also_while_much_is_written(tmp_path: Path) -> None:
    """Each transaction wears the card."""
    books = Books(MIB)
    books.let_go([1])
    batch = books.batch()
    books._small_since -= 100.0
    assert books.is_due(2.0)
    books.let_go([2])
    books.written(batch, ())
    assert (books.is_due(2.0), books.is_due(0.0)) == (False, True)


def test_a_note_that_is_wanted_soon_waits_for_nothing(tmp_path: Path) -> None:
    books = Books(MIB)
    books.note("a", "1")
    batch = books.batch()
    assert not books.is_due(2.0)
    books.note("b", "2", soon=True)
    books.written(batch, ())
    assert books.is_due(2.0)
    books.written(books.batch(), ())
    assert not books.unwritten
    books.note("c", "3")
    assert not books.is_due(2.0)
