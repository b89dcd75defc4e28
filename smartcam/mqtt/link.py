"""The link: keeps one connection to the broker, and sends over it what the outbox owes and what the node is.

A broken connection loses nothing: rows that the broker has not answered for wait again in the outbox, in
their old place, and are published again over the next one. (paho could resend them itself, but only from
memory, without asking whether the new connection still takes them.) The broker may get a message twice;
the second bears the same id and seq.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from smartcam.config.sections import Mqtt
from smartcam.data import Kind, Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.allowance import MEDIA, Allowance
from smartcam.mqtt.briefs import Briefs
from smartcam.mqtt.broker import advise
from smartcam.mqtt.connection import Connection, connect
from smartcam.mqtt.delivery import Delivery
from smartcam.mqtt.meter import Meter
from smartcam.mqtt.pace import Way
from smartcam.mqtt.protocol import Known, Protocol
from smartcam.mqtt.quota import Quota
from smartcam.mqtt.refusals import HungUp
from smartcam.mqtt.rivals import Rivals
from smartcam.mqtt.states import States
from smartcam.mqtt.wake import Wake
from smartcam.owed import Outbox
from smartcam.workers import Alive

log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
SESSION_S = 24 * 3600
"""How long commands wait at the broker for a link that is away."""
FLUSH_S = 3.0
"""How long what waits may still be sent at the end."""
SPENT = "uplink.daily is spent: it connects when pictures may go again"
TICK_S = 0.25
"""How late a stop may be noticed. Messages and the network wake the loop at once."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the connection is, for N/health."""

    connected: bool = False
    protocol: Protocol | None = None
    reason: str | None = "not connected yet"
    """Why it is not connected; never holds a secret."""
    connects: int = 0
    published: int = 0
    denied: int = 0
    """Messages that the broker refused, or cannot take."""
    sent_bytes: int = 0
    received_bytes: int = 0
    """On the wire, by all connections."""
    trouble: str = ""
    """What is wrong although it may be connected, as one sentence, or nothing."""

    @property
    def reconnects(self) -> int:
        return max(0, self.connects - 1)


