"""One connection to the broker, from its opening to its end, driven by the thread that owns it.

Each connection has a paho client of its own. The client's callbacks only enqueue; what has come of it
is looked at between two turns of the loop, so nothing that a callback could raise can hide in paho.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

from smartcam.config.sections import Mqtt
from smartcam.data import Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.broker import address, port, sentence
from smartcam.mqtt.client import new_client, properties, session_arguments
from smartcam.mqtt.protocol import Known, Protocol
from smartcam.mqtt.under_way import UnderWay
from smartcam.mqtt.wake import Wake
from smartcam.workers import Alive

if TYPE_CHECKING:
    from paho.mqtt.client import Client

WINDOW = 20
"""Messages that may be under way at once; a broker may ask for fewer."""
SOON_S = 3.0
"""Silence for longer, where the network is not to blame, looks like a broker that does not know MQTT 5."""
ROUND_TRIPS = 3
"""The network may be to blame for so many times what the dialling took: that was one round trip or more."""
UNSUPPORTED_PROTOCOL = 0x84
ADVICE = {
    0x86: " (look at mqtt.username and the password_file)",
    0x87: " (look at mqtt.username and the password_file)",
    0x85: " (another client id may be wanted: it comes from node.name)",
}
"""What to do about a refusal, by its reason code."""
BLAMELESS = frozenset({0x89, 0x8B, 0x8E, 0x98})
"""Reasons to end a connection that lie in no message: busy, shutting down, taken over, an administrator's wish."""
HEADER_BYTES = 15
"""The most that MQTT adds to topic and payload: type, length, topic length, packet id, one property."""


class WrongProtocol(Unavailable):
    """The broker does not speak this version of MQTT, as far as can be told from outside."""


class HungUp(Unavailable):
    """The broker ended the connection, and the reason may lie in what it was sent."""


class Ack(NamedTuple):
    """What became of a message."""

    mid: int
    code: int
    """MQTT 5's reason code: 128 and above is a refusal."""
    reason: str


class Arrival(NamedTuple):
    """A message that came in."""

    topic: str
    payload: bytes
    retained: bool


def connect(
    mqtt: Mqtt,
    client_id: str,
    alive: Alive,
    *,
    will: Message | None = None,
    session_s: int | None = None,
    known: Known | None = None,
) -> Connection:
    """Open a connection: MQTT 5, or else 3.1.1, unless the broker is known to speak 5.

    `session_s` is how long the broker keeps our subscriptions after the end; None begins without old ones.
    `known` learns from what happens. Blocks for `connect_timeout` at most, for each of: address of the host,
    TLS, the broker's answer.

    Raises:
        Unavailable: there is no broker, it refuses, or it cannot prove who it is.
        BadConfig: a file that the configuration names cannot be used.
    """

    def new(protocol: Protocol) -> Connection:
        return Connection(mqtt, client_id, protocol, will, session_s)

    known = known or Known()
    if known.speaks_5:
        return new("5").open(alive)
    if known.prefers_3_1_1:
        with suppress(WrongProtocol):
            return new("3.1.1").open(alive)
        known.forget()
    connection = _in_5_or_else_3_1_1(new, alive, known)
    known.speaks_5 = connection.protocol == "5"
    return connection


def _in_5_or_else_3_1_1(new: Callable[[Protocol], Connection], alive: Alive, known: Known) -> Connection:
    five = new("5")
    try:
        five.dial()
        if five.wait_for_answer(alive, five.soon_s):
            return five.enter()
    except WrongProtocol:
        return new("3.1.1").open(alive)
    # Some brokers wait for more of a CONNECT that they do not understand. Or this one is slow: the first answer counts.
    try:
        old = new("3.1.1").open(lambda: alive() and not five.is_welcome())
    except SmartcamError:
        if five.is_welcome():
            return five
        five.close()
        raise
    five.close()
    known.left_5_unanswered()
    return old


