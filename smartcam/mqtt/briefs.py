"""What is worth telling only now: sent if there is room at once, and else forgotten."""

from __future__ import annotations

import logging
from collections import deque

from smartcam.data import Message
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.connection import Connection
from smartcam.mqtt.meter import Meter
from smartcam.mqtt.wire import wire_bytes

log = logging.getLogger(__name__)

MOST = 32
"""That wait for their link, which looks for them at once."""


class Briefs:
    """Messages of QoS 0. `put` may be called from any thread; all else is the link's."""

    def __init__(self, allowance: Allowance, meter: Meter) -> None:
        self.denied = 0
        """How many the broker cannot take."""
        self._allowance = allowance
        self._meter = meter
        self._waiting: deque[Message] = deque(maxlen=MOST)

    def put(self, message: Message) -> None:
        self._waiting.append(message)

    def clear(self) -> None:
        self._waiting.clear()

    def send(self, connection: Connection) -> None:
        """Those for which network and budget have room."""
        while self._waiting:
            message = self._waiting.popleft()
            size = wire_bytes(message.topic, message.payload)
            if not connection.fits(message.topic, message.payload):
                self._deny(message)
            elif not connection.busy and self._allowance.pay("event", size, waits=False):
                mid = connection.publish(message.topic, message.payload, qos=0, expiry_s=message.expiry_s)
                self._meter.paid(mid, "event", size)

    def _deny(self, message: Message) -> None:
        self.denied += 1
        if self.denied == 1:
            log.warning("%s: it is larger than the broker takes (further ones are counted, not told)", message.topic)