class Link:
    """One connection, kept up. `run` is a Worker's loop; everything else may be called from any thread.

    The link with a `status_topic` says `online` there first thing after each connect, `offline` when it is
    stopped, and leaves `offline` as its last will. One that carries media alone gives way to the others.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        client_id: str,
        *,
        outbox: Outbox,
        kinds: Collection[Kind],
        status_topic: str | None = None,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[str, bytes], None] | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self._status = LinkStatus()
        self._mqtt = mqtt
        self._client_id = client_id
        self._outbox = outbox
        self._kinds = kinds
        self._status_topic = status_topic
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._allowance = allowance or Allowance(outbox)
        self._meter = Meter(self._allowance)
        self._way = Way(self._allowance.pace, gives_way=MEDIA.issuperset(kinds), on_carried=self._meter.carried)
        self._wake = Wake()
        self._states = States()
        if status_topic:
            self._states.keep(status_topic, ONLINE)
        self._delivery = Delivery(outbox, kinds, self._allowance, self._meter)
        self._briefs = Briefs(self._allowance, self._meter)
        self._known = Known()
        self._rivals = Rivals(client_id)
        self._pause_s = mqtt.retry_min
        self._quota = Quota(mqtt.retry_max)

    @property
    def status(self) -> LinkStatus:
        return replace(
            self._status,
            published=self._delivery.published,
            denied=self._delivery.denied + self._states.denied + self._briefs.denied,
            sent_bytes=self._meter.sent_bytes,
            received_bytes=self._meter.received_bytes,
            trouble=self._rivals.trouble,
        )

    def publish_state(self, topic: str, payload: str | bytes, *, qos: int = 1) -> None:
        """Keep a retained topic at this value: sent when it changes, and again after each connect."""
        if self._states.keep(topic, payload.encode() if isinstance(payload, str) else payload, qos):
            self._wake.set()

    def publish_now(self, message: Message) -> bool:
        """Send if there is a connection; false, and forgotten, if there is none. QoS 0."""
        if not self._status.connected:
            return False
        self._briefs.put(message)
        self._wake.set()
        return True

    def run(self, alive: Alive) -> None:
        """Connect, serve, and connect again, until `alive` ends; then send what waits and take leave."""
        advise(self._mqtt)
        with self._wake, self._outbox.listener(self._wake.set):
            while alive():
                if self._way.gives_way and not self._allowance.open(self._kinds):
                    # A connection costs some kilobytes, with TLS.
                    self._is_down(SPENT)
                    time.sleep(TICK_S)
                    continue
                try:
                    with self._connected(alive) as connection:
                        self._serve(connection, alive)
                        self._take_leave(connection)
                except SmartcamError as error:
                    self._is_down(str(error))
                    self._wait_to_retry(alive)
            self._is_down("stopped")

    @contextmanager
    def _connected(self, alive: Alive) -> Iterator[Connection]:
        will = Message(self._status_topic, OFFLINE, "event", retain=True) if self._status_topic else None
        connection = connect(
            self._mqtt,
            self._client_id,
            alive,
            will=will,
            session_s=SESSION_S if self._subscriptions else 0,
            known=self._known,
            way=self._way,
        )
        end, hung_up, rivals = "the link failed: see the log", False, False
        try:
            self._is_up(connection)
            yield connection
            end = "stopped"
        except Unavailable as error:
            self._rivals.ended(error)
            end, hung_up, rivals = str(error), isinstance(error, HungUp), bool(self._rivals.trouble)
            self._settle(connection)
            raise
        finally:
            # Also after an exception that is none of ours: the next run begins afresh.
            self._is_down(end)
            connection.close()
            self._delivery.disconnected(hung_up=hung_up, rivals=rivals)
            self._states.disconnected()
            self._meter.disconnected()

    def _is_up(self, connection: Connection) -> None:
        self._states.connected()
        self._allowance.broker_takes(connection.max_packet_bytes)
        self._status = replace(
            self._status,
            connected=True,
            protocol=connection.protocol,
            reason=None,
            connects=self._status.connects + 1,
        )
        log.info("%s: connected to %s, MQTT %s", self._client_id, connection.where, connection.protocol)
        if self._subscriptions:
            connection.subscribe(self._subscriptions)

    def _is_down(self, reason: str) -> None:
        self._briefs.clear()
        if reason != self._status.reason:
            level = logging.INFO if reason in ("stopped", SPENT) else logging.WARNING
            log.log(level, "%s: %s", self._client_id, reason)
        self._status = replace(self._status, connected=False, reason=reason)

    def _wait_to_retry(self, alive: Alive) -> None:
        # Spread out, so that a hundred nodes do not come back at the same moment.
        until = time.monotonic() + self._pause_s * random.uniform(0.8, 1.2)
        self._pause_s = min(self._pause_s * 2, self._mqtt.retry_max)
        while alive() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, TICK_S))

    def _serve(self, connection: Connection, alive: Alive) -> None:
        while alive():
            self._turn(connection)
            if time.monotonic() - connection.opened_at > self._mqtt.retry_max:
                # Not at once: two nodes with one client id would throw each other out in a hot loop.
                self._pause_s = self._mqtt.retry_min

    def _take_leave(self, connection: Connection) -> None:
        until = time.monotonic() + FLUSH_S
        while (self._states.unsent or self._delivery.unsent) and time.monotonic() < until:
            self._turn(connection)
        if self._status_topic:
            mid = self._states.send(connection, self._status_topic, OFFLINE, 1)
            while self._states.is_under_way(mid) and time.monotonic() < until + 1:
                connection.turn(TICK_S)
                self._settle(connection)
            if self._states.is_under_way(mid):
                return  # Without leave: the broker, when it gets to it, publishes the will.
        connection.disconnect()

    def _turn(self, connection: Connection) -> None:
        while self._has_room(connection) and self._states.send_next(connection):
            pass
        self._briefs.send(connection)
        while self._has_room(connection) and self._delivery.send_next(connection):
            pass
        connection.turn(TICK_S, self._wake)
        self._settle(connection)
        self._hand_on(connection)

    def _has_room(self, connection: Connection) -> bool:
        """Not while bytes wait for the network: what comes meanwhile may matter more, and a ping must get through."""
        under_way = len(self._delivery) + len(self._states)
        return under_way < connection.window and not connection.busy and self._quota.is_open

    def _settle(self, connection: Connection) -> None:
        while connection.acks:
            ack = connection.acks.popleft()
            self._quota.heard(ack)
            self._delivery.settle(ack)
            self._states.settle(ack)

    def _hand_on(self, connection: Connection) -> None:
        while connection.arrived:
            arrival = connection.arrived.popleft()
            # A retained command is an old one: it was meant for another moment.
            if self._on_message and not arrival.retained:
                self._on_message(arrival.topic, arrival.payload)
