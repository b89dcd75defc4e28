"""`smartcam events` beside a store that is being written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcam.owed import KINDS
from smartcam.store import DurableOutbox
from tests.commands import smartcam
from tests.store.outboxes import kept, told, until_written


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[DurableOutbox]:
    """Open, with three events: one has been sent, one was refused, one waits."""
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        for n in (1, 2, 3):
            outbox.put(*told(n))
        until_written(outbox)
        rows = [outbox.take(KINDS) for _ in range(2)]
        outbox.done(rows[0].id if rows[0] else 0)
        outbox.failed(rows[1].id if rows[1] else 0, "not authorized")
        until_written(outbox)
        yield outbox


def test_the_last_events_are_listed_for_people(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "list", "-c", "smartcam.toml", at=tmp_path)
    assert (done.code, done.err) == (0, "")
    first, second, third = done.out.splitlines()
    assert first.startswith(f"01J{1:023d} 2026-11-24T18:02:11Z front yard-intruder start: 1 person 0.87 in yard")
    assert not first.endswith("not sent yet")
    assert second.endswith("; refused: not authorized")
    assert third.endswith("; not sent yet")


def test_and_for_programs(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "list", "-n", "2", "--json", "-c", "smartcam.toml", at=tmp_path)
    assert [(event["n"], event["owed"], event["refused"]) for event in done.objects] == [
        (2, True, "not authorized"),
        (3, True, None),
    ]
    assert smartcam("events", "list", "--rule", "other", "-c", "smartcam.toml", at=tmp_path).out == ""


def test_one_event_is_shown_by_the_beginning_of_its_id(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "show", f"01j{1:023d}"[:26], "-c", "smartcam.toml", at=tmp_path)
    assert json.loads(done.out)["n"] == 1
    done = smartcam("events", "show", "01J", "-c", "smartcam.toml", at=tmp_path)
    assert (done.code, done.err) == (1, "smartcam: 01J: 3 events begin so: say more of it\n")
    assert "no such event" in smartcam("events", "show", "02", "-c", "smartcam.toml", at=tmp_path).err


def test_an_export_is_what_was_sent(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "export", "-c", "smartcam.toml", at=tmp_path)
    assert done.out.encode().splitlines() == [told(n)[0].payload for n in (1, 2, 3)]


def test_what_is_still_owed_is_not_removed(outbox: DurableOutbox, tmp_path: Path) -> None:
    first, third = f"01J{1:023d}", f"01J{3:023d}"
    done = smartcam("events", "rm", first, third, "-c", "smartcam.toml", at=tmp_path)
    assert done.out.splitlines() == [f"{first}: 1 messages removed", f"{third}: stays, it is still to be sent"]
    left = smartcam("events", "list", "--json", "-c", "smartcam.toml", at=tmp_path).objects
    assert [event["n"] for event in left] == [2, 3]
    outbox.put(*told(4))
    until_written(outbox)


def test_the_count_goes_on_after_the_last_event_is_removed(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        outbox.put(*told(9))
        until_written(outbox)
        row = outbox.take(KINDS)
        assert row
        outbox.done(row.id)
    assert "1 messages removed" in smartcam("events", "rm", f"01J{9:023d}", "-c", "smartcam.toml", at=tmp_path).out
    with kept(tmp_path) as outbox:
        assert outbox.last_n == 9


def test_without_a_store_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    done = smartcam("events", "list", "-c", "smartcam.toml", at=tmp_path)
    assert done.code == 69
    assert "smartcam has not run with this configuration yet" in done.err
