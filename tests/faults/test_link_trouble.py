"""A running daemon, and what goes wrong on its way to the broker, or with others there."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from smartcam.mqtt.connection import connect
from smartcam.pipeline.daemon import Daemon
from smartcam.pipeline.switches import Switches
from tests.brokers import Mosquitto, Uplink
from tests.daemons import NODE, daemon, hearing
from tests.faults.worlds import RULES, configuration, events, fire, listening, looks, until_ended, watching

BURGLAR = """
[rule.burglar]
see = "person"
level = "alert"
"""
KEEPALIVE_S = 5.0
"""That of the configuration."""
PUBLISHER = "somebody"
SLEEPER = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04idle" + b"\x82\x06\x00\x01\x00\x01#\x01"
"""CONNECT as "idle" without a keepalive, and SUBSCRIBE to everything with QoS 1."""


def say(broker: Mosquitto, topic: str, payload: bytes) -> None:
    connection = connect(broker.mqtt(), PUBLISHER, lambda: True)
    mid = connection.publish(topic, payload, qos=1)
    while mid not in {ack.mid for ack in connection.acks}:
        connection.turn(0.1)
    connection.disconnect()
    connection.close()


def test_a_broker_that_hangs_is_noticed_and_no_frame_waits_for_it(tmp_path: Path, broker: Mosquitto) -> None:
    """Q3."""
    with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
        running.until("status", lambda health: health["mqtt"]["connected"])
        broker.pause()
        began, looked = time.monotonic(), looks(running)
        running.until("status", lambda health: not health["mqtt"]["connected"], within_s=2.5 * KEEPALIVE_S)
        rate = (looks(running) - looked) / (time.monotonic() - began)
        assert rate > 12, "the film has 25 frames a second, and nobody waits for a broker"
        broker.resume()
        running.until("status", lambda health: health["mqtt"]["connected"])
        running.kill()


def test_a_callback_that_fails_costs_one_message_and_no_thread(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q4. In this process, where the callback can be made to fail."""
    failed: list[str] = []
    sound = Switches.on_set

    def fails_once(self: Switches, topic: str, payload: bytes) -> None:
        if not failed:
            failed.append(topic)
            raise RuntimeError("nobody foresaw it")
        sound(self, topic, payload)

    monkeypatch.setattr(Switches, "on_set", fails_once)
    for folder in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.setenv(folder, str(tmp_path))
    file = tmp_path / "smartcam.toml"
    file.write_text(configuration(tmp_path, broker.url))
    with hearing(broker.mqtt()) as ears, Daemon(file):
        ears.until("armed", lambda word: word == "ON")
        say(broker, f"smartcam/{NODE}/armed/set", b"OFF")
        began = time.monotonic()
        while not failed:
            assert time.monotonic() - began < 10
            time.sleep(0.05)
        say(broker, f"smartcam/{NODE}/armed/set", b"OFF")
        ears.until("armed", lambda word: word == "OFF", within_s=10)


def test_two_daemons_of_one_name_are_told_of(tmp_path: Path, broker: Mosquitto) -> None:
    """Q10. They throw each other out for ever, and each looks well half of the time."""
    other = tmp_path / "other"
    other.mkdir()
    with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
        with daemon(other, configuration(other, broker.url)) as rival:
            health = running.until("status", lambda health: "another client" in str(health["degraded"]), within_s=60)
            rival.kill()
        running.kill()
    assert health


def test_an_alert_passes_pictures_on_a_slow_way(tmp_path: Path, broker: Mosquitto) -> None:
    """Q11. 2 KB/s for both connections together."""
    with Uplink(broker.port, 2000, room=4096) as way, listening(broker) as ears:
        config = configuration(tmp_path, way.url, RULES + BURGLAR + '[uplink]\nrate = "1500B/s"\n')
        with watching(tmp_path, config) as running:
            running.until("status", lambda health: health["mqtt"]["connected"], within_s=30)
            fire(running, 10, "portrait")
            running.until("status", lambda health: health["outbox"]["depth"] >= 5)
            began = time.monotonic()
            [alert] = dict.fromkeys(fire(running, 1, "burglar"))
            ears.until("front/event", lambda told: told["id"] == alert, within_s=30)
            took_s = time.monotonic() - began
            assert running.status()["outbox"]["depth"], "pictures are on their way still"
            running.kill()
    assert took_s < 30


def test_a_subscriber_that_does_not_read_delays_nobody(tmp_path: Path, broker: Mosquitto) -> None:
    """Q12."""
    with socket.create_connection(("127.0.0.1", broker.port)) as sleeper, listening(broker) as ears:
        sleeper.sendall(SLEEPER)
        with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
            fire(running, 100, "portrait")
            began = time.monotonic()
            ids = fire(running, 1)
            until_ended(ears, ids, within_s=10)
            running.kill()
    assert time.monotonic() - began < 10
    assert len({event["id"] for event in events(ears)}) == 101
