"""A daemon whose wall clock is wrong, and is set while it runs: nothing is lost, and nothing stops."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartcam.mqtt.form import rfc3339
from smartcam.mqtt.subscriber import Received
from smartcam.store import open_to_read
from tests.brokers import Mosquitto, free_port, mosquitto
from tests.brokers import Uplink as Way
from tests.clocks import WallClock, wall_clock
from tests.daemons import NODE, Running, daemon, hearing
from tests.mqtt.links import until
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
[keep]
events = {{ size = "250MB", days = {days} }}
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
YEAR_2099 = 4_070_908_800.0
HOUR_S = 3600.0


class Node:
    """What a daemon is made of, and is looked at by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nobody = free_port()
        self.model, self.labels = folder / "person.tflite", folder / "labels.txt"
        self.labels.write_text("person\n")
        none = {"boxes": (1, 1, 4), "ids": (1, 1), "scores": (1, 1), "count": (1,)}
        outputs = [Canned(name, np.zeros(shape, np.float32)) for name, shape in none.items()]
        self.model.write_bytes(model_bytes(outputs))

    def config(self, url: str, days: int = 365) -> str:
        return CONFIG.format(node=NODE, broker=url, days=days, **vars(self))

    def rows(self) -> list[tuple[int, float]]:
        """Number and start of each message that is kept."""
        with closing(open_to_read(self.folder / "state")) as db:
            return db.execute("SELECT n, start FROM event ORDER BY n").fetchall()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return wall_clock(tmp_path)


@pytest.fixture
def watchdog(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd hears that all is well."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(10)
        yield heard


def watched(node: Node, clock: WallClock) -> dict[str, str]:
    return {**clock.environment, "NOTIFY_SOCKET": str(node.folder / "notify"), "WATCHDOG_USEC": "4000000"}


def is_fed(heard: socket.socket) -> bool:
    """From now on."""
    heard.setblocking(False)
    try:
        while heard.recv(4096):
            pass
    except BlockingIOError:
        heard.settimeout(10)
    while b"WATCHDOG=1" not in heard.recv(4096):
        pass
    return True


def fire(running: Running, node: Node) -> list[tuple[int, float]]:
    """An event, start and end; what is kept once they are."""
    before = len(node.rows()) if (node.folder / "state/store.db").exists() else 0
    running.ask("fire", rule="visitor")
    assert until(lambda: len(node.rows()) == before + 2)
    return node.rows()


def test_a_boot_in_1970_and_a_clock_that_is_set(
    node: Node, broker: Mosquitto, clock: WallClock, watchdog: socket.socket
) -> None:
    """What was told before is corrected within 10 s, here and in what is sent; the order stays; nothing restarts."""
    way = Way(broker.port, 10**6)  # Until it is entered, it takes connections, and nothing comes of them.
    clock.shows(100.0)
    with daemon(node.folder, node.config(way.url), watched(node, clock)) as running:
        running.until_it_answers()
        began = time.time()
        fire(running, node)
        first = fire(running, node)
        assert all(start < 200 for _, start in first)
        assert any("clock" in sentence for sentence in running.status()["degraded"])
        clock.is_right()
        assert until(lambda: all(began - 5 < start < time.time() for _, start in node.rows()), 10), node.rows()
        assert is_fed(watchdog)
        assert running.status()["clock_ok"]
        fire(running, node)
        with hearing(broker.mqtt()) as ears, way:
            ears.until("front/event", lambda told: told["n"] == 6)
        events = [told for told in map(meaning, ears.all) if told]
        assert [told["n"] for told in events] == [1, 2, 3, 4, 5, 6]
        assert all(told["clock_ok"] and told["start"] >= rfc3339(began - 5) for told in events)
        assert [told["start"] for told in events] == sorted(told["start"] for told in events)
        assert running.end() == 0


def test_a_clock_that_goes_back_an_hour_and_leaps_to_2099(
    node: Node, broker: Mosquitto, clock: WallClock, watchdog: socket.socket
) -> None:
    """Nothing is deleted by age, also when the quotas are looked at anew; events go on, in their order."""
    with daemon(node.folder, node.config(broker.url, days=30), watched(node, clock)) as running:
        running.until_it_answers()
        fire(running, node)
        clock.is_ahead(-HOUR_S)
        fire(running, node)
        clock.shows(YEAR_2099)
        fire(running, node)
        running.until("status", lambda health: health["outbox"]["depth"] == 0)
        (node.folder / "smartcam.toml").write_text(node.config(broker.url, days=20))
        running.ask("reload")
        time.sleep(1.5)
        assert is_fed(watchdog)
        assert [n for n, _ in node.rows()] == [1, 2, 3, 4, 5, 6]
        clock.is_right()
        kept = fire(running, node)
        assert [n for n, _ in kept] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert until(lambda: all(start < time.time() for _, start in node.rows()), 10), node.rows()
        assert running.end() == 0


def meaning(received: Received) -> Any:
    """Of an event's message."""
    return json.loads(received.payload) if received.topic.endswith("/event") else None
