"""What goes, in which order, and what never does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.config.delivery import Keep, Quota
from smartcam.data import Exhibit, Message
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import KINDS, Firing
from smartcam.store import NAME, DurableOutbox, MediaFiles, open_to_change, open_to_read
from smartcam.store.choosing import Choice, Exhibited, choose, least_valuable, worth
from smartcam.store.exhibits import is_named
from smartcam.store.retention import Retention, forget
from smartcam.workers import Worker
from tests.mqtt.events import event
from tests.mqtt.links import until
from tests.store.outboxes import until_written

NOW = 1_795_543_331.0
DAY_S = 86_400.0
BIG = Quota(size=10**9, days=3650)
KB = 1000


def quotas(**others: Any) -> Keep:
    """None that is ever reached, but for these."""
    return Keep(clips=BIG, snapshots=BIG, samples=BIG, events=BIG, free=0).model_copy(update=others)


class Store:
    """One with pictures of 10 kB, each of an event of its own."""

    def __init__(self, folder: Path, *chores: Retention) -> None:
        self.folder = folder
        self.clock_ok = True
        self.outbox = DurableOutbox(folder, 2**26, clock_ok=lambda: self.clock_ok, chores=chores)

    def keeps(self, n: int, *, owed: bool = False, **changes: Any) -> None:
        jpeg = b"\xff\xd8" + n.to_bytes(2, "big") + bytes(10 * KB - 4)
        exhibit = replace(Exhibit(f"E{n}", "snapshot", "front", "visitor", "event", 0.5, NOW, NOW), **changes)
        if owed:
            self.outbox.put(Message("m", jpeg, "snapshot", event=exhibit.event), None, exhibit)
        else:
            self.outbox.keep(exhibit, jpeg)
        until_written(self.outbox)

    def tells(
        self, n: int, level: str = "event", *, event_id: str = "", clock_ok: bool = True, sends: bool = True
    ) -> None:
        told = event(id=event_id or f"E{n}", phase="start", level=level)
        self.outbox.put(event_message(Topics("r"), told, n=n, clock_ok=clock_ok), Firing(told, n))
        until_written(self.outbox)
        if sends:
            row = self.outbox.take(KINDS)
            assert row
            self.outbox.done(row.id)
            until_written(self.outbox)

    def goes(self, keep: Keep, *, believed: float | None = None, free: int = 10**12) -> list[str]:
        """The events whose pictures, or themselves, would go next."""
        with closing(open_to_read(self.folder)) as db:
            choice = choose(db, keep, believed, free)
        return [Path(file).parent.name for file in choice.files] + list(choice.events)

    def has(self) -> list[str]:
        """The events whose pictures are there, with their rows."""
        with closing(open_to_read(self.folder)) as db:
            files = [file for (file,) in db.execute("SELECT file FROM media ORDER BY rowid")]
        there = [file for file in files if (self.folder / file).exists()]
        assert len(there) == len(files)
        assert len(list((self.folder / "media").rglob("*.*"))) == len(there)
        return [Path(file).parent.name for file in there]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(time, "time", lambda: NOW)
    made = Store(tmp_path)
    with made.outbox, Worker("store", made.outbox.run):
        yield made


def test_within_the_quotas_everything_stays(store: Store) -> None:
    store.keeps(1)
    store.tells(1)
    assert store.goes(quotas(), believed=NOW) == []


def test_over_its_quota_a_kind_loses_the_oldest_of_what_is_worth_the_same(store: Store) -> None:
    for n in (1, 2, 3, 4):
        store.keeps(n)
    store.keeps(5, kind="sample")
    assert store.goes(quotas(snapshots=Quota(size=25 * KB, days=90))) == ["E1", "E2"]


def test_an_alert_outlives_an_event_and_that_an_info(store: Store) -> None:
    for n, level in enumerate(["alert", "event", "info", "event", "event"], start=1):
        store.keeps(n, level=level)
    assert store.goes(quotas(snapshots=Quota(size=20 * KB, days=90))) == ["E3", "E2", "E4"]


def test_what_is_sure_outlives_what_is_doubtful_and_what_only_we_have_what_was_delivered(store: Store) -> None:
    store.keeps(1, score=0.9)
    store.keeps(2, score=0.1)
    store.keeps(3, owed=True)
    row = store.outbox.take(KINDS)
    assert row
    store.outbox.done(row.id)
    until_written(store.outbox)
    store.keeps(4, score=0.5)
    assert store.goes(quotas(snapshots=Quota(size=10 * KB, days=90))) == ["E2", "E3", "E1"]


def test_what_is_owed_stays_however_little_room_there_is(store: Store) -> None:
    store.keeps(1, owed=True)
    store.keeps(2)
    store.tells(3, sends=False)
    assert store.goes(quotas(snapshots=Quota(size=0, days=90), events=Quota(size=0, days=1), free=10**12), free=0) == [
        "E2"
    ]


def test_what_is_too_old_goes_by_the_time_that_is_believed(store: Store) -> None:
    store.keeps(1)
    keep = quotas(snapshots=Quota(size=10**9, days=30))
    assert store.goes(keep, believed=NOW + 29 * DAY_S) == []
    assert store.goes(keep, believed=NOW + 31 * DAY_S) == ["E1"]


def test_nothing_goes_by_age_while_no_time_is_believed_or_the_clock_was_not_set_then(store: Store) -> None:
    store.keeps(1)
    store.clock_ok = False
    store.keeps(2)
    store.tells(3, clock_ok=False)
    keep = quotas(snapshots=Quota(size=10**9, days=30), events=Quota(size=10**9, days=30))
    assert store.goes(keep, believed=None) == []
    assert store.goes(keep, believed=NOW + 1000 * DAY_S) == ["E1"]


def test_a_wrong_clock_changes_nothing_of_the_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept in 1970 is not the oldest by that, and what was kept in 2099 not the newest."""
    for n, wall in enumerate([4_070_908_800.0, NOW, 10.0], start=1):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        store.keeps(n)
    assert store.goes(quotas(snapshots=Quota(size=15 * KB, days=90))) == ["E1", "E2"]


