"""A clock that is set late, leaps, or goes back; what was kept meanwhile, and what time is believed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import Event, Exhibit
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import KINDS, Firing
from smartcam.store import DurableOutbox, open_to_read
from smartcam.store.clock import STOOD_S, Belief, Clock, Known
from smartcam.store.correction import LATE_S, LEAP_S
from smartcam.workers import Worker
from tests.clocks import Clocks
from tests.mqtt.events import event
from tests.mqtt.links import until
from tests.store.outboxes import until_written

NOV_24 = 1_795_543_331.0
"""2026-11-24T18:02:11Z"""
YEAR_2099 = 4_070_908_800.0
DAY_S, HOUR_S = 86_400.0, 3600.0
JPEG = b"\xff\xd8" + bytes(5000)


def is_set(wall: float) -> bool:
    return wall > 1_764_547_200


class Board:
    """A store on a board whose clocks the test sets."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, wall: float) -> None:
        self.clocks = Clocks(wall)
        self._folder = folder
        monkeypatch.setattr(time, "time", lambda: self.clocks.wall)

    @contextmanager
    def on(self) -> Iterator[Clock]:
        """The daemon runs."""
        clock = Clock(is_set, read=self.clocks.read, boot=lambda: self.clocks.boot)
        self.outbox = DurableOutbox(self._folder, 2**26, clock_ok=lambda: is_set(self.clocks.wall), chores=[clock])
        with self.outbox, Worker("store", self.outbox.run):
            yield clock

    def tells(self, n: int, **changes: Any) -> Event:
        told = replace(event(id=f"01J{n:023d}", seq=1, phase="start"), start=self.clocks.wall, end=None, **changes)
        message = event_message(Topics("ridge1"), told, n=n, clock_ok=is_set(self.clocks.wall))
        self.outbox.put(message, Firing(told, n))
        until_written(self.outbox)
        return told

    def keeps(self, n: int) -> None:
        wall = self.clocks.wall
        self.outbox.keep(
            Exhibit(f"01J{n:023d}", "snapshot", "front", "visitor", "event", 0.9, wall, wall), JPEG + bytes(n)
        )
        until_written(self.outbox)

    def sends(self) -> None:
        """The oldest row."""
        row = self.outbox.take(KINDS)
        assert row
        self.outbox.done(row.id)
        until_written(self.outbox)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(open_to_read(self._folder)) as db:
            return db.execute(sql).fetchall()

    def starts(self) -> list[float]:
        return [start for (start,) in self.rows("SELECT start FROM event ORDER BY n")]

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for (payload,) in self.rows("SELECT payload FROM event ORDER BY n")]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """It has just been switched on, and has no battery."""
    return Board(tmp_path, monkeypatch, 10.0)


def test_what_was_kept_in_1970_is_moved_when_the_clock_is_set(board: Board) -> None:
    """What the broker has already stays as it got it; what it has not yet says the right time."""
    with board.on():
        board.tells(1)
        board.sends()
        board.clocks.run(60)
        board.tells(2)
        board.keeps(2)
        board.clocks.run(40)
        board.clocks.set(NOV_24)
        board.tells(3)
        assert until(lambda: board.starts() == [NOV_24 - 100, NOV_24 - 40, NOV_24], 5)
    first, second, third = board.payloads()
    assert (first["start"], first["clock_ok"]) == ("1970-01-01T00:00:10.000Z", False)
    assert (second["start"], second["clock_ok"]) == ("2026-11-24T18:01:31.000Z", True)
    assert (third["start"], third["clock_ok"]) == ("2026-11-24T18:02:11.000Z", True)
    assert list(second) == list(third)
    assert board.rows("SELECT start, end, kept, clock_ok FROM media") == [(NOV_24 - 40,) * 3 + (1,)]
    assert board.rows("SELECT at FROM sent") == [(NOV_24 - 100,)]
    assert board.rows("SELECT told FROM event WHERE n = 2") == [(NOV_24 - 40,)]


def test_what_is_written_late_is_moved_too(board: Board) -> None:
    """It waited in memory while the clock was set."""
    with board.on() as clock:
        board.tells(1)
        before = board.clocks.wall
        board.clocks.set(NOV_24)
        assert until(lambda: board.starts() == [NOV_24], 5)
        late = replace(event(id=f"01J{2:023d}", seq=1, phase="start"), start=before)
        message = event_message(Topics("ridge1"), late, n=2, clock_ok=False)
        wall = board.clocks.wall
        board.clocks.set(before)  # For as long as it takes to hand it over.
        clock._read = lambda: board.clocks.read()._replace(wall=wall)
        board.outbox.put(message, Firing(late, 2))
        board.clocks.set(wall)
        clock._read = board.clocks.read
        until_written(board.outbox)
        board.clocks.run(LATE_S)
        assert until(lambda: board.starts() == [NOV_24, NOV_24], 5)
    assert board.payloads()[1]["clock_ok"]


def test_a_time_of_before_can_be_asked_for_afterwards(board: Board) -> None:
    """An event that began in 1970 ends after the clock was set: it did not last for 56 years."""
    with board.on() as clock:
        board.clocks.run(5)
        board.clocks.set(NOV_24)
        assert until(lambda: clock.corrected(12.0) == NOV_24 - 3, 5)
        assert clock.corrected(NOV_24 + 1) == NOV_24 + 1


def test_an_earlier_boot_whose_clock_was_never_set_keeps_its_times(board: Board) -> None:
    """Nobody knows when that was; the same odd times of this boot are moved all the same."""
    with board.on():
        board.tells(1)
    board.clocks.is_off("two", 10.0)
    with board.on():
        board.tells(2)
        board.clocks.set(NOV_24)
        assert until(lambda: board.starts() == [10.0, NOV_24], 5)


