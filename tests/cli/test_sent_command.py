"""`smartcam sent` beside a store that is being written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smartcam.clocks import reader
from smartcam.data import Message
from smartcam.mqtt.budget import Budget
from smartcam.owed import KINDS
from tests.cli import answers
from tests.commands import smartcam
from tests.store.outboxes import kept, told, until_written

TODAY = date.today()
NOON = datetime(TODAY.year, TODAY.month, TODAY.day).astimezone().timestamp() + 12 * 3600
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store at work: an event was sent yesterday, a picture and its word today, and another event waits."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "smartcam.toml").write_text(f'[node]\ndata = "{folder}"\n')
    with kept(folder) as outbox, pytest.MonkeyPatch.context() as monkeypatch:
        outbox.put(*told(1))
        word = Message("w", b"word", "snapshot", event="E", rule="gate")
        outbox.put(Message("m", b"\xff\xd8" + bytes(9_998), "snapshot", event="E", rule="gate", then=word))
        until_written(outbox)
        for wall in (NOON - DAY_S, NOON, NOON):
            monkeypatch.setattr(time, "time", lambda wall=wall: wall)
            row = outbox.take(KINDS)
            assert row
            outbox.done(row.id)
        monkeypatch.undo()
        budget = Budget(reader()())
        budget.spend("state", 700)
        outbox.note("budget", budget.saved())
        outbox.put(*told(2))
        until_written(outbox)
        yield folder


def sent(at: Path, *options: str) -> Any:
    return smartcam("sent", *options, "-c", "smartcam.toml", at=at)


def printed(at: Path, *options: str) -> list[str]:
    """The same, in this process."""
    return answers.told("sent", *options, "-c", at / "smartcam.toml").splitlines()


def test_what_left_is_listed_with_its_rule_and_what_each_day_came_to(state: Path) -> None:
    done = sent(state)
    assert (done.code, done.err) == (0, "")
    first, second, third, yesterday, today, wire = done.out.splitlines()
    size = len(told(1)[0].payload)
    assert first == f"{TODAY - timedelta(1)} 12:00 event      {size} B by yard-intruder: {told(1)[0].topic}"
    assert second == f"{TODAY} 12:00 snapshot   10 kB by gate: m"
    assert third == f"{TODAY} 12:00 snapshot     4 B by gate: w"
    assert yesterday == f"{TODAY - timedelta(1)}: {size} B: 1 event ({size} B)"
    assert today == f"{TODAY}: 10 kB: 2 snapshot (10 kB)"
    assert wire == "on the wire in the last 24 hours: 700 B: state 700 B"


def test_and_for_programs(state: Path) -> None:
    *rows, yesterday, today, last = map(json.loads, printed(state, "--json"))
    assert [(row["kind"], row["rule"], row["topic"]) for row in rows][1:] == [
        ("snapshot", "gate", "m"),
        ("snapshot", "gate", "w"),
    ]
    assert today == {"day": f"{TODAY}", "total": 10_004, "snapshot": {"messages": 2, "bytes": 10_004}}
    assert yesterday["event"]["messages"] == 1
    assert last == {"last_24_hours": {"alert": 0, "event": 0, "snapshot": 0, "clip": 0, "state": 700}}


@pytest.mark.parametrize(
    ("options", "topics"),
    [
        (["--rule", "gate"], ["m", "w"]),
        (["--count", "1"], ["w"]),
        (["--day", "today"], ["m", "w"]),
        (["--day", "yesterday"], [told(1)[0].topic]),
        (["--day", f"{TODAY}", "--rule", "yard-intruder"], []),
        (["--since", f"{TODAY}"], ["m", "w"]),
        (["--since", "90d", "-n", "2"], ["m", "w"]),
        (["--totals"], []),
    ],
    ids=str,
)
def test_one_may_ask_for_less(state: Path, options: list[str], topics: list[str]) -> None:
    found = map(json.loads, printed(state, "--json", *options))
    assert [row["topic"] for row in found if "topic" in row] == topics


def test_a_day_that_is_none_is_a_sentence(state: Path) -> None:
    done = sent(state, "--day", "tomorow")
    assert (done.code, done.sentences) == (
        1,
        ['tomorow: no day, and no time like "2h": write today, yesterday or 2026-11-24'],
    )


def test_nothing_is_a_sentence_too(state: Path) -> None:
    assert printed(state, "--rule", "no-such")[-1] == "nothing was sent that is like that"


def test_without_a_store_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    done = sent(tmp_path)
    assert done.code == 69
    assert "smartcam has not run with this configuration yet" in done.err
