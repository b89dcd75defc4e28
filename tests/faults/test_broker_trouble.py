"""A running daemon whose broker is away for long, or does not take what it is given."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Mosquitto, mosquitto
from tests.faults.worlds import RULES, configuration, events, fire, listening, until_ended, watching

MESSAGES = 3_000
FIRINGS = MESSAGES // 2
"""Each is a start and an end."""
BURGLAR = """
[rule.burglar]
see = "person"
level = "alert"
"""


def test_thousands_of_events_wait_for_the_broker_and_arrive_in_order(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    """Q1. Alerts first, each kind in its order; the figures are printed."""
    config = configuration(tmp_path, broker.url, RULES + BURGLAR)
    with listening(broker) as ears, watching(tmp_path, config) as running:
        broker.pause()
        fire(running, 200)
        before_mib = running.status()["memory_mib"]
        for number in range(200, FIRINGS):
            fire(running, 1, "visitor" if number % 10 else "burglar")
        health = running.until("status", lambda health: health["outbox"]["depth"] >= MESSAGES)
        grown_mib = running.status()["memory_mib"] - before_mib
        broker.resume()
        began = time.monotonic()
        ears.until("front/event", lambda _: len(ears.all) > MESSAGES and len(events(ears)) >= MESSAGES, within_s=300)
        drained_s = time.monotonic() - began
        running.until("status", lambda health: health["outbox"]["depth"] == 0)
        running.kill()
    found = list({event["n"]: event for event in events(ears)}.values())
    for level in ("alert", "event"):
        numbers = [event["n"] for event in found if event["level"] == level]
        assert numbers == sorted(numbers)
    assert sorted(event["n"] for event in found) == list(range(1, MESSAGES + 1))
    assert health["outbox"]["dropped"] == dict.fromkeys(health["outbox"]["dropped"], 0)
    assert grown_mib <= 20
    with capsys.disabled():
        sys.stdout.write(f"\n{MESSAGES} events: memory grew by {grown_mib:.1f} MiB, drained in {drained_s:.1f} s\n")


def test_a_topic_that_is_denied_is_told_once_and_all_else_flows(tmp_path: Path) -> None:
    """Q5. With MQTT 5, whose reason code says so."""
    rights = tmp_path / "acl"
    rights.write_text("topic readwrite #\ntopic deny smartcam/ridge1/front/event\n")
    with mosquitto(tmp_path, f"acl_file {rights}") as broker, listening(broker) as ears:
        config = configuration(tmp_path, broker.url)
        with watching(tmp_path, config) as running:
            ids = fire(running, 3, "portrait")
            health = running.until("status", lambda health: sum(health["outbox"]["failed"].values()) == 6)
            assert [reason for reason in health["degraded"] if "not authorized" in reason]
            denied = health["mqtt"]["denied"]
            ears.until("front/media", lambda word: word["event"] == ids[-1])
            time.sleep(1.5)  # In which a hot loop would have asked a thousand times.
            assert running.status()["mqtt"]["denied"] == denied
            assert running.log().count("given up for now") == 1
            running.kill()
    assert not events(ears)


def test_a_message_too_large_for_the_broker_is_set_aside_and_the_next_one_goes(tmp_path: Path) -> None:
    """Q6. The picture is made before it is known how little the broker takes: later ones are made to fit."""
    with mosquitto(tmp_path, "max_packet_size 3000") as broker:
        broker.kill()
        with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
            fire(running, 1, "portrait")
            running.until("status", lambda health: health["outbox"]["depth"] >= 3)
            broker.start()
            health: dict[str, Any] = running.until("status", lambda health: health["outbox"]["failed"]["snapshot"])
            with listening(broker) as ears:
                ids = fire(running, 2)
                until_ended(ears, ids, within_s=30)
            assert [reason for reason in health["degraded"] if "larger than the broker takes" in reason]
            running.kill()
    assert {event["id"] for event in events(ears)} >= set(ids), "the first one's end may be among them"
