"""Pictures and clips that stay: beside the outbox, and after it has nothing to do with them any more."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from smartcam.data import Exhibit, Message
from smartcam.store import NAME, DurableOutbox, open_to_change
from smartcam.store.exhibits import KeptExhibit, discard, least_worth, of_event
from smartcam.store.media import MediaFiles
from tests.mqtt.links import until
from tests.store.disks import small_disk
from tests.store.outboxes import clip, exhibit, kept, picture, sent, taken, told, until_written

JPEG = b"\xff\xd8" + bytes(range(256)) * 64
SMALL = b"\xff\xd8small"
EVENT = told(1)[1].event.id


def media(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "media").rglob("*") if path.is_file())


@contextmanager
def changing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Beside the daemon."""
    with closing(open_to_change(folder)) as db:
        yield db


def rows_of(folder: Path, n: int = 1) -> list[KeptExhibit]:
    with closing(sqlite3.connect(folder / NAME)) as db:
        return of_event(db, told(n)[1].event.id)


@pytest.mark.parametrize("jpeg", [JPEG, SMALL])
def test_a_picture_stays_after_the_broker_has_it(tmp_path: Path, jpeg: bytes) -> None:
    """Small ones too, which would lie in the database if they were only owed."""
    with kept(tmp_path) as outbox:
        outbox.put(*picture(1, jpeg))
        until_written(outbox)
        [found] = outbox.exhibits(EVENT)
        assert (tmp_path / found.file).read_bytes() == jpeg
        assert (found.bytes, found.sha256) == (len(jpeg), hashlib.sha256(jpeg).hexdigest())
        assert found == exhibit(1, "snapshot", file=found.file, bytes=found.bytes, sha256=found.sha256)
        assert (rows_of(tmp_path)[0].owed, rows_of(tmp_path)[0].delivered) == (True, None)
        assert [row.message.payload for row in sent(outbox)] == [jpeg, b'{"v":1,"parts":1}']
        until_written(outbox)
        [row] = rows_of(tmp_path)
        assert not row.owed
        assert row.delivered
    with kept(tmp_path) as outbox:
        assert [each.file for each in outbox.exhibits(EVENT)] == media(tmp_path) == [found.file]


