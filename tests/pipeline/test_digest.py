"""What the node tells of what waits on it, and when."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from smartcam.config.delivery import Uplink
from smartcam.data import Message
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.budget import DAY_S, HOUR_S
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.pipeline.digest import EVERY_S, Digest
from tests.mqtt.machine import Machine


class Desk:
    """A digest, with what it looks at and what it has told."""

    def __init__(self, *, clock_ok: bool = True, **keys: Any) -> None:
        self.machine = Machine()
        self.outbox = MemoryOutbox(2**20)
        self.allowance = Allowance(self.outbox, read_clocks=self.machine.read)
        self.allowance.renew(Uplink.model_validate(keys), 60.0)
        self.to_fetch = 0, 0
        self.told: list[dict[str, Any]] = []
        self.digest = Digest(
            self.allowance,
            lambda: self.outbox.backlog.waiting,
            lambda payload: self.told.append(json.loads(payload)),
            to_fetch=lambda: self.to_fetch,
            clock_ok=lambda: clock_ok,
        )
        self._at = 1000.0

    def look(self, after_s: float = 1.0) -> list[dict[str, Any]]:
        """What is told now."""
        self._at += after_s
        self.told.clear()
        self.digest.look(self._at)
        return self.told

    def owe_clip(self) -> None:
        self.outbox.put(Message("t", b"x" * 1000, "clip"))


def test_a_node_whose_way_costs_nothing_tells_nothing() -> None:
    desk = Desk(rate="2KB/s")
    desk.owe_clip()
    assert desk.look() == []


def test_what_begins_to_wait_for_the_budget_is_told_at_once_with_when_it_goes() -> None:
    desk = Desk(daily="100KB")
    [begin] = desk.look()
    assert (begin["daily"], begin["left"], begin["waiting"], "waits_for" in begin) == (100_000, 100_000, {}, False)
    desk.allowance.count("state", 99_000)
    desk.owe_clip()
    [told] = desk.look()
    assert told["waits_for"] == "budget"
    assert told["spent_24h"]["state"] == 99_000
    assert told["waiting"] == {"clip": [1, 1001]}
    assert told["left"] == 1_000
    assert told["until"] > "20"


def test_what_changes_later_is_told_every_quarter_of_an_hour_and_what_does_not_is_not() -> None:
    desk = Desk(daily="100KB")
    desk.allowance.count("state", 99_000)
    desk.owe_clip()
    desk.look()
    desk.owe_clip()
    assert desk.look() == []
    assert [told["waiting"]["clip"][0] for told in desk.look(EVERY_S)] == [2]
    desk.allowance.count("state", 1)
    assert desk.look(EVERY_S) == []


def test_each_kind_that_begins_to_wait_is_told_at_once() -> None:
    """Events wait later than clips, and matter more. That one more of a kind waits is not told."""
    desk = Desk(daily="100KB")
    desk.allowance.count("state", 91_000)
    desk.owe_clip()
    assert [told["waiting"] for told in desk.look()] == [{"clip": [1, 1001]}]
    desk.outbox.put(Message("t", b"x", "event"))
    assert desk.look() == []
    desk.allowance.count("state", 5_000)
    [told] = desk.look()
    assert (told["waits_for"], told["waiting"]["event"]) == ("budget", [1, 2])
    desk.outbox.put(Message("t", b"x", "event"))
    assert desk.look() == []


def test_what_waits_is_told_in_a_sentence_with_when_the_oldest_bytes_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: time.mktime((2026, 11, 24, 12, 18, 0, 0, 0, -1)))
    desk = Desk(daily="500KB")
    assert desk.digest.trouble == ""
    for _ in range(16):
        desk.allowance.count("state", 25_000)
        desk.machine.wait(HOUR_S)
    desk.owe_clip()
    assert desk.digest.trouble == ""
    desk.allowance.count("state", 75_000)
    desk.machine.wait(2 * HOUR_S)
    assert desk.digest.trouble == "1 message waits, daily = 500 kB is spent; more goes at 19:18"
    for _ in range(302):
        desk.outbox.put(Message("t", b"x", "event"))
    assert desk.digest.trouble == "303 messages wait, daily = 500 kB is spent; more goes at 18:18"
    desk.machine.wait(8 * HOUR_S)
    assert desk.digest.trouble == ""


def test_where_the_clock_is_not_set_it_says_how_long_instead() -> None:
    desk = Desk(clock_ok=False, daily="100KB")
    desk.allowance.count("state", 99_000)
    desk.machine.wait(HOUR_S)
    desk.owe_clip()
    assert desk.digest.trouble.endswith("more goes in 23.0 h")
    assert "until" not in desk.look()[0]


def test_that_nothing_waits_any_more_is_told_too() -> None:
    desk = Desk(daily="100KB")
    desk.allowance.count("state", 99_000)
    desk.owe_clip()
    desk.look()
    desk.machine.wait(DAY_S + 1)
    [told] = desk.look(EVERY_S)
    assert "waits_for" not in told
    assert told["left"] == 100_000


def test_clips_that_wait_to_be_fetched_are_counted_among_what_waits() -> None:
    desk = Desk(metered=True)
    desk.look()
    desk.to_fetch = 3, 5_000_000
    [told] = desk.look()
    assert (told["waits_for"], told["waiting"]) == ("fetch", {"clip": [3, 5_000_000]})


@pytest.mark.parametrize("told_before", [False, True])
def test_a_new_connection_is_told_what_was_told_last(told_before: bool) -> None:
    desk = Desk(metered=True)
    if told_before:
        desk.look()
    desk.told.clear()
    desk.digest.tell_again()
    assert len(desk.told) == told_before
