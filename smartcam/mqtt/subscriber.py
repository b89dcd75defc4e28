"""A subscriber: what arrives on some topics, one after another, in the caller's own thread."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from smartcam.config.sections import Mqtt
from smartcam.errors import Unavailable
from smartcam.mqtt.broker import address, advise
from smartcam.mqtt.connection import Connection, connect
from smartcam.mqtt.protocol import Known
from smartcam.mqtt.refusals import REFUSED

log = logging.getLogger(__name__)


class Received(NamedTuple):
    """A message as it came in."""

    topic: str
    payload: bytes
    retained: bool
    """Whether the broker had kept it from before we asked."""
    at: float
    """Unix seconds."""


class Subscription:
    """An endless iterator of `Received`. After a loss it connects again; what was sent in between is missed."""

    def __init__(self, mqtt: Mqtt, topics: Sequence[str]) -> None:
        self._mqtt = mqtt
        self._topics = topics
        self._client_id = f"smartcam-sub-{os.getpid()}-{secrets.token_hex(3)}"
        self._known = Known()
        self._connection: Connection | None = None
        self._received: deque[Received] = deque()

    def __iter__(self) -> Iterator[Received]:
        while True:
            if received := self.receive(timeout_s=60.0):
                yield received

    def within(self, seconds: float) -> Iterator[Received]:
        """What arrives in the next `seconds`."""
        until = time.monotonic() + seconds
        while received := self.receive(until - time.monotonic()):
            yield received

    def receive(self, timeout_s: float) -> Received | None:
        """The next message, or None after `timeout_s` without one."""
        until = time.monotonic() + timeout_s
        while not self._received and (left_s := until - time.monotonic()) > 0:
            try:
                self._turn(min(left_s, 0.25))
            except Unavailable as error:
                if self._connection:
                    log.warning("%s; connecting again", error)
                self.close()
                time.sleep(max(0.0, min(self._mqtt.retry_min, until - time.monotonic())))
        return self._received.popleft() if self._received else None

    def open(self) -> None:
        """Connect and subscribe.

        Raises:
            Unavailable: there is no broker, or it refuses.
            BadConfig: a file that the configuration names cannot be used.
        """
        self._connection = connect(self._mqtt, self._client_id, lambda: True, known=self._known)
        self._connection.subscribe(self._topics)
        until = time.monotonic() + self._mqtt.connect_timeout
        while self._connection.granted is None:
            if time.monotonic() > until:
                raise Unavailable(f"{address(self._mqtt)} does not answer the subscription")
            self._turn(0.1)
        if refused := [t for t, code in zip(self._topics, self._connection.granted, strict=False) if code >= REFUSED]:
            raise Unavailable(f"{address(self._mqtt)} does not let this user read {', '.join(refused)}")

    def close(self) -> None:
        """Leave the broker."""
        if self._connection:
            self._connection.disconnect()
        self._connection = None

    def _turn(self, timeout_s: float) -> None:
        if self._connection is None:
            self.open()
        assert self._connection
        self._connection.turn(timeout_s)
        while self._connection.arrived:
            topic, payload, retained = self._connection.arrived.popleft()
            self._received.append(Received(topic, payload, retained, time.time()))


@contextmanager
def subscribe(mqtt: Mqtt, topics: Sequence[str]) -> Iterator[Subscription]:
    """Subscribe; once the block begins, nothing that is sent on these topics is missed.

    Raises:
        Unavailable: there is no broker, or it refuses.
        BadConfig: a file that the configuration names cannot be used.
    """
    advise(mqtt)
    subscription = Subscription(mqtt, topics)
    try:
        subscription.open()
        yield subscription
    finally:
        subscription.close()
