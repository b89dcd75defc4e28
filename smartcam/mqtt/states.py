"""What the node is, on retained topics: the broker is told when it changes, and again after each connect."""

from __future__ import annotations

import logging
import threading

from smartcam.mqtt.connection import Connection
from smartcam.mqtt.heard import Ack
from smartcam.mqtt.refusals import QUOTA_EXCEEDED, REFUSED

log = logging.getLogger(__name__)


class States:
    """Topics as they should stand at the broker. `keep` may be called from any thread; all else is the link's."""

    def __init__(self) -> None:
        self.denied = 0
        """How many the broker refused, or cannot take."""
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[bytes, int]] = {}
        """Topic → payload and QoS."""
        self._stale: dict[str, None] = {}
        """Topics of which the broker does not have this, in order."""
        self._told: set[str] = set()
        """Topics of which it was told that the broker does not take them."""
        self._under_way: dict[int, str] = {}
        """By message number, on the present connection."""

    def keep(self, topic: str, payload: bytes, qos: int = 1) -> bool:
        """Let it stand at this; whether that is a change."""
        with self._lock:
            if self._kept.get(topic) == (payload, qos):
                return False
            self._kept[topic] = payload, qos
            self._stale[topic] = None
            return True

    def connected(self) -> None:
        """To a broker that may know none."""
        with self._lock:
            self._stale = dict.fromkeys(self._kept)

    def disconnected(self) -> None:
        self._under_way.clear()

    def __len__(self) -> int:
        """Messages that are under way."""
        return len(self._under_way)

    @property
    def unsent(self) -> bool:
        return bool(self._stale)

    def send_next(self, connection: Connection) -> bool:
        """Whether there was one to send."""
        with self._lock:
            topic = next(iter(self._stale), None)
            if topic is None:
                return False
            del self._stale[topic]
            payload, qos = self._kept[topic]
        if connection.fits(topic, payload):
            self.send(connection, topic, payload, qos)
        else:
            self._deny(topic, "it is larger than the broker takes")
        return True

    def send(self, connection: Connection, topic: str, payload: bytes, qos: int) -> int:
        """Say this now, whatever is kept; gives the message's number."""
        mid = connection.publish(topic, payload, qos=qos, retain=True)
        self._under_way[mid] = topic
        return mid

    def is_under_way(self, mid: int) -> bool:
        return mid in self._under_way

    def settle(self, ack: Ack) -> None:
        """An answer; of a message that is none of these, nothing comes."""
        topic = self._under_way.pop(ack.mid, None)
        if topic is None or ack.code < REFUSED:
            return
        if ack.code == QUOTA_EXCEEDED:
            with self._lock:
                self._stale[topic] = None
            return
        self._deny(topic, f"the broker says: {ack.reason}")

    def _deny(self, topic: str, reason: str) -> None:
        self.denied += 1
        if topic not in self._told:
            self._told.add(topic)
            log.warning("%s: given up: %s (further ones are counted, not told)", topic, reason)
