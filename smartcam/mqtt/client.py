"""paho's client, set up as we want it but not connected."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smartcam.config.sections import Mqtt
from smartcam.data import Message
from smartcam.mqtt.broker import password, tls_context
from smartcam.mqtt.pace import Lane
from smartcam.mqtt.protocol import Protocol

if TYPE_CHECKING:
    from paho.mqtt.client import Client


LARGEST_COMMAND_BYTES = 16 * 1024
"""Of a packet that a broker of MQTT 5 may send to a link: more is none of ours, and would cost as much as we send."""


def new_client(
    mqtt: Mqtt,
    client_id: str,
    protocol: Protocol,
    will: Message | None,
    *,
    clean: bool,
    lane: Lane | None,
    on_failure: Callable[[socket.socket], None],
) -> Client:
    """A client without callbacks. The password is read anew each time.

    It writes through `lane`; `on_failure` gets a socket that is no connection because TLS failed.

    Raises:
        BadConfig: a file that the configuration names cannot be used.
    """
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    url = urlsplit(mqtt.url)
    v5 = protocol == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if v5 else clean,
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if url.scheme in ("ws", "wss") else "tcp",
        reconnect_on_failure=False,
    )
    client.connect_timeout = max(mqtt.connect_timeout, 0.1)
    if url.scheme in ("ws", "wss"):
        client.ws_set_options(path=url.path or "/mqtt")
    if mqtt.tls:
        client.tls_set_context(tls_context(mqtt, on_failure))
    if mqtt.username:
        client.username_pw_set(mqtt.username, password(mqtt))
    if will:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    if lane:
        _write_through(client, lane)
    return client


def _write_through(client: Client, lane: Lane) -> None:
    # The one place where paho's writes can be cut small. What it is told of a partial write, and of none, it takes as
    # it takes it from the kernel.
    send = client._sock_send
    client._sock_send = lambda buf: lane.write(send, buf)  # type: ignore[method-assign]  # see above


def session_arguments(protocol: Protocol, session_s: int | None) -> dict[str, Any]:
    """What `Client.connect` is told about the session; in 3.1.1 the client itself knows."""
    if protocol != "5":
        return {}
    more = {"SessionExpiryInterval": session_s, "MaximumPacketSize": LARGEST_COMMAND_BYTES} if session_s else None
    # No property where none is needed: some brokers for 3.1.1 wait for ever for the rest of such a CONNECT.
    return {"clean_start": session_s is None, "properties": properties("CONNECT", **more) if more else None}


def properties(packet: str, **values: int) -> Any:
    """MQTT 5's properties of a packet."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    made = Properties(getattr(PacketTypes, packet))  # type: ignore[no-untyped-call]  # as paho has it
    for name, value in values.items():
        setattr(made, name, value)
    return made