def test_where_the_disk_is_short_of_room_clips_go_before_pictures(store: Store) -> None:
    store.keeps(1)
    store.keeps(2, kind="sample")
    store.keeps(3, kind="clip")
    assert store.goes(quotas(free=100 * KB), free=90 * KB) == ["E2"]
    assert store.goes(quotas(free=100 * KB), free=75 * KB) == ["E2", "E3", "E1"]


def test_events_go_by_level_among_the_oldest_and_whole(store: Store) -> None:
    """All messages of an event, or none."""
    for n, level in enumerate(["alert", "info", "event"], start=1):
        store.tells(n, level)
    store.tells(4, event_id="E1")
    assert store.goes(quotas(events=Quota(size=0, days=365))) == ["E2", "E3", "E1"]


def test_an_event_that_goes_on_beyond_the_oldest_messages_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.store.choosing.AMONG_OLDEST", 2)
    store.tells(1)
    store.tells(2)
    store.tells(3, event_id="E1")
    assert store.goes(quotas(events=Quota(size=0, days=365))) == ["E2"]


def test_old_events_go_and_one_that_went_on_lately_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.tells(1)
    store.tells(2)
    monkeypatch.setattr(time, "time", lambda: NOW + 20 * DAY_S)
    store.tells(3, event_id="E1")
    assert store.goes(quotas(events=Quota(size=10**9, days=30)), believed=NOW + 31 * DAY_S) == ["E2"]


def test_only_some_go_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.store.choosing.FILES_AT_ONCE", 2)
    for n in (1, 2, 3):
        store.keeps(n)
    assert store.goes(quotas(snapshots=Quota(size=0, days=90))) == ["E1", "E2"]


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["info", "event", "alert"]), st.booleans()), max_size=30))
def test_of_what_is_worth_the_same_the_older_always_goes_first(kept: list[tuple[float, Any, bool]]) -> None:
    found = [
        Exhibited(str(n), "clip", 1, worth(level, score, delivered), 0.0, True)
        for n, (score, level, delivered) in enumerate(kept)
    ]
    order = least_valuable(found)
    assert sorted(order) == sorted(found)
    for earlier, later in pairwise(order):
        assert earlier.worth != later.worth or int(earlier.file) < int(later.file)


