"""Links to brokers, run as the daemon runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from smartcam.config.sections import Mqtt
from smartcam.data import Kind, Message
from smartcam.mqtt.link import Link
from smartcam.mqtt.subscriber import Subscription
from smartcam.owed import KINDS, Outbox
from smartcam.workers import Worker

DEADLINE_S = 10.0
QUICK = {"keepalive": 5, "connect_timeout": 3, "retry_min": 0.05, "retry_max": 0.3}
"""The [mqtt] section's times, shortened."""


def until(holds: Callable[[], object], deadline_s: float = DEADLINE_S) -> bool:
    """Whether `holds` became true in time."""
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def running(link: Link, retry_s: float = 0.1) -> Iterator[Worker]:
    with Worker("mqtt", link.run, retry_s=retry_s) as worker:
        yield worker


def owe(outbox: Outbox, topic: str, payload: str | bytes = b"x", kind: Kind = "event", **more: Any) -> None:
    outbox.put(Message(topic, payload if isinstance(payload, bytes) else payload.encode(), kind, **more))


def texts(subscription: Subscription, count: int, deadline_s: float = DEADLINE_S) -> list[str]:
    """The payloads of the next `count` messages."""
    found: list[str] = []
    end = time.monotonic() + deadline_s
    while len(found) < count and (received := subscription.receive(end - time.monotonic())):
        found.append(received.payload.decode())
    return found


def link_to(mqtt: Mqtt, outbox: Outbox, **more: Any) -> Link:
    return Link(mqtt, "node", outbox=outbox, kinds=KINDS, **more)
