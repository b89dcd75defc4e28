"""One connection to the broker, from its opening to its end, driven by the thread that owns it.

Each connection has a paho client of its own. The client's callbacks only enqueue; what has come of it
is looked at between two turns of the loop, so nothing that a callback could raise can hide in paho.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias
from urllib.parse import urlsplit

from smartcam.config.sections import Mqtt
from smartcam.data import Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.broker import address, credentials, port, sentence, tls_context
from smartcam.mqtt.wake import Wake
from smartcam.workers import Alive

if TYPE_CHECKING:
    from paho.mqtt.client import Client

Protocol: TypeAlias = Literal["5", "3.1.1"]

WINDOW = 20
"""Messages that may be under way at once; a broker may ask for fewer."""
UNSUPPORTED_PROTOCOL = 0x84
ADVICE = {
    0x86: " (look at mqtt.username and the password_file)",
    0x87: " (look at mqtt.username and the password_file)",
    0x85: " (another client id may be wanted: it comes from node.name)",
}
"""What to do about a refusal, by its reason code."""
HEADER_BYTES = 15
"""The most that MQTT adds to topic and payload: type, length, topic length, packet id, one property."""


class NotMqtt5(Unavailable):
    """The broker does not speak MQTT 5, as far as can be told from outside."""


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
    only_5: bool = False,
) -> Connection:
    """Open a connection: MQTT 5, or else 3.1.1, unless the broker is known to speak 5 (`only_5`).

    `session_s` is how long the broker keeps our subscriptions after the end; None begins without old ones.
    Blocks for `connect_timeout` at most, for each of: address of the host, TLS, the broker's answer.

    Raises:
        Unavailable: there is no broker, it refuses, or it cannot prove who it is.
        BadConfig: a file that the configuration names cannot be used.
    """
    try:
        return Connection(mqtt, client_id, "5", will, session_s).open(alive)
    except NotMqtt5:
        if only_5:
            raise
    return Connection(mqtt, client_id, "3.1.1", will, session_s).open(alive)


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
        self._end: str | None = None
        """Why the connection ended, where the broker or the silence told."""

    def open(self, alive: Alive) -> Self:
        """Connect, and wait for the broker's answer. The connection is closed again where this raises."""
        self._client = self._new_client()
        url = urlsplit(self._mqtt.url)
        keepalive_s = min(max(1, round(self._mqtt.keepalive)), 65535)
        try:
            self._client.connect(url.hostname or "", port(url), keepalive_s, **self._session())
        except (OSError, UnicodeError) as error:
            raise Unavailable(sentence(error, self._mqtt)) from error
        try:
            self._await_connack(alive)
        except SmartcamError:
            self.close()
            raise
        self.opened_at = time.monotonic()
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
        properties = None
        if expiry_s is not None and self.protocol == "5":
            properties = _properties("PUBLISH", MessageExpiryInterval=expiry_s)
        return self._client.publish(topic, payload, qos, retain, properties).mid

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
            Unavailable: the connection has ended.
        """
        self._turn(timeout_s, wake)
        if self._client.socket() is None:
            raise Unavailable(self._end or f"{self.where} closed the connection")

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
        self._client.loop_misc()

    def _await_connack(self, alive: Alive) -> None:
        timeout_s = self._mqtt.connect_timeout
        until = time.monotonic() + timeout_s
        while self._connack is None and self._client.socket() is not None:
            if not alive():
                raise Unavailable(f"{self.where}: stopped while connecting")
            if time.monotonic() > until:
                # A broker that takes the CONNECT of MQTT 5 for one of 3.1.1 may wait for bytes that never come.
                words = f"takes the connection but says nothing for {timeout_s:g} s"
                raise self._refusal(UNSUPPORTED_PROTOCOL, words)
            self._turn(0.1)
        if self._connack is None:
            hint = "does it want a client certificate?" if self._mqtt.tls else "is it an MQTT broker?"
            raise self._refusal(UNSUPPORTED_PROTOCOL, f"closed the connection before it answered: {hint}")
        code, reason = self._connack
        if code:
            raise self._refusal(code, f"refuses the connection: {reason}{ADVICE.get(code, '')}")

    def _refusal(self, code: int, words: str) -> Unavailable:
        kind = NotMqtt5 if code == UNSUPPORTED_PROTOCOL and self.protocol == "5" else Unavailable
        return kind(f"{self.where} {words}")

    def _new_client(self) -> Client:
        """A client that is set up but not connected. Credentials are read anew each time."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        mqtt, url = self._mqtt, urlsplit(self._mqtt.url)
        v5 = self.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if v5 else self._session_s is None,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if url.scheme in ("ws", "wss") else "tcp",
            reconnect_on_failure=False,
        )
        client.connect_timeout = max(mqtt.connect_timeout, 0.1)
        if url.scheme in ("ws", "wss"):
            client.ws_set_options(path=url.path or "/mqtt")
        if mqtt.tls:
            client.tls_set_context(tls_context(mqtt))
        if mqtt.username or mqtt.password_file:
            client.username_pw_set(*credentials(mqtt))
        if self._will:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _session(self) -> dict[str, Any]:
        if self.protocol != "5":
            return {}
        # No property where none is needed: some brokers for 3.1.1 wait for ever for the rest of such a CONNECT.
        properties = _properties("CONNECT", SessionExpiryInterval=self._session_s) if self._session_s else None
        return {"clean_start": self._session_s is None, "properties": properties}

    # The callbacks. They only assign and enqueue, so there is nothing they could raise.

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        self._connack = reason.value, str(reason).lower()
        self._max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = f"{self.where} ended the connection: {str(reason).lower()}"
        elif reason.getName() == "Keep alive timeout":
            self._end = f"{self.where} no longer answers"

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self.acks.append(Ack(mid, reason.value, str(reason).lower()))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        self.granted = [reason.value for reason in reasons]

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        with suppress(UnicodeDecodeError):  # A topic that is no UTF-8 cannot be one of ours.
            self.arrived.append(Arrival(message.topic, bytes(message.payload), message.retain))


def _properties(packet: str, **values: int) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(getattr(PacketTypes, packet))  # type: ignore[no-untyped-call]  # as paho has it
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