def test_the_writer_forgets_what_was_chosen_rows_first_and_then_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside everything else that it writes; the quotas may change meanwhile. Events stay with what is kept of them."""
    retention = Retention(tmp_path, quotas(), lambda: NOW, look_s=0.1)
    store = Store(tmp_path, retention)
    removed: list[str] = []
    early: list[str] = []
    remove = MediaFiles.remove

    def watched(media: MediaFiles, names: Collection[str]) -> None:
        with closing(open_to_read(tmp_path)) as db:  # As far as it is committed.
            early.extend(name for name in names if is_named(db, name))
        removed.extend(names)
        remove(media, names)

    monkeypatch.setattr(MediaFiles, "remove", watched)
    with store.outbox, Worker("store", store.outbox.run), Worker("retention", retention.run):
        for n in range(1, 6):
            store.keeps(n)
            store.tells(n)
        retention.renew(quotas(snapshots=Quota(size=25 * KB, days=90), events=Quota(size=0, days=90)))
        assert until(lambda: told(tmp_path) == ["E4", "E5"], 20)
        assert until(lambda: len(removed) == 3, 20)
        until_written(store.outbox)
        assert store.has() == ["E4", "E5"]
        assert early == []
        retention.renew(quotas(snapshots=Quota(size=0, days=90), events=Quota(size=0, days=90)))
        assert until(lambda: not told(tmp_path), 20)
    with DurableOutbox(tmp_path, 2**26) as outbox:
        assert outbox.last_n == 5
    assert (store.has(), early) == ([], [])


def test_a_disk_that_runs_short_and_what_is_kept_are_answered_within_seconds(tmp_path: Path) -> None:
    """Ages are looked at only now and then, and what does not change is not read again."""
    free = [10**9]
    keep = quotas(free=10**6, snapshots=Quota(size=25 * KB, days=90))
    retention = Retention(tmp_path, keep, lambda: NOW, free_bytes=lambda _: free[0], look_s=0.5)
    store = Store(tmp_path, retention)
    with store.outbox, Worker("store", store.outbox.run):
        store.keeps(1)
        store.keeps(2)
        with Worker("retention", retention.run):
            assert until(lambda: retention._chosen_at > 0)
            chosen_at = retention._chosen_at
            time.sleep(1.5)
            assert retention._chosen_at == chosen_at
            store.keeps(3)
            assert until(lambda: len(store.has()) == 2, 5)
            retention._look_s = 3600.0
            free[0] = 10**6 - 1
            assert until(lambda: len(store.has()) < 2, 5)


def test_damage_that_only_retention_sees_is_mended_by_the_store(tmp_path: Path) -> None:
    retention = Retention(tmp_path, quotas(), lambda: NOW, look_s=0.1)
    store = Store(tmp_path, retention)
    with store.outbox, Worker("store", store.outbox.run):
        for n in range(1, 40):
            store.keeps(n)
        with closing(sqlite3.connect(tmp_path / NAME)) as db:
            [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'media'").fetchone()
            [size] = db.execute("PRAGMA page_size").fetchone()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (tmp_path / NAME).open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(bytes(size))
        with Worker("retention", retention.run):
            assert until(lambda: list(tmp_path.glob(f"{NAME}.damaged-*")) != [], 10)
            store.tells(1)
        assert told(tmp_path) == ["E1"]


def test_what_began_to_be_owed_meanwhile_stays(tmp_path: Path) -> None:
    """Somebody asks for a clip again between the choice and the deletion."""
    store = Store(tmp_path)
    with store.outbox, Worker("store", store.outbox.run):
        store.keeps(1)
        store.tells(2, sends=False)
        [exhibit] = store.outbox.exhibits("E1")
        store.outbox.put(Message("m", b"", "snapshot", event="E1", file=exhibit.file, file_bytes=exhibit.bytes))
        until_written(store.outbox)
    with closing(open_to_change(tmp_path)) as db:
        assert forget(db, Choice((exhibit.file,), ("E2",))) == []
    assert store.has() == ["E1"]
    assert told(tmp_path) == ["E2"]


def told(folder: Path) -> list[str]:
    with closing(open_to_read(folder)) as db:
        return [event_id for (event_id,) in db.execute("SELECT id FROM event ORDER BY n")]
