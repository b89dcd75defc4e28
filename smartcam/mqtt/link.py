"""The link: keeps one connection to the broker, and sends over it what the outbox owes and what the node is.

A broken connection loses nothing: rows that the broker has not answered for wait again in the outbox, in
their old place, and are published again over the next one. (paho could resend them itself, but only from
memory, without asking whether the new connection still takes them.) The broker may get a message twice;
the second bears the same id and seq.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from smartcam.config.sections import Mqtt
from smartcam.data import Kind, Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.broker import advise
from smartcam.mqtt.connection import Ack, Connection, HungUp, connect
from smartcam.mqtt.protocol import Known, Protocol
from smartcam.mqtt.wake import Wake
from smartcam.owed import Outbox, Row
from smartcam.workers import Alive

log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
SESSION_S = 24 * 3600
"""How long commands wait at the broker for a link that is away."""
FLUSH_S = 3.0
"""How long what waits may still be sent at the end."""
TRIES = 3
"""A picture on which the broker ends the connection so often, alone, is given up. Events never are.

Our own time-outs do not count: they tell of the way, not of the picture.
"""
MEDIA: frozenset[Kind] = frozenset({"snapshot", "clip"})
TICK_S = 0.25
"""How late a stop may be noticed. Messages and the network wake the loop at once."""
REFUSED = 0x80
QUOTA_EXCEEDED = 0x97


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

    @property
    def reconnects(self) -> int:
        return max(0, self.connects - 1)


class Link:
    """One connection, kept up. `run` is a Worker's loop; everything else may be called from any thread.

    The link with a `status_topic` says `online` there first thing after each connect, `offline` when it is
    stopped, and leaves `offline` as its last will.
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
    ) -> None:
        self.status = LinkStatus()
        self._mqtt = mqtt
        self._client_id = client_id
        self._outbox = outbox
        self._kinds = kinds
        self._status_topic = status_topic
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._wake = Wake()
        self._lock = threading.Lock()
        self._state: dict[str, tuple[bytes, int]] = {}
        """Topic → payload and QoS, as they should stand at the broker."""
        if status_topic:
            self._state[status_topic] = ONLINE, 1
        self._stale: dict[str, None] = {}
        """Topics whose state the broker does not have, in order."""
        self._brief: deque[Message] = deque(maxlen=32)
        self._known = Known()
        self._pause_s = mqtt.retry_min
        self._quota_until = 0.0
        # Of the present connection, by message number: what the broker has not answered for.
        self._rows: dict[int, Row] = {}
        self._states: dict[int, str] = {}

    def publish_state(self, topic: str, payload: str | bytes, *, qos: int = 1) -> None:
        """Keep a retained topic at this value: sent when it changes, and again after each connect."""
        value = payload.encode() if isinstance(payload, str) else payload, qos
        with self._lock:
            if self._state.get(topic) == value:
                return
            self._state[topic] = value
            self._stale[topic] = None
        self._wake.set()

    def publish_now(self, message: Message) -> bool:
        """Send if there is a connection; false, and forgotten, if there is none. QoS 0."""
        if not self.status.connected:
            return False
        self._brief.append(message)
        self._wake.set()
        return True

    def run(self, alive: Alive) -> None:
        """Connect, serve, and connect again, until `alive` ends; then send what waits and take leave."""
        advise(self._mqtt)
        with self._wake, self._outbox.listener(self._wake.set):
            while alive():
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
        session_s = SESSION_S if self._subscriptions else 0
        connection = connect(self._mqtt, self._client_id, alive, will=will, session_s=session_s, known=self._known)
        end, hung_up = "the link failed: see the log", False
        try:
            self._is_up(connection)
            yield connection
            end = "stopped"
        except Unavailable as error:
            end, hung_up = str(error), isinstance(error, HungUp)
            self._settle(connection)
            if hung_up:
                self._give_up_poison()
            raise
        finally:
            # Also after an exception that is none of ours: the next run begins afresh.
            self._is_down(end)
            connection.close()
            self._outbox.release_all(self._kinds, blamed=hung_up)
            self._rows.clear()
            self._states.clear()

    def _is_up(self, connection: Connection) -> None:
        with self._lock:
            self._stale = dict.fromkeys(self._state)
        self.status = replace(
            self.status,
            connected=True,
            protocol=connection.protocol,
            reason=None,
            connects=self.status.connects + 1,
        )
        log.info("%s: connected to %s, MQTT %s", self._client_id, connection.where, connection.protocol)
        if self._subscriptions:
            connection.subscribe(self._subscriptions)

    def _is_down(self, reason: str) -> None:
        self._brief.clear()
        if reason != self.status.reason:
            log.log(logging.INFO if reason == "stopped" else logging.WARNING, "%s: %s", self._client_id, reason)
        self.status = replace(self.status, connected=False, reason=reason)

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
        while (self._stale or self._rows or self._outbox.depth(self._kinds)) and time.monotonic() < until:
            self._turn(connection)
        if self._status_topic:
            mid = connection.publish(self._status_topic, OFFLINE, qos=1, retain=True)
            self._states[mid] = self._status_topic
            while mid in self._states and time.monotonic() < until + 1:
                connection.turn(TICK_S)
                self._settle(connection)
            if mid in self._states:
                return  # Without leave: the broker, when it gets to it, publishes the will.
        connection.disconnect()

    def _turn(self, connection: Connection) -> None:
        self._send_states(connection)
        self._send_briefs(connection)
        self._send_rows(connection)
        connection.turn(TICK_S, self._wake)
        self._settle(connection)
        self._hand_on(connection)

    def _send_states(self, connection: Connection) -> None:
        while self._has_room(connection) and (state := self._next_state()):
            topic, payload, qos = state
            self._states[connection.publish(topic, payload, qos=qos, retain=True)] = topic

    def _next_state(self) -> tuple[str, bytes, int] | None:
        with self._lock:
            topic = next(iter(self._stale), None)
            if topic is None:
                return None
            del self._stale[topic]
            return topic, *self._state[topic]

    def _send_briefs(self, connection: Connection) -> None:
        """Those for which the network has room at once: old boxes are worth nothing."""
        while self._brief:
            message = self._brief.popleft()
            if not connection.busy:
                connection.publish(message.topic, message.payload, qos=0, expiry_s=message.expiry_s)

    def _send_rows(self, connection: Connection) -> None:
        while self._has_room(connection) and (row := self._outbox.take(self._kinds)):
            if _is_suspect(row) and self._rows:
                self._outbox.release(row.id)
                return
            self._send_row(connection, row)

    def _has_room(self, connection: Connection) -> bool:
        """A suspect goes alone: if the connection ends on it again, it is known which one it was."""
        under_way = len(self._rows) + len(self._states)
        if time.monotonic() < self._quota_until or any(_is_suspect(row) for row in self._rows.values()):
            return False
        return under_way < connection.window

    def _send_row(self, connection: Connection, row: Row) -> None:
        message = row.message
        if not connection.fits(message.topic, message.payload):
            self._give_up(row, "it is larger than the broker takes")
            return
        try:
            mid = connection.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retain, expiry_s=message.expiry_s
            )
        except ValueError as error:
            self._give_up(row, f"its topic is none: {error}")
            return
        self._rows[mid] = row

    def _settle(self, connection: Connection) -> None:
        while connection.acks:
            ack = connection.acks.popleft()
            if row := self._rows.pop(ack.mid, None):
                self._settle_row(row, ack)
            elif (topic := self._states.pop(ack.mid, None)) and ack.code >= REFUSED:
                self._settle_refused_state(topic, ack)

    def _settle_row(self, row: Row, ack: Ack) -> None:
        if ack.code < REFUSED:
            self._outbox.done(row.id)
            self.status = replace(self.status, published=self.status.published + 1)
        elif ack.code == QUOTA_EXCEEDED:
            self._outbox.release(row.id)
            self._wait_for_quota()
        else:
            self._give_up(row, f"the broker says: {ack.reason}")

    def _settle_refused_state(self, topic: str, ack: Ack) -> None:
        if ack.code == QUOTA_EXCEEDED:
            with self._lock:
                self._stale[topic] = None
            self._wait_for_quota()
            return
        self.status = replace(self.status, denied=self.status.denied + 1)
        log.warning("%s: the broker does not take it: %s", topic, ack.reason)

    def _wait_for_quota(self) -> None:
        self._quota_until = time.monotonic() + self._mqtt.retry_max

    def _give_up(self, row: Row, reason: str) -> None:
        self._outbox.failed(row.id, reason)
        self.status = replace(self.status, denied=self.status.denied + 1)

    def _give_up_poison(self) -> None:
        """A broker without MQTT 5 cannot say that a message is too large: it ends the connection, every time."""
        for row in self._rows.values():
            if _is_suspect(row) and row.tries + 1 >= TRIES:
                self._give_up(row, "the connection ends on it every time: it may be too large")

    def _hand_on(self, connection: Connection) -> None:
        while connection.arrived:
            arrival = connection.arrived.popleft()
            # A retained command is an old one: it was meant for another moment.
            if self._on_message and not arrival.retained:
                self._on_message(arrival.topic, arrival.payload)


def _is_suspect(row: Row) -> bool:
    """Whether the broker hung up while it was under way, and it may be to blame."""
    return row.tries > 0 and row.message.kind in MEDIA
