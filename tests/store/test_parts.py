"""Files that go in parts: one after the other, over any end of the connection or of the process."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from smartcam.data import Message
from smartcam.owed import KINDS, Row
from smartcam.store import DurableOutbox, open_to_read
from tests.store.outboxes import clip, clip_data, kept, picture, sent, take, taken, told, until_written

SIZE, PART = 10_000, 4096
TOPIC = f"smartcam-media/ridge1/front/{told(1)[1].event.id}/clip"
WORD = "smartcam/ridge1/front/media"


def small_parts(outbox: DurableOutbox, part_bytes: int = PART) -> None:
    outbox.whole_bytes = outbox.part_bytes = part_bytes


def put_clip(outbox: DurableOutbox, folder: Path, n: int = 1, size: int = SIZE) -> None:
    outbox.put(*clip(folder, n, size))
    until_written(outbox)


def topics(rows: list[Row]) -> list[str]:
    return [row.message.topic for row in rows]


def test_a_small_file_goes_as_one_message(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        put_clip(outbox, tmp_path)
        whole, word = sent(outbox)
        assert (whole.message.topic, whole.message.payload) == (TOPIC, clip_data(SIZE))
        assert json.loads(word.message.payload)["parts"] == 1
        assert (outbox.depth(), outbox.backlog.bytes) == (0, 0)


def test_a_large_one_goes_in_parts_and_the_word_says_how_many(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        assert (outbox.depth(), outbox.backlog.waiting["clip"][0]) == (1, 1)
        *parts, word = sent(outbox)
        assert topics(parts) == [f"{TOPIC}/{n}-of-3" for n in (1, 2, 3)]
        assert b"".join(row.message.payload for row in parts) == clip_data(SIZE)
        assert {len(row.message.payload) for row in parts} == {PART, SIZE - 2 * PART}
        said = json.loads(word.message.payload)
        assert (word.message.topic, said["parts"], said["part_bytes"]) == (WORD, 3, PART)
        assert (outbox.depth(), outbox.backlog.bytes) == (0, 0)
        until_written(outbox)
        assert outbox.exhibits(told(1)[1].event.id)


def test_one_part_is_in_flight_at_a_time_and_no_other_file(tmp_path: Path) -> None:
    """A part is 256 KiB of memory, and a whole almost 2 MB."""
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path, 1)
        put_clip(outbox, tmp_path, 2)
        outbox.put(Message("text", b"", "clip"))
        until_written(outbox)
        [first] = taken(outbox)
        assert first.message.topic == f"{TOPIC}/1-of-3"
        outbox.done(first.id)
        assert topics(taken(outbox)) == [f"{TOPIC}/2-of-3"]


def test_an_alert_and_a_picture_that_come_meanwhile_go_before_the_next_part(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        part = take(outbox)
        outbox.put(*picture(2, b"\xff\xd8" * 3000))
        outbox.put(*told(3, level="alert"))
        until_written(outbox)
        outbox.done(part.id)
        assert [row.message.kind for row in sent(outbox)] == ["alert", "snapshot", "snapshot", "clip", "clip", "clip"]


def test_the_next_part_goes_before_another_clip(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path, 2)
        outbox.done(take(outbox).id)
        put_clip(outbox, tmp_path, 1)
        assert [topic.partition("/clip")[2] for topic in topics(sent(outbox))] == [
            *("/2-of-3", "/3-of-3", ""),
            *("/1-of-3", "/2-of-3", "/3-of-3", ""),
        ]


def test_a_restart_goes_on_with_the_next_part_of_the_same_size(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        outbox.done(take(outbox).id)
        before = outbox.backlog.bytes
    with kept(tmp_path) as outbox:
        assert outbox.backlog.bytes == before  # And the parts are large by now.
        outbox.done(take(outbox).id)
        until_written(outbox)
    with kept(tmp_path) as outbox:
        last, word = sent(outbox)
        assert (last.message.topic, last.message.payload) == (f"{TOPIC}/3-of-3", clip_data(SIZE)[2 * PART :])
        assert json.loads(word.message.payload)["parts"] == 3


def test_what_is_begun_is_not_dropped_for_room_also_after_a_restart(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path, 1)
        put_clip(outbox, tmp_path, 2)
        outbox.done(take(outbox).id)
    with kept(tmp_path, 18_000) as outbox:
        outbox.put(*told(3))
        until_written(outbox)
        outbox.put(Message("alert", bytes(5000), "alert"))
        until_written(outbox)
        assert topics(sent(outbox))[-3:] == [f"{TOPIC}/2-of-3", f"{TOPIC}/3-of-3", WORD]
        assert outbox.backlog.dropped["clip"] == 1


def test_a_restart_before_the_word_is_sent_does_not_forget_the_number_of_parts(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        for _ in range(3):
            outbox.done(take(outbox).id)
        assert outbox.depth() == 1
    with kept(tmp_path) as outbox:
        [word] = sent(outbox)
        said = json.loads(word.message.payload)
        assert (word.message.topic, said["parts"], said["part_bytes"]) == (WORD, 3, PART)
        assert len(said["sha256"]) == 64


def test_a_part_that_the_connection_ended_on_goes_again(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        outbox.done(take(outbox).id)
        for tries in range(3):
            row = take(outbox)
            assert (row.message.topic, row.tries) == (f"{TOPIC}/2-of-3", tries)
            outbox.release_all(KINDS, blamed=True)
        outbox.done(take(outbox).id)
        last = take(outbox)
        assert (last.message.topic, last.tries) == (f"{TOPIC}/3-of-3", 0)
        outbox.release_all(KINDS, blamed=False)
    with kept(tmp_path) as outbox:
        assert topics(sent(outbox))[0] == f"{TOPIC}/3-of-3"


def test_a_whole_that_the_connection_ended_on_goes_in_parts_the_next_time(tmp_path: Path) -> None:
    """A connection that breaks every few hundred kilobytes would never carry it."""
    with kept(tmp_path) as outbox:
        outbox.part_bytes = PART
        put_clip(outbox, tmp_path)
        assert take(outbox).message.topic == TOPIC
        outbox.release_all(KINDS, blamed=True)
        assert topics(sent(outbox)) == [f"{TOPIC}/{n}-of-3" for n in (1, 2, 3)] + [WORD]


def test_what_was_begun_goes_on_in_parts_of_its_size_and_the_next_file_in_those_of_now(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path, 1)
        put_clip(outbox, tmp_path, 2)
        outbox.done(take(outbox).id)
        small_parts(outbox, 5000)
        assert [topic.partition("/clip")[2] for topic in topics(sent(outbox))] == [
            *("/2-of-3", "/3-of-3", ""),
            *("/1-of-2", "/2-of-2", ""),
        ]


def test_a_part_that_the_broker_refuses_is_kept_aside_and_begun_anew_after_a_restart(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        outbox.failed(take(outbox).id, "too large")
        assert (taken(outbox), outbox.depth(), outbox.backlog.failed["clip"]) == ([], 0, 1)
        rows, size = outbox.backlog.refused["clip"]
        assert rows == 1
        assert size > SIZE
    with kept(tmp_path) as outbox:
        small_parts(outbox, 5000)
        assert topics(sent(outbox)) == [f"{TOPIC}/1-of-2", f"{TOPIC}/2-of-2", WORD]


def test_a_file_that_was_cut_short_meanwhile_is_given_up_and_the_next_row_goes(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        put_clip(outbox, tmp_path)
        outbox.put(Message("next", b"", "clip"))
        until_written(outbox)
        outbox.done(take(outbox).id)
        (tmp_path / clip(tmp_path / "other", 1, 0)[0].file).write_bytes(b"short")
        assert topics(taken(outbox)) == ["next"]
        assert outbox.backlog.failed["clip"] == 1


def test_a_clip_takes_room_in_the_outbox_but_none_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is dropped for an event, and counted; it stays on the disk."""
    monkeypatch.setattr("smartcam.store.books.MOST_INCOMING_BYTES", SIZE // 2)
    with kept(tmp_path, 12_000) as outbox:
        put_clip(outbox, tmp_path)
        assert SIZE < outbox.backlog.waiting["clip"][1] == outbox.backlog.bytes < 12_000
        for n in range(2, 7):
            outbox.put(*told(n))
        until_written(outbox)
        assert (outbox.backlog.waiting["clip"], outbox.backlog.dropped["clip"]) == ((0, 0), 1)
        assert outbox.exhibits(told(1)[1].event.id)


def test_what_has_left_is_written_down_part_by_part(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        small_parts(outbox)
        outbox.put(*told(1))
        put_clip(outbox, tmp_path)
        taken(outbox)
        outbox.release_all(KINDS, blamed=False)  # What is not answered for has not left.
        rows = sent(outbox)
    with closing(open_to_read(tmp_path)) as db:
        found = db.execute("SELECT topic, kind, bytes, event, rule FROM sent ORDER BY id").fetchall()
        [ats] = db.execute("SELECT count(*) FROM sent WHERE at > 1700000000").fetchone()
    assert [row[0] for row in found] == topics(rows)
    assert [row[2] for row in found] == [len(row.message.payload) for row in rows]
    assert found[1][3:] == (told(1)[1].event.id, "yard-intruder")
    assert ats == len(rows) == 5
