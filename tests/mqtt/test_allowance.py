"""What the links share: what may go, in which order, and what is kept of it on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcam.config.delivery import Uplink
from smartcam.data import Message
from smartcam.mqtt.allowance import MOST_AHEAD_BYTES, NOTE, QUIET_S, Allowance
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.portions import LEAST_PICTURE_BYTES, PICTURE_BYTES
from smartcam.owed import KINDS, Outbox
from smartcam.store import DurableOutbox
from smartcam.workers import Worker
from tests.mqtt.links import owe
from tests.mqtt.machine import Machine


@pytest.fixture
def machine() -> Machine:
    return Machine()


def allowance_for(outbox: Outbox, machine: Machine, **keys: str) -> Allowance:
    allowance = Allowance(outbox, read_clocks=machine.read)
    allowance.renew(Uplink.model_validate(keys), 60.0)
    return allowance


def test_nothing_small_overtakes_what_has_no_room_yet(outbox: MemoryOutbox, machine: Machine) -> None:
    """Else a picture would wait for ever behind the clips that come after it. It holds up nothing when it is gone."""
    allowance = allowance_for(outbox, machine, daily="100KB")
    allowance.count("state", 80_000)
    owe(outbox, "t", b"x" * 20_000, "snapshot")
    assert not allowance.pay("snapshot", 20_000)
    assert allowance.open(KINDS) == ["alert", "event"]
    row = outbox.take(KINDS)
    assert row
    outbox.done(row.id)
    assert allowance.open(KINDS) == list(KINDS)


def test_a_process_that_is_killed_has_never_sent_more_than_it_noted(outbox: MemoryOutbox, machine: Machine) -> None:
    allowance = allowance_for(outbox, machine, daily="20MB")
    for size in (100, 10_000, 300_000, 5, 7_000):
        assert allowance.pay("clip", size)
        noted = sum(allowance_for(_copy(outbox), machine, daily="20MB").spent.values())
        assert sum(allowance.spent.values()) <= noted <= sum(allowance.spent.values()) + MOST_AHEAD_BYTES


def test_an_end_in_good_order_notes_what_was_really_sent(outbox: MemoryOutbox, machine: Machine) -> None:
    allowance = allowance_for(outbox, machine, daily="20MB")
    allowance.pay("event", 500)
    allowance.close()
    again = allowance_for(outbox, machine, daily="20MB")
    assert sum(again.spent.values()) == 500


def test_notes_are_few(outbox: MemoryOutbox, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards wear out."""
    allowance = allowance_for(outbox, machine, daily="20MB")
    notes: list[str] = []
    monkeypatch.setattr(outbox, "note", lambda _, text, **_soon: notes.append(text))
    for _ in range(100):
        allowance.pay("event", 500)
    assert len(notes) <= 4
    machine.wait(QUIET_S + 1)
    allowance.count("state", 4)
    allowance.count("state", 4)
    assert len(notes) <= 5


def test_the_count_outlives_the_process_on_a_real_disk(tmp_path: Path, machine: Machine) -> None:
    with DurableOutbox(tmp_path, 2**20) as outbox, Worker("store", outbox.run):
        allowance = allowance_for(outbox, machine, daily="20MB")
        allowance.pay("clip", 123_456)
        allowance.close()
    with DurableOutbox(tmp_path, 2**20) as outbox, Worker("store", outbox.run):
        assert allowance_for(outbox, machine, daily="20MB").spent["clip"] == 123_456


def test_what_may_be_left_out_holds_up_nothing(outbox: MemoryOutbox, machine: Machine) -> None:
    allowance = allowance_for(outbox, machine, daily="100KB")
    owe(outbox, "t", "an event")
    allowance.count("state", 90_000)
    assert not allowance.pay("event", 6_000, waits=False)
    assert (allowance.open(KINDS), allowance.held()) == (["alert", "event"], {})
    assert allowance.pay("event", 500)


def test_what_waits_behind_something_that_matters_more_waits_for_the_budget_too(
    outbox: MemoryOutbox, machine: Machine
) -> None:
    allowance = allowance_for(outbox, machine, daily="100KB")
    owe(outbox, "t", b"x" * 50_000, "snapshot")
    owe(outbox, "t", b"x", "clip")
    allowance.count("state", 50_000)
    assert not allowance.pay("snapshot", 50_000)
    assert list(allowance.held()) == ["snapshot", "clip"]


@pytest.mark.parametrize(("spent", "is_spent"), [(89_999, False), (90_000, True)])
def test_a_day_is_spent_when_clips_have_no_room(
    outbox: MemoryOutbox, machine: Machine, spent: int, is_spent: bool
) -> None:
    allowance = allowance_for(outbox, machine, daily="100KB")
    allowance.count("state", spent)
    assert allowance.is_spent == is_spent


def test_what_is_counted_is_written_down_with_what_was_sent_and_not_for_itself(
    outbox: MemoryOutbox, machine: Machine
) -> None:
    """Where nothing is limited: else it is written down before."""
    allowance = allowance_for(outbox, machine)
    allowance.count("state", 300)
    assert allowance_for(_copy(outbox), machine).spent["state"] == 0
    allowance.settled()
    assert allowance_for(_copy(outbox), machine).spent["state"] == 300


def test_a_reload_keeps_what_was_spent(outbox: MemoryOutbox, machine: Machine) -> None:
    allowance = allowance_for(outbox, machine, daily="20MB")
    allowance.pay("clip", 100_000)
    allowance.renew(Uplink.model_validate({"daily": "100KB"}), 60.0)
    assert allowance.left == 0
    assert allowance.open(KINDS) == ["alert"]
    allowance.renew(Uplink(), 60.0)
    assert allowance.left is None
    assert allowance.open(KINDS) == list(KINDS)


def test_pictures_and_clips_shrink_while_others_wait(outbox: MemoryOutbox, machine: Machine) -> None:
    allowance = allowance_for(outbox, machine, rate="2KB/s")
    assert (allowance.picture_bytes(), allowance.clip_size()) == (60_000, None)
    for n in range(15):
        outbox.put(Message(f"t/{n}", b"x" * 100_000, "clip"))
    assert (allowance.picture_bytes(), allowance.clip_size()) == (LEAST_PICTURE_BYTES, 640)


def test_where_nothing_is_asked_for_nothing_is_held_up(outbox: MemoryOutbox) -> None:
    allowance = Allowance(outbox)
    assert allowance.pay("clip", 10**9)
    assert (allowance.open(KINDS), allowance.held(), allowance.left, allowance.spent) == (list(KINDS), {}, None, {})
    assert (allowance.picture_bytes(), allowance.clip_size()) == (PICTURE_BYTES, None)


def _copy(outbox: MemoryOutbox) -> MemoryOutbox:
    copy = MemoryOutbox(2**20)
    copy.note(NOTE, outbox.noted(NOTE))
    return copy
