"""Pictures over a way that crawls, between the link and a real mosquitto."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from smartcam.config.delivery import Uplink as Means
from smartcam.config.sections import Mqtt
from smartcam.mqtt import under_way
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.pace import BURST_S
from smartcam.mqtt.payloads import snapshot_messages
from smartcam.mqtt.subscriber import subscribe
from smartcam.mqtt.topics import Topics
from smartcam.owed import KINDS
from tests.brokers import Mosquitto, Uplink, amqtt, mosquitto
from tests.mqtt.bottleneck import Bottleneck
from tests.mqtt.events import event
from tests.mqtt.links import DEADLINE_S, QUICK, link_to, owe, running, until

PICTURE = bytes(range(256)) * 130
"""33 kB: almost three seconds at the speed below."""
SPEED = 12_000
KEEPALIVE_S = 1
"""A link gives up after two of these without a word from the broker."""


def test_a_picture_that_takes_longer_than_the_keepalive_arrives_at_the_first_try(
    broker: Mosquitto, outbox: MemoryOutbox
) -> None:
    """A proxy on the way may take all of it at once, and then nothing is seen to move."""
    with Uplink(broker.port, SPEED) as way, subscribe(broker.mqtt(), ["t"]) as heard:
        link = link_to(broker.mqtt(url=way.url, keepalive=KEEPALIVE_S), outbox)
        with running(link):
            owe(outbox, "t", PICTURE, "snapshot")
            received = heard.receive(DEADLINE_S)
            assert received is not None
            assert received.payload == PICTURE
            assert until(lambda: outbox.depth() == 0)
    assert (link.status.connects, outbox.backlog.failed["snapshot"]) == (1, 0)


def test_a_picture_arrives_as_long_as_it_moves(
    broker: Mosquitto, outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take for ever, but it must not stand still."""
    monkeypatch.setattr(under_way, "STILL_S", 1.0)
    with Uplink(broker.port, SPEED, room=4096) as way:
        link = link_to(broker.mqtt(url=way.url, keepalive=KEEPALIVE_S), outbox)
        with running(link):
            owe(outbox, "t", PICTURE, "snapshot")
            assert until(lambda: link.status.published == 1)
    assert link.status.connects == 1


def test_a_picture_that_stands_still_is_noticed_and_not_blamed(
    broker: Mosquitto, outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "STILL_S", 0.5)
    with Uplink(broker.port, 1e6) as way:
        link = link_to(broker.mqtt(url=way.url, keepalive=KEEPALIVE_S, retry_min=60, retry_max=60), outbox)
        with running(link):
            assert until(lambda: link.status.connected)
            way.bytes_per_s = 0
            owe(outbox, "t", PICTURE, "snapshot")
            assert until(lambda: "no longer answers" in (link.status.reason or ""), 2 * KEEPALIVE_S + 1.5)
            row = outbox.take(KINDS)
    assert row is not None
    assert row.tries == 0


def test_a_picture_is_announced_once_the_broker_has_it(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """Over a way on which that takes a while, the word waits. The latest, which goes unanswered, harms nothing."""
    with Uplink(broker.port, 4 * SPEED) as way, subscribe(broker.mqtt(), ["#"]) as heard:
        link = link_to(broker.mqtt(url=way.url, keepalive=KEEPALIVE_S), outbox)
        with running(link):
            for message in snapshot_messages(Topics("n"), event(), PICTURE):
                outbox.put(message)
            came = [heard.receive(DEADLINE_S) for _ in range(3)]
    topics = [received.topic.rpartition("/")[2] for received in came if received]
    assert topics == ["snapshot", "latest", "media"]
    assert link.status.connects == 1


def test_a_picture_that_the_broker_does_not_take_is_not_announced(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with mosquitto(tmp_path, "max_packet_size 20000") as broker:
        link = link_to(broker.mqtt(), outbox)
        with subscribe(broker.mqtt(), ["#"]) as heard, running(link):
            for jpeg in (PICTURE, b"small"):
                for message in snapshot_messages(Topics("n"), event(), jpeg):
                    outbox.put(message)
            came = [heard.receive(DEADLINE_S) for _ in range(3)]
            assert heard.receive(0.2) is None
    sizes = [json.loads(received.payload)["bytes"] for received in came if received and "media" in received.topic[-5:]]
    assert sizes == [len(b"small")]


def test_a_link_that_keeps_to_a_rate_keeps_its_connection(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """Each part takes half a keepalive, and a ping gets through between two."""
    allowance = Allowance(outbox)
    allowance.renew(Means.model_validate({"rate": "12KB/s"}), KEEPALIVE_S)
    link = Link(
        broker.mqtt(keepalive=KEEPALIVE_S), "node", outbox=outbox, kinds=("snapshot", "clip"), allowance=allowance
    )
    begin = time.monotonic()
    with running(link):
        for _ in range(4):
            owe(outbox, "t", b"x" * outbox.part_bytes, "clip")
        assert until(lambda: link.status.published == 4)
    assert time.monotonic() - begin > 4 * KEEPALIVE_S / 2 - 2 * BURST_S
    assert link.status.connects == 1


def test_websockets_that_take_little_at_a_time_lose_nothing(outbox: MemoryOutbox) -> None:
    with amqtt("ws") as url, Bottleneck(int(url.rpartition(":")[2]), 200_000, queue_bytes=2048) as way:
        mqtt = Mqtt.model_validate({"url": way.url.replace("mqtt://", "ws://")} | QUICK)
        link = Link(mqtt, "node", outbox=outbox, kinds=["snapshot"])
        with subscribe(Mqtt.model_validate({"url": url} | QUICK), ["t"]) as heard, running(link):
            owe(outbox, "t", 6 * PICTURE, "snapshot")
            received = heard.receive(DEADLINE_S)
    assert received is not None
    assert received.payload == 6 * PICTURE
