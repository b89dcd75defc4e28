"""Others at the same broker: one that calls itself as we do, and one that does not read what it asked for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smartcam.errors import Unavailable
from smartcam.mqtt import rivals
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.refusals import ClosedSilently, HungUp, TakenOver
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import Mosquitto
from tests.mqtt.links import DEADLINE_S, link_to, owe, running, texts, until

AWAKE = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04idle"
"""CONNECT of MQTT 3.1.1 as "idle", without a keepalive."""
ASK = b"\x82\x06\x00\x01\x00\x01#\x01"
"""SUBSCRIBE to everything, QoS 1."""


def test_two_nodes_of_one_name_are_noticed_until_there_is_one(
    broker: Mosquitto, outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker knows one client of a name: the two throw each other out for ever, and each looks well half the time."""
    link = link_to(broker.mqtt(), outbox)
    with running(link):
        with running(link_to(broker.mqtt(), MemoryOutbox(9))):
            assert until(lambda: link.status.trouble)
        assert "another client call" in link.status.trouble
        assert "itself node" in link.status.trouble
        assert link.status.connects >= rivals.TIMES
        assert until(lambda: link.status.connected)
        monkeypatch.setattr(rivals, "WITHIN_S", 0.2)
        assert until(lambda: not link.status.trouble)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (TakenOver("b ended the connection"), "another client calls itself node, "),
        (ClosedSilently("b closed the connection"), "does another client call itself node?"),
        (HungUp("b ended the connection: packet too large"), ""),
        (Unavailable("b no longer answers"), ""),
    ],
)
def test_only_ends_that_a_rival_could_explain_count(end: Unavailable, words: str) -> None:
    noticed = rivals.Rivals("node")
    for _ in range(rivals.TIMES):
        assert not noticed.trouble
        noticed.ended(end)
    assert bool(noticed.trouble) == bool(words)
    assert words in noticed.trouble


def test_a_subscriber_that_does_not_read_delays_nobody(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(), outbox)
    with stuck_subscriber(broker), subscribe(broker.mqtt(), ["t/alert"]) as heard, running(link):
        for _ in range(300):
            owe(outbox, "t/event", b"x" * 10_000)
        assert until(lambda: outbox.depth() == 0)
        owed_at = time.monotonic()
        owe(outbox, "t/alert", "now", "alert")
        assert texts(heard, 1) == ["now"]
        assert until(lambda: outbox.depth() == 0)
        assert time.monotonic() - owed_at < 1.0


@contextmanager
def stuck_subscriber(broker: Mosquitto) -> Iterator[None]:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", broker.port))
        sock.sendall(AWAKE)
        assert sock.recv(4) == b"\x20\x02\x00\x00"
        sock.sendall(ASK)
        assert sock.recv(5) == b"\x90\x03\x00\x01\x01"
        yield