def test_a_daemon_that_was_not_running_when_the_clock_was_set_moves_it_afterwards(board: Board) -> None:
    with board.on():
        board.tells(1)
        board.clocks.run(1)
    board.clocks.run(30)
    board.clocks.set(NOV_24)
    with board.on():
        assert until(lambda: board.starts() == [NOV_24 - 31], 5)


def test_a_clock_that_is_set_in_two_steps_moves_it_twice(board: Board) -> None:
    with board.on() as clock:
        board.tells(1)
        board.clocks.set(1_000_000_000.0)
        assert until(lambda: board.starts() == [1_000_000_000.0], 5)
        board.clocks.run(60)
        board.clocks.set(NOV_24)
        assert until(lambda: board.starts() == [NOV_24 - 60], 5)
        board.clocks.run(LATE_S)
        assert until(lambda: not board.outbox.unwritten and clock._known is not None and not clock._known.steps, 5)
    assert board.payloads()[0]["clock_ok"]


def test_many_events_are_moved_some_at_a_time(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, however many transactions it takes."""
    monkeypatch.setattr("smartcam.store.correction.AT_ONCE", 4)
    with board.on():
        for n in range(1, 11):
            board.tells(n)
            board.clocks.run(1)
        board.clocks.set(NOV_24)
        assert until(lambda: board.starts() == [NOV_24 - 10 + n for n in range(10)], 10)


def test_what_was_kept_in_2099_comes_back_with_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was kept before, when it was right, stays as it is."""
    board = Board(tmp_path, monkeypatch, NOV_24)
    with board.on() as clock:
        board.tells(1)
        board.clocks.run(100)
        assert until(lambda: clock.believed == NOV_24 + 100, 5)
        board.clocks.set(YEAR_2099)
        board.tells(2)  # Before anybody has looked at the clock.
        assert until(lambda: clock._known is not None and clock._known.unsure_since_s is not None, 5)
        board.clocks.run(60)
        board.tells(3)
        assert clock.believed == NOV_24 + 160
        board.clocks.run(60)
        board.clocks.set(NOV_24 + 220)
        assert until(lambda: board.starts() == [NOV_24, NOV_24 + 100, NOV_24 + 160], 5)


def test_an_hour_back_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who knows which was right; the order of events is that of their numbers."""
    board = Board(tmp_path, monkeypatch, NOV_24)
    with board.on() as clock:
        board.tells(1)
        board.clocks.run(10)
        board.clocks.set(NOV_24 - HOUR_S)
        assert until(lambda: clock.believed == NOV_24 - HOUR_S, 5)
        board.tells(2)
        time.sleep(0.6)
        assert board.starts() == [NOV_24, NOV_24 - HOUR_S]


def test_a_store_that_is_begun_anew_forgets_nothing_of_the_clock(board: Board, tmp_path: Path) -> None:
    with board.on() as clock:
        board.clocks.set(NOV_24)
        assert until(lambda: clock.believed == NOV_24, 5)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            for table in ("event (n)", "counted (n)", "media (x)", "sent (x)", "note (name, text)"):
                db.execute(f"CREATE TABLE {table}")
            clock.begin(db)
        assert clock.believed == NOV_24


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"boot": 1, "marks": 2}'])
def test_a_note_that_is_not_ours_is_as_good_as_none(text: str) -> None:
    assert Known.from_json(text) is None


def test_a_leap_of_more_than_a_day_is_believed_once_it_has_stood_for_one() -> None:
    belief = Belief(NOV_24).after(60, YEAR_2099)
    for _ in range(23):
        belief = belief.after(HOUR_S, YEAR_2099)
    assert belief.wall == NOV_24 + 60 + 23 * HOUR_S
    assert belief.after(HOUR_S, YEAR_2099).wall == YEAR_2099


def test_standing_counts_over_restarts_and_begins_anew_with_another_leap() -> None:
    """A board that the sun feeds for eight hours a day has time to believe a weekend, too."""
    belief, true = Belief(NOV_24), NOV_24 + 3 * DAY_S
    for _ in range(3):
        belief = belief.after(0, true)
        assert belief.wall < true
        belief, true = belief.after(8 * HOUR_S, true + 8 * HOUR_S), true + DAY_S
    assert belief.wall == true - 16 * HOUR_S
    doubted = Belief(NOV_24).after(60, YEAR_2099).after(20 * HOUR_S, YEAR_2099).after(60, YEAR_2099 + 30 * DAY_S)
    assert doubted.stood_s == 0


def test_a_clock_that_is_not_set_is_not_asked() -> None:
    assert Belief(NOV_24).after(60, None).wall == NOV_24 + 60


def test_back_is_believed_at_once() -> None:
    assert Belief(NOV_24).after(60, NOV_24 - 30 * DAY_S).wall == NOV_24 - 30 * DAY_S


@given(st.lists(st.tuples(st.floats(0, 4 * HOUR_S), st.floats(0, 200 * DAY_S)), max_size=20))
def test_what_is_believed_while_the_clock_is_wrong_is_never_a_day_ahead(leaps: list[tuple[float, float]]) -> None:
    """Each time the clock leaps from the truth and comes back to it before it has stood for a day."""
    belief, true = Belief(NOV_24), NOV_24
    for ran_s, ahead_s in leaps:
        true += ran_s
        belief = belief.after(ran_s, true + ahead_s)
        assert belief.wall <= true + LEAP_S + 1
        belief = belief.after(0, true)
        assert abs(belief.wall - true) < 1
    assert STOOD_S >= 24 * HOUR_S