def test_the_latest_picture_is_the_same_file_and_does_not_make_it_delivered(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        message, _, what = picture(1, JPEG)
        outbox.put(message, None, what)
        outbox.put(Message("latest", JPEG, "snapshot", qos=0, retain=True, event=EVENT))
        until_written(outbox)
        assert len(media(tmp_path)) == 1
        [first, latest] = taken(outbox)
        outbox.done(latest.id)
        until_written(outbox)
        assert rows_of(tmp_path)[0].delivered is None
        outbox.done(first.id)
        until_written(outbox)
        assert rows_of(tmp_path)[0].delivered


def test_a_sample_is_kept_without_being_owed(tmp_path: Path) -> None:
    with kept(tmp_path, clock_ok=lambda: False) as outbox:
        assert outbox.keep(exhibit(1, "sample"), JPEG)
        assert outbox.depth() == 0
        until_written(outbox)
        assert (outbox.backlog.bytes, outbox.depth(), taken(outbox)) == (0, 0, [])
        [found] = outbox.exhibits(EVENT)
        assert (tmp_path / found.file).read_bytes() == JPEG
    assert [row.clock_ok for row in rows_of(tmp_path)] == [False]


def test_a_clip_that_waits_here_is_owed_once_somebody_asks_for_it(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        message, _, what = clip(tmp_path, 1, 5000)
        assert outbox.keep(what)
        until_written(outbox)
        assert (outbox.exhibits(EVENT), taken(outbox)) == ([what], [])
    with kept(tmp_path) as outbox:
        outbox.put(message)
        until_written(outbox)
        assert [row.message.topic for row in sent(outbox)] == [message.topic, "smartcam/ridge1/front/media"]
        until_written(outbox)
        assert [row.delivered is not None for row in rows_of(tmp_path)] == [True]
        assert outbox.exhibits(EVENT) == [what]


def test_a_picture_for_which_the_outbox_has_no_room_is_kept_all_the_same(tmp_path: Path) -> None:
    with kept(tmp_path, 10) as outbox:
        outbox.put(*picture(1, JPEG))
        until_written(outbox)
        assert (outbox.depth(), outbox.backlog.dropped["snapshot"]) == (0, 1)
        assert len(outbox.exhibits(EVENT)) == 1


def test_of_a_file_that_is_gone_there_is_no_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was removed between the making and the writing."""
    with DurableOutbox(tmp_path, 10**6) as outbox:
        message, _, what = clip(tmp_path, 1, 5000)
        outbox.put(message, None, what)
        (tmp_path / message.file).write_bytes(b"short")
        outbox.run(lambda: False)
        assert (outbox.exhibits(EVENT), outbox.depth(), outbox.backlog.bytes) == ([], 0, 0)
        assert outbox.backlog.failed["clip"] == 1
    assert "not there as it was made" in caplog.text


def test_what_is_discarded_goes_with_its_file_and_what_is_owed_stays(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(*picture(1, JPEG))
        outbox.keep(exhibit(2, "sample"), SMALL)
        until_written(outbox)
        both = media(tmp_path)
        with changing(tmp_path) as db:
            [gone] = discard(db, MediaFiles(tmp_path), both)
        assert gone.startswith(f"media/{told(2)[1].event.id}")
        assert media(tmp_path) == [each for each in both if each != gone]
        assert sent(outbox)[0].message.payload == JPEG


def test_a_file_stays_while_either_of_its_names_does(tmp_path: Path) -> None:
    """The exhibit goes while the latest picture, the same bytes, is still owed; then that goes."""
    with kept(tmp_path) as outbox:
        outbox.keep(exhibit(1, "snapshot"), JPEG)
        outbox.put(Message("latest", JPEG, "snapshot", qos=0, retain=True, event=EVENT))
        until_written(outbox)
        with changing(tmp_path) as db:
            assert discard(db, MediaFiles(tmp_path), media(tmp_path)) == []
        sent(outbox)
        until_written(outbox)
        assert len(media(tmp_path)) == 1
        with changing(tmp_path) as db:
            assert len(discard(db, MediaFiles(tmp_path), media(tmp_path))) == 1
    assert media(tmp_path) == []


def test_samples_go_first_then_clips_then_snapshots_and_the_oldest_of_each(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.keep(exhibit(1, "snapshot"), JPEG)
        for n in (2, 3):
            outbox.keep(clip(tmp_path, n, 5000)[2])
        outbox.keep(exhibit(4, "sample"), JPEG)
        outbox.put(*picture(5, JPEG))
        until_written(outbox)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        order = [int(Path(file).parent.name[3:]) for file in least_worth(db, 10**9)]
        assert order == [4, 2, 3, 1]
        assert len(least_worth(db, len(JPEG) + 1)) == 2


def test_on_a_full_disk_evidence_that_nobody_waits_for_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartcam.store.writer.RETRY_S", 0.05)
    with small_disk(tmp_path / "disk", 12) as folder, kept(folder) as outbox:
        owed, _, what = picture(1, JPEG)
        outbox.put(owed, None, what)
        for n in range(2, 400):
            outbox.keep(exhibit(n, "sample"), JPEG + n.to_bytes(2) * 8192)
            if n % 20 == 0:
                assert until(lambda: not outbox.unwritten, 10)
        assert until(lambda: not outbox.unwritten and not outbox.trouble, 20)
        assert outbox.backlog.dropped == {"alert": 0, "event": 0, "snapshot": 0, "clip": 0}
        assert sent(outbox)[0].message.payload == JPEG
        assert 100 < len(media(folder)) < 390


def test_what_was_written_for_a_transaction_that_failed_takes_no_room(tmp_path: Path) -> None:
    with DurableOutbox(tmp_path, 10**6) as outbox:
        outbox._disk.db.execute("DROP TABLE media")
        outbox.put(*picture(1, JPEG))
        outbox.run(lambda: False)
        assert outbox.broken
    assert media(tmp_path) == []


def test_rows_whose_file_somebody_has_removed_go_at_the_start(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.keep(exhibit(1, "sample"), JPEG)
        outbox.keep(exhibit(2, "sample"), JPEG)
    (tmp_path / media(tmp_path)[0]).unlink()
    with kept(tmp_path) as outbox:
        assert (len(outbox.exhibits(EVENT)), len(outbox.exhibits(told(2)[1].event.id))) == (0, 1)


def test_evidence_outlives_a_damaged_database_as_far_as_that_still_tells_of_it(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        for n in range(1, 40):
            outbox.keep(exhibit(n, "sample"), JPEG)
            outbox.put(*told(n))
        until_written(outbox)
    before = media(tmp_path)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event_by_id'").fetchone()
        [size] = db.execute("PRAGMA page_size").fetchone()
    with (tmp_path / NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    with kept(tmp_path) as outbox:
        assert len(list(tmp_path.glob("store.db.damaged-*"))) == 1
        assert len(outbox.exhibits(EVENT)) == 1
        assert outbox.last_n == 39
    assert media(tmp_path) == before


def test_a_number_of_an_exhibit_is_its_own(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        outbox.put(*picture(1, JPEG))
        outbox.put(*picture(1, JPEG + b"better", number=2))
        until_written(outbox)
        assert [(each.kind, each.number) for each in outbox.exhibits(EVENT)] == [("snapshot", 1), ("snapshot", 2)]
        assert outbox.exhibits("01JZ") == []


def test_exhibits_have_no_place_where_there_is_none(tmp_path: Path) -> None:
    """What names no event lies apart."""
    with kept(tmp_path) as outbox:
        outbox.keep(Exhibit("", "sample", "front", "r", "info", 0.5, 0.0, 0.0), JPEG)
    assert [file.split("/")[1] for file in media(tmp_path)] == ["other"]
