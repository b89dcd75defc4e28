"""The daemon in the field: a real camera, a real broker, a real interpreter, each taken away and given back."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.brokers import Mosquitto, mosquitto
from tests.clips import clip
from tests.daemons import NODE, Hearing, Running, daemon, hearing
from tests.servers import RtspServer, rtsp_server
from tests.tiny_models import Canned, model_bytes

CONFIG = """
[node]
name = "{node}"
[mqtt]
url = "{broker}"
keepalive = "2s"
connect_timeout = "3s"
retry_min = "100ms"
retry_max = "1s"
health_pause = "200ms"
[camera.front]
source = "{camera}"
open_timeout = "3s"
read_timeout = "2s"
retry_min = "200ms"
retry_max = "1s"
[model.tiny]
file = "{model}"
labels = "{labels}"
accelerator = "cpu"
threads = 1
open_timeout = "10s"
invoke_timeout = "2s"
retry_min = "200ms"
retry_max = "1s"
[rule.visitor]
see = "person"
score = 0.5
do = ["snapshot"]
"""


@pytest.fixture
def person_model(tmp_path: Path) -> Path:
    """A model that sees one person, always in the same place."""
    path = tmp_path / "person.tflite"
    path.write_bytes(
        model_bytes(
            [
                Canned("boxes", np.array([[[0.2, 0.3, 0.9, 0.6]]], np.float32)),
                Canned("ids", np.array([[0.0]], np.float32)),
                Canned("scores", np.array([[0.9]], np.float32)),
                Canned("count", np.array([1.0], np.float32)),
            ]
        )
    )
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[RtspServer]:
    with rtsp_server(clip(tmp_path / "clip.mp4", frames=100), tmp_path) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto, camera: RtspServer, person_model: Path) -> str:
    labels = tmp_path / "labels.txt"
    labels.write_text("person\n")
    return CONFIG.format(node=NODE, broker=broker.url, camera=camera.url, model=person_model, labels=labels)


@pytest.fixture
def world(tmp_path: Path, config: str, broker: Mosquitto) -> Iterator[tuple[Running, Hearing]]:
    """A daemon that sees a person, and somebody who listens."""
    with daemon(tmp_path, config) as running, hearing(broker.mqtt()) as ears:
        ears.until("front/event", lambda event: event["phase"] == "start", within_s=20)
        yield running, ears


def well(health: dict[str, Any]) -> bool:
    return not health["degraded"]


def complains_of(what: str) -> Callable[[dict[str, Any]], bool]:
    return lambda health: any(what in reason for reason in health["degraded"])


def wait_for(holds: Callable[[], bool], *, within_s: float = 15.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_camera_that_dies_is_told_and_opened_again(world: tuple[Running, Hearing], camera: RtspServer) -> None:
    running, ears = world
    camera.kill()
    ears.until("front/status", lambda status: status == "offline")
    ears.until("health", complains_of("camera front"))
    camera.start()
    ears.until("front/status", lambda status: status == "online")
    ears.until("health", well)
    assert "camera front: offline" in running.log()
    assert "camera front: online" in running.log()


def test_a_broker_that_dies_gets_what_happened_meanwhile_when_it_is_back(
    tmp_path: Path, config: str, broker: Mosquitto, camera: RtspServer
) -> None:
    """Somebody comes while there is no broker; the next one is told."""
    camera.kill()
    with daemon(tmp_path, config) as running, hearing(broker.mqtt()) as ears:
        ears.until("health")  # From then on it answers on its socket too.
        broker.kill()
        wait_for(lambda: not running.status()["mqtt"]["connected"])
        camera.start()
        wait_for(lambda: running.status()["outbox"]["depth"] >= 1)
        broker.start()
        assert ears.until("front/event")["seq"] == 1
        health = ears.until("health", lambda health: health["mqtt"]["reconnects"] >= 1)
        assert health["mqtt"]["connected"]
        assert "connected to" in running.log()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_an_inference_child_that_dies_or_hangs_is_replaced(world: tuple[Running, Hearing], how: signal.Signals) -> None:
    running, ears = world
    before = running.child()
    os.kill(before, how)
    health = ears.until("health", lambda health: well(health) and health["models"]["tiny"]["restarts"] == 1)
    assert running.child() != before
    wait_for(lambda: running.status()["models"]["tiny"]["looks"] > health["models"]["tiny"]["looks"])
    assert "tiny" in running.log()


def test_it_takes_leave_in_order(world: tuple[Running, Hearing]) -> None:
    """The open event ends, its picture comes, and `offline` is the last word."""
    running, ears = world
    assert running.end() == 0
    ears.until("front/event", lambda event: event["phase"] == "end")
    ears.until("status", lambda status: status == "offline")
    [event] = {json.loads(each.payload)["id"] for each in ears.all if each.topic.endswith("/event")}
    assert f"smartcam-media/{NODE}/front/{event}/snapshot" in ears.media()
