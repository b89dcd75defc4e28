"""`smartcam disk` beside a store that is being written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from smartcam.data import Exhibit, Message
from smartcam.owed import KINDS
from smartcam.pipeline.keeping import NAME
from smartcam.rules import Engine, Ulids
from smartcam.rules.memory import kept as memory_kept
from smartcam.store import DurableOutbox
from tests.cli import answers
from tests.commands import smartcam
from tests.rules.scenes import config, every, fed, person, walk
from tests.store.outboxes import kept, told, until_written

CONFIG = """
[node]
data = "{folder}"
[keep]
snapshots = {{ size = "1MB", days = 90 }}
[camera.front]
broken = "elsewhere"
"""
DAY_S = 86_400.0
NOW = time.time()


def keep(outbox: DurableOutbox, n: int, **changes: Any) -> None:
    exhibit = replace(Exhibit(f"E{n}", "snapshot", "front", "visitor", "event", 0.9, NOW, NOW), **changes)
    outbox.keep(exhibit, b"\xff\xd8" + bytes(99_998) + bytes([n]))
    until_written(outbox)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store at work: three pictures in two days, the last of which waits to be sent; a sample; an event."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "smartcam.toml").write_text(CONFIG.format(folder=folder))
    with kept(folder) as outbox, pytest.MonkeyPatch.context() as monkeypatch:
        for n in (1, 2):
            monkeypatch.setattr(time, "time", lambda n=n: NOW - (3 - n) * DAY_S)
            keep(outbox, n)
        monkeypatch.undo()
        picture = Exhibit("E3", "snapshot", "front", "visitor", "event", 0.9, NOW, NOW)
        outbox.put(Message("m", b"\xff\xd8" + bytes(99_999), "snapshot", event="E3"), None, picture)
        keep(outbox, 4, kind="sample", reasons=("2 s of 5 s", "drawn from 7 near misses"))
        outbox.note(NAME, memory().decode())
        outbox.put(*told(1))
        until_written(outbox)
        yield folder


def memory() -> bytes:
    """Of a rule that missed somebody."""
    engine = Engine(config('see = "person"\nfor = "5s"'), Ulids(Random(0)))
    fed(engine, [*walk(person, at=every(0.5, 1, 4)), *walk(at=every(0.5, 4.5, 12))])
    return memory_kept(engine.memory, 12.0, 12.0)


def disk(at: Path, *options: str) -> Any:
    return smartcam("disk", *options, "-c", "smartcam.toml", at=at)


def printed(at: Path, *options: str) -> list[str]:
    """The same, in this process."""
    return answers.told("disk", *options, "-c", at / "smartcam.toml").splitlines()


def test_each_kind_is_told_with_its_quota_and_how_long_it_stays(state: Path) -> None:
    """300 kB in two days, and 1 MB of them: they stay for less than the 90 days that they may."""
    done = disk(state)
    assert (done.code, done.err) == (0, "")
    clips, snapshots, going, samples, _, events, room = done.out.splitlines()
    assert clips == "clips      0, 0 B of 4 GB; what comes now stays 30 days"
    assert snapshots.startswith("snapshots  3, 300 kB of 1 MB, since ")
    assert snapshots.endswith("; what comes now stays about 7 days, at the rate of late; 1 is not sent yet")
    assert "next to go: media/E1/" in going
    assert samples.startswith("samples    1, 100 kB of 50 MB, since ")
    assert events.startswith("events     1, ")
    assert events.endswith("; 1 is not sent yet")
    assert "200 MB are left to others; 4.19 MB are held back, so that deleting works on a full disk" in room


def test_and_for_programs(state: Path) -> None:
    _, snapshots, samples, events, room = map(json.loads, printed(state, "--json"))
    assert {key: snapshots[key] for key in ("kind", "count", "bytes", "quota", "days", "owed")} == {
        "kind": "snapshots",
        "count": 3,
        "bytes": 300_003,
        "quota": 1_000_000,
        "days": 90,
        "owed": 1,
    }
    assert snapshots["stays_days"] == pytest.approx(6.67, abs=0.1)
    assert snapshots["oldest"] == pytest.approx(NOW - 2 * DAY_S, abs=1)
    assert snapshots["next"]["file"].startswith("media/E1/")
    assert (samples["count"], events["count"], events["next"]) == (1, 1, None)
    assert room["free"] > 0


def test_samples_are_listed_with_their_reasons_and_what_they_stand_for(state: Path) -> None:
    first, *rest = printed(state, "--samples")
    assert " front visitor: 2 s of 5 s; drawn from 7 near misses: media/E4/" in first
    assert rest == ["r0: 1 near miss so far, 0 samples kept", "visitor: 0 near misses so far, 1 sample kept"]
    sample, counts = map(json.loads, printed(state, "--samples", "--json"))
    assert sample["reasons"] == ["2 s of 5 s", "drawn from 7 near misses"]
    assert counts == {"near_misses": {"r0": 1}, "samples": {"visitor": 1}}


def test_quotas_that_cannot_be_understood_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n[keep]\nclips = "much"\n')
    done = disk(tmp_path)
    assert done.code == 78
    assert done.sentences == ["smartcam.toml: [keep] cannot be understood: `smartcam check smartcam.toml` tells why"]


def test_without_a_store_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    done = disk(tmp_path)
    assert done.code == 69
    assert "smartcam has not run with this configuration yet" in done.err


def test_what_waits_is_not_among_what_goes_next(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        picture = Exhibit("E1", "snapshot", "front", "visitor", "event", 0.9, NOW, NOW)
        outbox.put(Message("m", b"\xff\xd8" + bytes(9_999), "snapshot", event="E1"), None, picture)
        until_written(outbox)
        assert "next to go" not in "".join(printed(tmp_path))
        assert outbox.take(KINDS)
