"""Disks that are full, slow or failing, under an outbox and under a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from smartcam.data import Message
from smartcam.owed import KINDS
from smartcam.store import Events, open_to_read
from tests.brokers import Mosquitto, free_port, mosquitto
from tests.brokers import Uplink as Way
from tests.daemons import NODE, Hearing, Running, daemon, hearing
from tests.mqtt.links import until
from tests.store.disks import fsync_shim, small_disk
from tests.store.outboxes import kept, told, until_written
from tests.tiny_models import Canned, model_bytes

CONFIG = """
[node]
name = "{node}"
[mqtt]
url = "{broker}"
keepalive = "5s"
connect_timeout = "500ms"
retry_min = "100ms"
retry_max = "300ms"
health_pause = "200ms"
[camera.front]
source = "rtsp://127.0.0.1:{nobody}/x"
[model.tiny]
file = "{model}"
labels = "{labels}"
accelerator = "cpu"
threads = 1
[rule.visitor]
see = "person"
"""

Configured: TypeAlias = Callable[[str], str]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """A configuration for a broker: its rule fires when it is asked to."""
    model, labels = tmp_path / "person.tflite", tmp_path / "labels.txt"
    labels.write_text("person\n")
    outputs = {"boxes": np.zeros((1, 1, 4)), "ids": np.zeros((1, 1)), "scores": np.zeros((1, 1)), "count": np.ones(1)}
    model.write_bytes(model_bytes([Canned(name, value.astype(np.float32)) for name, value in outputs.items()]))
    return lambda url: CONFIG.format(node=NODE, broker=url, nobody=free_port(), model=model, labels=labels)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


def fire(running: Running, count: int) -> list[str]:
    """The ids of the events that come of it."""
    return [event for _ in range(count) for event in running.ask("fire", rule="visitor")["events"]]


def on_disk(folder: Path) -> int:
    """Messages of events."""
    with closing(open_to_read(folder)) as db:
        return len(list(Events(db).messages()))


def told_to(ears: Hearing) -> list[dict[str, Any]]:
    return [json.loads(each.payload) for each in ears.all if each.topic.endswith("/event")]


def test_what_is_committed_arrives_although_the_process_is_killed(
    tmp_path: Path, configured: Configured, broker: Mosquitto
) -> None:
    """The broker is away, the daemon dies; and again while it delivers. Repetitions bear the same id and seq."""
    way = Way(broker.port, 6000)  # Until it is entered, it takes connections, and nothing comes of them.
    config = configured(way.url)
    with daemon(tmp_path, config) as running:
        running.until_it_answers()
        ids = fire(running, 10)
        assert until(lambda: on_disk(tmp_path / "state") == 20)
        running.kill()
    with hearing(broker.mqtt()) as ears, way:
        with daemon(tmp_path, config) as running:
            ears.until("front/event")
            running.kill()
        with daemon(tmp_path, config) as running:
            running.until_it_answers()
            ids += fire(running, 2)
            ears.until("front/event", lambda event: event["id"] == ids[-1] and event["phase"] == "end", within_s=30)
            running.until("status", lambda health: health["outbox"]["depth"] == 0)
            assert running.end() == 0
    found = told_to(ears)
    assert list(dict.fromkeys(event["id"] for event in found)) == ids
    assert len({(event["id"], event["seq"]) for event in found}) == 2 * len(ids)
    assert sorted({event["n"] for event in found}) == list(range(1, 2 * len(ids) + 1))
    by_number: dict[int, dict[str, Any]] = {}
    assert all(by_number.setdefault(event["n"], event) == event for event in found)


def test_a_daemon_whose_database_is_damaged_begins_anew(
    tmp_path: Path, configured: Configured, broker: Mosquitto
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/store.db").write_bytes(os.urandom(50_000))
    with daemon(tmp_path, configured(broker.url)) as running, hearing(broker.mqtt()) as ears:
        running.until_it_answers()
        [event] = fire(running, 1)
        ears.until("front/event", lambda told: told["id"] == event)
        assert running.log().count("set aside as store.db.damaged-") == 1
        assert running.end() == 0


def test_a_disk_that_takes_two_seconds_for_an_fsync_does_not_hold_up_the_rules(
    tmp_path: Path, configured: Configured, broker: Mosquitto
) -> None:
    """Held up, thirty firings would take a minute."""
    disk = fsync_shim(tmp_path)
    with daemon(tmp_path, configured(broker.url), disk.environment) as running, hearing(broker.mqtt()) as ears:
        running.until_it_answers()
        disk.takes(2)
        began = time.monotonic()
        ids = fire(running, 30)
        took_s = time.monotonic() - began
        ears.until("front/event", lambda event: event["id"] == ids[-1] and event["phase"] == "end", within_s=20)
        disk.is_well()
        assert running.end() == 0
    assert took_s < 20
    assert list(dict.fromkeys(event["id"] for event in told_to(ears))) == ids


def test_a_disk_that_fails_ends_the_process_and_the_third_time_it_goes_on_without(
    tmp_path: Path, configured: Configured, broker: Mosquitto
) -> None:
    disk = fsync_shim(tmp_path)
    alone = configured(f"mqtt://127.0.0.1:{free_port()}")  # No broker that it would take leave of.
    with daemon(tmp_path, alone, disk.environment) as running:
        running.until_it_answers()
        disk.fails()
        fire(running, 1)
        assert running.process.wait(20) == 1
        assert "does not keep what it is given" in running.log()
    failures = tmp_path / "disk-failures.json"
    failures.write_text(json.dumps(json.loads(failures.read_text()) * 2))  # It happened again at once.
    with daemon(tmp_path, configured(broker.url), disk.environment) as running, hearing(broker.mqtt()) as ears:
        running.until_it_answers()
        [event] = fire(running, 1)
        ears.until("front/event", lambda told: told["id"] == event)
        ears.until("health", lambda health: any("failed 2 times within an hour" in said for said in health["degraded"]))


def test_a_full_disk_is_survived_and_what_came_meanwhile_is_written_down_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartcam.store.writer.BALLAST_S", 1.0)
    with small_disk(tmp_path / "disk", 32) as folder, kept(folder) as outbox:
        outbox.put(*told(1))
        outbox.put(Message("m", bytes(100_000), "snapshot", event="01JA"))
        until_written(outbox)
        filler = folder / "filler"
        fill(filler)
        for n in range(2, 6000):
            outbox.put(*told(n))
        assert until(lambda: "is full" in outbox.trouble, 30)
        assert until(lambda: not (folder / "ballast").exists(), 10)  # Nothing else can be given up for them.
        fill(filler)
        row = outbox.take(KINDS)  # It goes on sending, and deleting.
        assert row
        outbox.done(row.id)
        filler.unlink()
        assert until(lambda: not outbox.unwritten and not outbox.trouble, 30)
        assert outbox.backlog.dropped["event"] == 0
        assert until(lambda: (folder / "ballast").exists())


def fill(file: Path) -> None:
    """With all that there is."""
    subprocess.run(["dd", "if=/dev/zero", f"of={file}", "bs=64k", "oflag=append", "conv=notrunc"], capture_output=True)
