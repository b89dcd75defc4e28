"""A running daemon on a disk that is full, fails, or has kept something else than it was given."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Mosquitto
from tests.faults.account import State, set_aside
from tests.faults.loop_disk import LoopDisk, loop_disk
from tests.faults.worlds import configuration, events, fire, listening, looks, until_ended, watching
from tests.store.disks import small_disk

FLIPPED = 500


def full(health: dict[str, Any]) -> bool:
    return any("is full" in reason for reason in health["degraded"])


def test_a_full_disk_stops_neither_detection_nor_the_events(tmp_path: Path, broker: Mosquitto) -> None:
    """S1. It gives up its ballast, and when that is used up too, events wait in memory until there is room."""
    with small_disk(tmp_path / "state", 16) as state, listening(broker) as ears:
        with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
            ids = fire(running, 1, "portrait")
            until = time.monotonic() + 20
            while not full(running.status()):
                assert time.monotonic() < until
                fill(state / "filler")
                ids += fire(running, 20)
            looked = looks(running)
            ids += fire(running, 5)
            running.until("status", lambda health: health["models"]["tiny"]["looks"] > looked)
            (state / "filler").unlink()
            until_ended(ears, ids, within_s=30)
            running.until("status", lambda health: not health["degraded"], within_s=30)
            running.kill()
        assert {event["id"] for event in events(ears)} == set(ids)
        assert State.read(state).integrity == "ok"


def fill(file: Path) -> None:
    """With all that there is."""
    subprocess.run(["dd", "if=/dev/zero", f"of={file}", "bs=16k", "oflag=append", "conv=notrunc"], capture_output=True)


@pytest.mark.parametrize("harm", [LoopDisk.make_read_only, LoopDisk.cut_power], ids=["read-only", "errors"])
def test_a_disk_that_fails_ends_the_process_and_a_later_one_guards_on_without(
    tmp_path: Path, broker: Mosquitto, harm: Callable[[LoopDisk], None]
) -> None:
    """S2. Only a new process knows what an fsync that failed has thrown away."""
    config = configuration(tmp_path, broker.url)
    with loop_disk(tmp_path / "state") as disk:
        with watching(tmp_path, config) as running:
            fire(running, 1)
            harm(disk)
            fire(running, 1)
            assert running.process.wait(20) == 1
            assert "see to it" in running.log()
        with watching(tmp_path, config) as running, listening(broker) as ears:
            told = running.status()["degraded"]
            until_ended(ears, fire(running, 1))
            assert any("kept in memory only" in reason for reason in told), told
            running.kill()


def test_a_database_of_which_bytes_were_flipped_is_set_aside_within_ten_seconds(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """S3. What it still owed is lost with it, and said so; what comes later arrives."""
    broker.pause()
    with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
        fire(running, 40)
        running.until("status", lambda health: health["outbox"]["depth"] >= 80)
        time.sleep(1)  # Until it is on the disk: depth counts what waits for that too.
        running.kill()
    State.read(tmp_path / "state")  # Now all of it is in one file.
    flip(tmp_path / "state/store.db", random.Random(0))
    began = time.monotonic()
    broker.resume()
    with watching(tmp_path, None) as running, listening(broker) as ears:
        until_ended(ears, fire(running, 1))
        assert time.monotonic() - began < 10
        running.kill()
    assert len(set_aside(tmp_path / "state")) == 1
    assert State.read(tmp_path / "state").integrity == "ok"


def flip(file: Path, chance: random.Random) -> None:
    """Single bits, as worn cells do."""
    data = bytearray(file.read_bytes())
    for _ in range(FLIPPED):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
