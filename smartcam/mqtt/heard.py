"""What paho's callbacks hear on one connection. They only assign and enqueue: there is nothing they could raise."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from smartcam.errors import Unavailable
from smartcam.mqtt.refusals import ending

if TYPE_CHECKING:
    from paho.mqtt.client import Client

WINDOW = 20
"""Messages that may be under way at once; a broker may ask for fewer."""


class Ack(NamedTuple):
    """What became of a message."""

    mid: int
    code: int
    """MQTT 5's reason code: 128 and above is a refusal."""
    reason: str
    is_answer: bool
    """Of the broker; at QoS 0 it gives none, and the message is written."""


class Arrival(NamedTuple):
    """A message that came in."""

    topic: str
    payload: bytes
    retained: bool


class Heard:
    """On one connection, so far."""

    def __init__(self, where: str, *, on_answer: Callable[[int], bool], on_close: Callable[[Any], None]) -> None:
        self.acks: deque[Ack] = deque()
        self.arrived: deque[Arrival] = deque()
        self.granted: list[int] | None = None
        self.connack: tuple[int, str] | None = None
        """The answer to the CONNECT: a reason code, and its words."""
        self.welcome_at = 0.0
        """Monotonic."""
        self.window = WINDOW
        self.max_packet_bytes: int | None = None
        self.end: Unavailable | None = None
        """Why the connection ended, where the broker or the silence told."""
        self._where = where
        self._on_answer = on_answer
        self._on_close = on_close

    def listen(self, client: Client) -> None:
        """`on_answer` gets the number of each message that is there, and says whether an answer was due; `on_close` a
        socket just before its end."""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_close = lambda _client, _data, sock: self._on_close(sock)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        self.connack = reason.value, str(reason).lower()
        self.welcome_at = time.monotonic()
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.end = ending(self._where, reason.value, str(reason).lower())
        elif reason.getName() == "Keep alive timeout":
            self.end = Unavailable(f"{self._where} no longer answers")

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self.acks.append(Ack(mid, reason.value, str(reason).lower(), self._on_answer(mid)))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        self.granted = [reason.value for reason in reasons]

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        with suppress(UnicodeDecodeError):  # A topic that is no UTF-8 cannot be one of ours.
            self.arrived.append(Arrival(message.topic, bytes(message.payload), message.retain))
