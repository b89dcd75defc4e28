"""What outlives the process, on a real disk that may be full, read-only or damaged."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from smartcam.config.sources import Sources
from smartcam.data import Event, Message
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.pipeline import clerk
from smartcam.pipeline.clerk import Clerk
from smartcam.pipeline.keeping import NAME, Keeper, LastGood
from smartcam.rules import Engine, Ulids
from smartcam.rules.memory import Memory, kept
from smartcam.store import DurableOutbox, open_to_read
from smartcam.workers import Worker
from tests.rules.scenes import config, person, scene

AT, WALL = 1000.0, 1.8e9
SOURCES = Sources("smartcam.toml", {"smartcam.toml": "[camera.front]", "rules.d/10.toml": "[rule.x]"})


def until(holds: Callable[[], object]) -> bool:
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(holds())


def disarmed() -> bytes:
    memory = Memory()
    memory.alarm.armed = False
    return kept(memory, AT, WALL)


def test_what_is_taken_outlives_the_process(tmp_path: Path) -> None:
    with DurableOutbox(tmp_path, 2**20) as outbox, Worker("store", outbox.run):
        Keeper(outbox).take(disarmed(), soon=True)
        assert until(lambda: not outbox.unwritten)
    with DurableOutbox(tmp_path, 2**20) as outbox:
        assert not Keeper(outbox).restored(AT, WALL).alarm.armed


def test_what_comes_with_an_event_is_in_its_transaction(tmp_path: Path) -> None:
    """A kill in between must not leave rules that know of an event which nobody else does, nor the other way round."""
    with DurableOutbox(tmp_path, 2**20) as outbox:
        Keeper(outbox).take(disarmed(), soon=False)
        outbox.put(Message("smartcam/n/c/event", b"{}", "event"))
        with Worker("store", outbox.run):
            while not outbox.take(["event"]):
                time.sleep(0.01)
            with closing(open_to_read(tmp_path)) as db:
                assert db.execute("SELECT count(*) FROM note WHERE name = 'memory'").fetchone() == (1,)


def test_where_nothing_was_kept_the_rules_begin_anew(caplog: pytest.LogCaptureFixture) -> None:
    assert Keeper(MemoryOutbox(2**20)).restored(AT, WALL) == Memory()
    assert not caplog.records


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99}', "\x00", "[" * 100_000, disarmed()[:-20].decode()])
def test_what_is_damaged_is_set_aside_and_said(text: str, caplog: pytest.LogCaptureFixture) -> None:
    outbox = MemoryOutbox(2**20)
    outbox.note(NAME, text)
    assert Keeper(outbox).restored(AT, WALL) == Memory()
    assert outbox.noted("memory-damaged") == text
    assert len(caplog.records) == 1


def test_the_last_good_set_is_that_of_its_main_file(tmp_path: Path) -> None:
    mine, other = LastGood(tmp_path, Path("smartcam.toml")), LastGood(tmp_path, Path("other.toml"))
    mine.keep(SOURCES)
    assert LastGood(tmp_path, Path.cwd() / "smartcam.toml").load() == SOURCES
    assert other.load() is None
    assert stat.S_IMODE(mine.file.stat().st_mode) == 0o600


def test_what_is_kept_already_is_not_written_again(tmp_path: Path) -> None:
    """The disk may be a card that wears out."""
    last_good = LastGood(tmp_path, Path("smartcam.toml"))
    last_good.keep(SOURCES)
    before = last_good.file.stat().st_ino
    last_good.keep(SOURCES)
    assert last_good.file.stat().st_ino == before


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b'{"main": 1, "texts": {}, "rules": ""}'])
def test_a_damaged_last_good_set_is_none(tmp_path: Path, text: bytes) -> None:
    last_good = LastGood(tmp_path, Path("smartcam.toml"))
    last_good.file.write_bytes(text)
    with pytest.raises(ValueError, match="last-good"):
        last_good.load()


def test_a_last_good_set_that_cannot_be_kept_is_a_sentence(tmp_path: Path) -> None:
    last_good = LastGood(tmp_path / "nowhere", Path("smartcam.toml"))
    last_good.keep(SOURCES)
    assert "a start with a broken configuration would fail" in last_good.trouble
    (tmp_path / "nowhere").mkdir()
    last_good.keep(SOURCES)
    assert last_good.trouble == ""


class Noted:
    """A clerk beside an engine, and what it hands on."""

    def __init__(self) -> None:
        self.engine = Engine(config('see = "person"\nscore = 0.5', 'see = "person"\nscore = 0.9'), Ulids(Random(0)))
        self.kept: list[bytes] = []
        self.soon: list[bool] = []
        self.alarms: list[tuple[bool, str]] = []
        self.clerk = Clerk(self._keep, lambda *alarm: self.alarms.append(alarm))

    def _keep(self, memory: bytes, /, *, soon: bool) -> None:
        self.kept.append(memory)
        self.soon.append(soon)

    def note(self, *events: Event) -> int:
        """How often the memory has been handed on by then."""
        self.clerk.note(self.engine, events, AT, WALL)
        return len(self.kept)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """After its first turn, in which the memory is handed on once."""
    monkeypatch.setattr(clerk, "REST", 0)
    noted = Noted()
    assert noted.note() == 1
    assert noted.alarms == [(True, "")]
    return noted


def test_the_memory_is_handed_on_when_an_event_starts_and_not_when_it_goes_on(noted: Noted) -> None:
    [start] = noted.engine.feed(scene(AT, person))
    assert noted.note(start) == 2
    assert noted.note() == 2
    assert b'"firing":{' in noted.kept[-1]
    assert not noted.soon[-1], "it is written with the message that follows"


def test_a_change_of_the_alarm_is_told_and_kept(noted: Noted) -> None:
    noted.engine.alarm.arm(False)
    assert noted.note() == 2
    assert noted.note() == 2
    assert noted.alarms == [(True, ""), (False, "")]
    assert noted.soon[-1], "nothing else may come for hours"


def test_what_was_merely_seen_is_kept_now_and_then_if_it_changed(noted: Noted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "EVERY_S", 0)
    assert noted.note() == 2
    assert noted.note() == 2
    noted.engine.feed(scene(AT, person))
    assert noted.note() == 3


def test_near_misses_are_counted_by_rule(noted: Noted) -> None:
    for n in range(200):
        noted.engine.feed(scene(AT + n / 5, *([person] if n < 10 else [])))
        noted.note()
    assert noted.clerk.near_misses["r1"] == 1
    assert noted.clerk.near_misses["r0"] == 0