class Connection:
    """One connection. Not for use by two threads."""

    def __init__(
        self, mqtt: Mqtt, client_id: str, protocol: Protocol, will: Message | None, session_s: int | None
    ) -> None:
        self.protocol = protocol
        self.where = address(mqtt)
        self.window = WINDOW
        self.acks: deque[Ack] = deque()
        self.arrived: deque[Arrival] = deque()
        self.granted: list[int] | None = None
        """The answer to `subscribe`, one reason code a topic: 128 and above is a refusal."""
        self.opened_at = 0.0
        """Monotonic."""
        self._mqtt = mqtt
        self._client_id = client_id
        self._will = will
        self._session_s = session_s
        self._client: Client
        self._max_packet_bytes: int | None = None
        self._connack: tuple[int, str] | None = None
        self._dialling_s = 0.0
        self._under_way = UnderWay()
        self._end: Unavailable | None = None
        """Why the connection ended, where the broker or the silence told."""

    def open(self, alive: Alive) -> Self:
        """Connect, and wait for the broker's answer. The connection is closed again where this raises."""
        self.dial()
        self.wait_for_answer(alive, self._mqtt.connect_timeout)
        return self.enter()

    def dial(self) -> None:
        """Reach the broker, and send it the CONNECT."""
        mqtt, url = self._mqtt, urlsplit(self._mqtt.url)
        client = new_client(mqtt, self._client_id, self.protocol, self._will, clean=self._session_s is None)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client
        keepalive_s = min(max(1, round(mqtt.keepalive)), 65535)
        began = time.monotonic()
        try:
            client.connect(
                url.hostname or "", port(url), keepalive_s, **session_arguments(self.protocol, self._session_s)
            )
        except (OSError, UnicodeError) as error:
            raise Unavailable(sentence(error, mqtt)) from error
        self._dialling_s = time.monotonic() - began

    @property
    def soon_s(self) -> float:
        """When an answer may be expected, judged by how long the dialling took."""
        return min(self._mqtt.connect_timeout, max(SOON_S, ROUND_TRIPS * self._dialling_s))

    def wait_for_answer(self, alive: Alive, within_s: float) -> bool:
        """Wait until the broker answers the CONNECT or hangs up, and say whether it did. Closed where this raises."""
        until = time.monotonic() + within_s
        while self._connack is None and self._client.socket() is not None and time.monotonic() < until:
            if not alive():
                self.close()
                raise Unavailable(f"{self.where}: stopped while connecting")
            self._turn(0.1)
        return self._connack is not None or self._client.socket() is None

    def is_welcome(self) -> bool:
        """Whether the broker has let us in by now."""
        self._turn(0.0)
        return self._connack is not None and self._connack[0] == 0 and self._client.socket() is not None

    def enter(self) -> Self:
        """Take the broker's answer for what it is. The connection is closed where this raises."""
        if (refusal := self._refusal()) is not None:
            self.close()
            raise refusal
        return self

    def fits(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes a message of this size."""
        size = len(topic.encode()) + len(payload) + HEADER_BYTES
        return self._max_packet_bytes is None or size <= self._max_packet_bytes

    def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, expiry_s: int | None = None
    ) -> int:
        """Hand a message to the client; its number comes back in `acks` (for QoS 0 once it is written).

        Raises:
            ValueError: the topic is none.
        """
        more = None
        if expiry_s is not None and self.protocol == "5":
            more = properties("PUBLISH", MessageExpiryInterval=expiry_s)
        mid = self._client.publish(topic, payload, qos, retain, more).mid
        self._under_way.sent(mid, len(payload), qos)
        return mid

    @property
    def busy(self) -> bool:
        """Whether bytes wait for the network."""
        return self._client.want_write()

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for topics, QoS 1; the answer comes in `granted`, messages in `arrived`."""
        self._client.subscribe([(topic, 1) for topic in topics])

    def turn(self, timeout_s: float, wake: Wake | None = None) -> None:
        """Wait for the network or for `wake`, and do what there is to do.

        Raises:
            HungUp: the broker has ended the connection.
            Unavailable: it has ended for another reason.
        """
        self._turn(timeout_s, wake)
        if self._client.socket() is None:
            raise self._end or HungUp(f"{self.where} closed the connection")

    def disconnect(self) -> None:
        """Take leave: the broker does not publish the will."""
        self._client.disconnect()
        until = time.monotonic() + 1.0
        while self._client.socket() is not None and self.busy and time.monotonic() < until:
            self._turn(0.1)
        self.close()

    def close(self) -> None:
        """Let go of the network at once. The broker publishes the will, unless we took leave."""
        if (sock := self._client.socket()) is not None:
            sock.close()

    def _turn(self, timeout_s: float, wake: Wake | None = None) -> None:
        sock: Any = self._client.socket()
        if sock is None:
            return
        # Bytes that TLS has read ahead are not seen by poll.
        pending = sock.pending() if hasattr(sock, "pending") else 0
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self.busy else 0))
        if wake:
            poll.register(wake, select.POLLIN)
        ready = dict(poll.poll(0 if pending else timeout_s * 1000))
        if wake and wake.fileno() in ready:
            wake.clear()
        if pending or ready.get(sock.fileno(), 0) & ~select.POLLOUT:
            self._client.loop_read()
        if self.busy:
            self._client.loop_write()
        # paho's ping would wait behind a long message, and its answer be given up while that still moves.
        if self._client.socket() is not None and not self._under_way.is_slow(sock.fileno()):
            self._client.loop_misc()

    def _refusal(self) -> Unavailable | None:
        code, reason = self._connack or (UNSUPPORTED_PROTOCOL, "")
        if self._connack:
            words = f"refuses the connection: {reason}{ADVICE.get(code, '')}"
        elif self._client.socket() is not None:
            # A broker that takes the CONNECT of MQTT 5 for one of 3.1.1 may wait for bytes that never come.
            words = f"takes the connection but says nothing for {self._mqtt.connect_timeout:g} s"
        else:
            hint = "does it want a client certificate?" if self._mqtt.tls else "is it an MQTT broker?"
            words = f"closed the connection before it answered: {hint}"
        kind = WrongProtocol if code == UNSUPPORTED_PROTOCOL else Unavailable
        return kind(f"{self.where} {words}") if code else None

    # The callbacks. They only assign and enqueue, so there is nothing they could raise.

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        self._connack = reason.value, str(reason).lower()
        self.opened_at = time.monotonic()
        self._max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            kind = Unavailable if reason.value in BLAMELESS else HungUp
            self._end = kind(f"{self.where} ended the connection: {str(reason).lower()}")
        elif reason.getName() == "Keep alive timeout":
            self._end = Unavailable(f"{self.where} no longer answers")

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self.acks.append(Ack(mid, reason.value, str(reason).lower()))
        self._under_way.answered(mid)

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        self.granted = [reason.value for reason in reasons]

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        with suppress(UnicodeDecodeError):  # A topic that is no UTF-8 cannot be one of ours.
            self.arrived.append(Arrival(message.topic, bytes(message.payload), message.retain))
