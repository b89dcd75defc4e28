from __future__ import annotations

import threading
from collections.abc import Collection

import pytest

from smartcam.config import Mqtt
from smartcam.data import Exhibit, Kind, Message
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import KINDS, Row
from tests.mqtt.events import event


def owe(kind: Kind, name: str = "t", size: int = 99) -> Message:
    """A message of `size` + 1 bytes, topic included."""
    return Message(name, b"x" * size, kind)


PICTURE = Message("p", b"x" * 99, "snapshot", then=Message("word", b"x" * 46, "snapshot"))
"""150 bytes, with what follows it."""


def take(outbox: MemoryOutbox, kinds: Collection[Kind] = KINDS) -> Row:
    row = outbox.take(kinds)
    assert row
    return row


def taken(outbox: MemoryOutbox, kinds: Collection[Kind] = KINDS) -> list[Row]:
    rows = []
    while row := outbox.take(kinds):
        rows.append(row)
    return rows


def test_alerts_go_before_events_and_events_before_media_each_in_their_order() -> None:
    outbox = MemoryOutbox(10_000)
    kinds: list[Kind] = ["clip", "event", "snapshot", "alert", "event", "alert"]
    for n, kind in enumerate(kinds):
        outbox.put(Message(str(n), b"", kind))
    assert [row.message.topic for row in taken(outbox)] == ["3", "5", "1", "4", "2", "0"]


def test_a_link_takes_only_its_kinds() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(owe("snapshot"))
    assert outbox.take({"alert", "event"}) is None
    assert outbox.take({"snapshot", "clip"})


def test_a_row_is_owed_until_it_is_done() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(owe("event"))
    row = take(outbox)
    assert (outbox.take(KINDS), outbox.backlog.depth, outbox.backlog.bytes) == (None, 1, 100)
    outbox.done(row.id)
    assert (outbox.backlog.depth, outbox.backlog.bytes) == (0, 0)


def test_what_was_in_flight_waits_again_in_its_old_place() -> None:
    outbox = MemoryOutbox(10_000)
    for n in range(4):
        outbox.put(Message(str(n), b"", "event"))
    second_last = [take(outbox) for _ in range(3)][1]
    outbox.done(second_last.id)
    outbox.release_all(KINDS, blamed=True)
    assert [(row.message.topic, row.tries) for row in taken(outbox)] == [("0", 1), ("2", 1), ("3", 0)]


def test_a_new_session_leaves_the_other_links_rows_in_flight() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(owe("event"))
    outbox.put(owe("clip"))
    taken(outbox)
    outbox.release_all({"clip"}, blamed=True)
    assert [row.message.kind for row in taken(outbox)] == ["clip"]


def test_the_first_to_go_are_the_oldest_clips_then_snapshots_then_events() -> None:
    outbox = MemoryOutbox(500)
    kinds: list[tuple[str, Kind]] = [("e", "event"), ("s", "snapshot"), ("c1", "clip"), ("c2", "clip"), ("a", "alert")]
    for name, kind in kinds:
        assert outbox.put(owe(kind, name, 100 - len(name)))

    assert outbox.put(owe("alert", "A", 199))  # takes the place of two
    assert [row.message.topic for row in taken(outbox)] == ["a", "A", "e", "s"]
    assert outbox.backlog.dropped == {"alert": 0, "event": 0, "snapshot": 0, "clip": 2}


def test_a_message_never_displaces_a_better_one() -> None:
    outbox = MemoryOutbox(200)
    outbox.put(owe("alert"))
    outbox.put(owe("event"))
    assert not outbox.put(owe("clip"))
    assert [row.message.kind for row in taken(outbox)] == ["alert", "event"]
    assert outbox.backlog.dropped["clip"] == 1


def test_one_that_cannot_fit_displaces_nothing() -> None:
    outbox = MemoryOutbox(200)
    outbox.put(owe("clip"))
    assert not outbox.put(owe("alert", size=1000))
    assert outbox.backlog.depth == 1


def test_what_is_in_flight_is_not_dropped() -> None:
    outbox = MemoryOutbox(200)
    outbox.put(owe("clip", "o"))
    row = take(outbox)
    outbox.put(owe("clip"))
    assert outbox.put(owe("clip", "N"))
    outbox.done(row.id)
    assert [row.message.topic for row in taken(outbox)] == ["N"]


def test_a_failure_is_counted_and_each_reason_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outbox = MemoryOutbox(10_000)
    for _ in range(3):
        outbox.put(owe("event"))
    for row in taken(outbox):
        outbox.failed(row.id, "not authorized")
    assert outbox.backlog.failed["event"] == 3
    assert outbox.backlog.bytes == 0
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == ["t: given up: not authorized"]


def test_a_listener_hears_of_each_message_while_it_listens() -> None:
    outbox, heard = MemoryOutbox(10_000), threading.Event()
    with outbox.listener(heard.set):
        outbox.put(owe("event"))
        assert heard.is_set()
    heard.clear()
    outbox.put(owe("event"))
    assert not heard.is_set()


