"""One connection to the broker, from its opening to its end, driven by the thread that owns it.

Each connection has a paho client of its own; what its callbacks heard is looked at between two turns of the loop.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from smartcam.config.sections import Mqtt
from smartcam.data import Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.broker import address, port, sentence
from smartcam.mqtt.client import new_client, properties, session_arguments
from smartcam.mqtt.heard import Ack, Arrival, Heard
from smartcam.mqtt.pace import ALONE, BUFFER_BYTES, Lane, Way
from smartcam.mqtt.protocol import Known, Protocol
from smartcam.mqtt.refusals import ClosedSilently, WrongProtocol, hang_up_for_an_answer, no_answer, refusal
from smartcam.mqtt.under_way import UnderWay
from smartcam.mqtt.wake import Wake
from smartcam.mqtt.wire import Carried, carried, limit_buffer, wire_bytes
from smartcam.workers import Alive

if TYPE_CHECKING:
    from paho.mqtt.client import Client

SOON_S = 3.0
"""Silence for longer, where the network is not to blame, looks like a broker that does not know MQTT 5."""
ROUND_TRIPS = 3
"""The network may be to blame for so many times what the dialling took: that was one round trip or more."""


def connect(
    mqtt: Mqtt,
    client_id: str,
    alive: Alive,
    *,
    will: Message | None = None,
    session_s: int | None = None,
    known: Known | None = None,
    way: Way = ALONE,
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
        return Connection(mqtt, client_id, protocol, will, session_s, way)

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
        self,
        mqtt: Mqtt,
        client_id: str,
        protocol: Protocol,
        will: Message | None,
        session_s: int | None,
        way: Way = ALONE,
    ) -> None:
        self.protocol = protocol
        self.where = address(mqtt)
        self._mqtt = mqtt
        self._client_id = client_id
        self._will = will
        self._session_s = session_s
        self._client: Client
        self._under_way = UnderWay()
        self._heard = Heard(self.where, on_answer=self._under_way.answered, on_close=self._count)
        self._lane = Lane(way.pace, gives_way=way.gives_way) if way.pace else None
        self._on_carried = way.on_carried
        self._carried = Carried()
        self._dialling_s = 0.0

    @property
    def acks(self) -> deque[Ack]:
        """What became of messages."""
        return self._heard.acks

    @property
    def arrived(self) -> deque[Arrival]:
        """Messages that came in."""
        return self._heard.arrived

    @property
    def granted(self) -> list[int] | None:
        """The answer to `subscribe`, one reason code a topic: 128 and above is a refusal. None before it is there."""
        return self._heard.granted

    @property
    def opened_at(self) -> float:
        """Monotonic."""
        return self._heard.welcome_at

    @property
    def window(self) -> int:
        """How many messages may be under way at once."""
        return self._heard.window

    @property
    def max_packet_bytes(self) -> int | None:
        """The largest that the broker takes; None where it has not said."""
        return self._heard.max_packet_bytes

    def open(self, alive: Alive) -> Self:
        """Connect, and wait for the broker's answer. The connection is closed again where this raises."""
        self.dial()
        self.wait_for_answer(alive, self._mqtt.connect_timeout)
        return self.enter()

    def dial(self) -> None:
        """Reach the broker, and send it the CONNECT."""
        mqtt, url = self._mqtt, urlsplit(self._mqtt.url)
        client = new_client(
            mqtt,
            self._client_id,
            self.protocol,
            self._will,
            clean=self._session_s is None,
            lane=self._lane,
            on_failure=self._count,
        )
        self._heard.listen(client)
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
        if self._lane and self._lane.gives_way and (sock := client.socket()) is not None:
            limit_buffer(sock.fileno(), BUFFER_BYTES)

    @property
    def soon_s(self) -> float:
        """When an answer may be expected, judged by how long the dialling took."""
        return min(self._mqtt.connect_timeout, max(SOON_S, ROUND_TRIPS * self._dialling_s))

    def wait_for_answer(self, alive: Alive, within_s: float) -> bool:
        """Wait until the broker answers the CONNECT or hangs up, and say whether it did. Closed where this raises."""
        until = time.monotonic() + within_s
        while self._heard.connack is None and self._client.socket() is not None and time.monotonic() < until:
            if not alive():
                self.close()
                raise Unavailable(f"{self.where}: stopped while connecting")
            self._turn(0.1)
        return self._heard.connack is not None or self._client.socket() is None

    def is_welcome(self) -> bool:
        """Whether the broker has let us in by now."""
        self._turn(0.0)
        return self._heard.connack is not None and self._heard.connack[0] == 0 and self._client.socket() is not None

    def enter(self) -> Self:
        """Take the broker's answer for what it is. The connection is closed where this raises."""
        if (refusal := self._refusal()) is not None:
            self.close()
            raise refusal
        return self

    def fits(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes a message of this size."""
        return self.max_packet_bytes is None or wire_bytes(topic, payload) <= self.max_packet_bytes

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
            HungUp: the broker has ended the connection, and did not say that no message is to blame.
            Unavailable: it has ended for another reason.
        """
        self._turn(timeout_s, wake)
        if self._client.socket() is None:
            raise self._heard.end or ClosedSilently(f"{self.where} closed the connection")

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
            self._count(sock)
            sock.close()

    def _turn(self, timeout_s: float, wake: Wake | None = None) -> None:
        sock: Any = self._client.socket()
        if sock is None:
            return
        # Bytes that TLS has read ahead are not seen by poll.
        pending = sock.pending() if hasattr(sock, "pending") else 0
        held_s = self._lane.wait_s() if self._lane and self.busy else 0.0
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self.busy and not held_s else 0))
        if wake:
            poll.register(wake, select.POLLIN)
        ready = dict(poll.poll(0 if pending else 1000 * (min(timeout_s, held_s) if held_s else timeout_s)))
        if wake and wake.fileno() in ready:
            wake.clear()
        if pending or ready.get(sock.fileno(), 0) & ~select.POLLOUT:
            self._client.loop_read()
        if self.busy:
            self._client.loop_write()
        if self._client.socket() is not None:
            self._count(sock)
        # paho's ping would wait behind a long message, and its answer be given up while that still moves.
        if self._client.socket() is not None and not self._under_way.is_slow(sock.fileno()):
            self._client.loop_misc()

    def _count(self, sock: Any) -> None:
        before, self._carried = self._carried, carried(sock.fileno(), self._carried)
        if self._carried != before:
            self._on_carried(self._carried.sent - before.sent, self._carried.received - before.received)

    def _refusal(self) -> Unavailable | None:
        if self._heard.connack:
            code, reason = self._heard.connack
            return refusal(self.where, code, reason) if code else None
        if self._client.socket() is not None:
            return no_answer(self.where, within_s=self._mqtt.connect_timeout)
        return hang_up_for_an_answer(self.where, tls=self._mqtt.tls)