def test_an_end_that_nobody_is_to_blame_for_is_no_try() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(owe("event"))
    take(outbox)
    outbox.release_all(KINDS, blamed=False)
    assert take(outbox).tries == 0


def test_what_follows_a_message_comes_up_in_its_place_once_that_is_done() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(PICTURE)
    outbox.put(owe("snapshot", "later"))
    picture = take(outbox)
    assert outbox.backlog.depth == 2
    outbox.done(picture.id)
    outbox.put(owe("event", "better"))
    rows = taken(outbox)
    assert [row.message.topic for row in rows] == ["better", "word", "later"]
    for row in rows:
        outbox.done(row.id)
    assert (outbox.backlog.depth, outbox.backlog.bytes) == (0, 0)


def test_what_follows_goes_with_a_message_that_fails_or_is_dropped() -> None:
    outbox = MemoryOutbox(200)
    outbox.put(PICTURE)
    outbox.failed(take(outbox).id, "too large")
    outbox.put(PICTURE)
    outbox.put(owe("alert"))  # There is no room for both.
    assert [row.message.topic for row in taken(outbox)] == ["t"]
    assert (outbox.backlog.bytes, outbox.backlog.dropped["snapshot"], outbox.backlog.failed["snapshot"]) == (100, 1, 1)


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_follows_a_message_that_is_done_is_not_dropped_for_room(interrupted: bool) -> None:
    """It was counted before: what comes in between finds its room taken."""
    outbox = MemoryOutbox(200)
    outbox.put(PICTURE)
    assert not outbox.put(owe("clip", size=50))
    picture = take(outbox)
    outbox.done(picture.id)
    if interrupted:
        take(outbox)
        outbox.release_all(KINDS, blamed=False)
    assert not outbox.put(owe("alert", size=150))
    assert outbox.put(owe("alert", size=149))
    assert [row.message.topic for row in taken(outbox)] == ["t", "word"]


def test_of_a_retained_topic_only_the_last_message_waits() -> None:
    """An outbox that filled up for a day would otherwise send every picture that was ever the latest."""
    outbox = MemoryOutbox(10_000)
    for n in range(3):
        outbox.put(Message("latest", bytes([n]), "snapshot", retain=True))
        outbox.put(Message("other", bytes([n]), "snapshot"))
    rows = taken(outbox)
    assert [(row.message.topic, row.message.payload) for row in rows] == [
        ("other", b"\0"),
        ("other", b"\1"),
        ("latest", b"\2"),
        ("other", b"\2"),
    ]
    for row in rows:
        outbox.done(row.id)
    assert (outbox.backlog.bytes, outbox.backlog.dropped["snapshot"]) == (0, 0)


def test_a_retained_message_under_way_is_not_replaced() -> None:
    outbox = MemoryOutbox(10_000)
    outbox.put(Message("latest", b"1", "snapshot", retain=True))
    under_way = take(outbox)
    outbox.put(Message("latest", b"2", "snapshot", retain=True))
    outbox.done(under_way.id)
    assert [row.message.payload for row in taken(outbox)] == [b"2"]


def test_what_waits_and_what_was_refused_is_told_by_kind() -> None:
    outbox = MemoryOutbox(10_000)
    for kind in KINDS[1:3]:
        outbox.put(owe(kind))
    outbox.put(owe("event"))
    outbox.put(PICTURE)
    take(outbox)
    assert outbox.backlog.waiting == {"alert": (0, 0), "event": (2, 200), "snapshot": (2, 250), "clip": (0, 0)}
    assert set(outbox.backlog.refused.values()) == {(0, 0)}


def test_of_a_file_nothing_is_sent_without_a_disk() -> None:
    outbox = MemoryOutbox(10_000)
    assert not outbox.put(Message("clip", b"", "clip", file="media/01J/clip.mp4", file_bytes=5))
    assert (outbox.backlog.dropped["clip"], outbox.backlog.depth) == (1, 0)
    assert not outbox.keep(Exhibit("01J", "clip", "front", "r", "event", 0.5, 0.0, 0.0, file="media/01J/clip.mp4"))


def test_a_thousand_events_wait_in_memory_with_all_that_was_told_of_them() -> None:
    """As the daemon does where the disk failed: pictures go first, and no event does."""
    outbox = MemoryOutbox(Mqtt.model_fields["outbox"].default * 2**20)
    for n in range(1000):
        for phase in ("start", "update", "end"):
            outbox.put(event_message(Topics("ridge1"), event(phase=phase), n=n, clock_ok=True))
            outbox.put(Message("picture", bytes(100_000), "snapshot"))
    assert (outbox.depth({"alert", "event"}), outbox.backlog.dropped["alert"]) == (3000, 0)
    assert outbox.backlog.dropped["snapshot"] > 0
