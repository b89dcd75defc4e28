"""What the outbox owes, on its way over one link: rows are taken, sent, and given back or done with."""

from __future__ import annotations

from collections.abc import Collection

from smartcam.data import Kind
from smartcam.mqtt.allowance import MEDIA, Allowance
from smartcam.mqtt.connection import Connection
from smartcam.mqtt.heard import Ack
from smartcam.mqtt.meter import Meter
from smartcam.mqtt.refusals import QUOTA_EXCEEDED, REFUSED
from smartcam.mqtt.topics import part_of
from smartcam.mqtt.wire import wire_bytes
from smartcam.owed import Outbox, Row

TRIES = 3
"""A picture on which the broker ends the connection so often, alone, is given up. Events never are.

Our own time-outs do not count: they tell of the way, not of the picture.
"""


PART_TRIES = 20
"""Of a part: brokers take its size, so the way is to blame sooner than the part."""


class Delivery:
    """Rows of some kinds. Of the link's thread."""

    def __init__(self, outbox: Outbox, kinds: Collection[Kind], allowance: Allowance, meter: Meter) -> None:
        self.published = 0
        self.denied = 0
        """Rows that the broker refused, or cannot take."""
        self._outbox = outbox
        self._kinds = kinds
        self._allowance = allowance
        self._meter = meter
        self._under_way: dict[int, Row] = {}
        """By message number, on the present connection."""

    def __len__(self) -> int:
        """Rows that are under way."""
        return len(self._under_way)

    @property
    def unsent(self) -> bool:
        """Whether anything could be sent that is not."""
        return bool(self._under_way) or self._outbox.depth(self._allowance.open(self._kinds)) > 0

    def send_next(self, connection: Connection) -> bool:
        """Whether there was one to send, and it may go now.

        A suspect goes alone: if the connection ends on it again, it is known which one it was.
        """
        if any(_is_suspect(row) for row in self._under_way.values()):
            return False
        row = self._outbox.take(self._allowance.open(self._kinds))
        if not row:
            return False
        if _is_suspect(row) and self._under_way:
            self._outbox.release(row.id)
            return False
        return self._send(connection, row)

    def settle(self, ack: Ack) -> None:
        """An answer; of a message that is none of these, nothing comes."""
        self._meter.settled(ack.mid)
        row = self._under_way.pop(ack.mid, None)
        if not row:
            return
        if ack.code < REFUSED:
            self._outbox.done(row.id)
            self.published += 1
            if not self._under_way:
                self._allowance.settled()
        elif ack.code == QUOTA_EXCEEDED:
            self._outbox.release(row.id)
        else:
            self._give_up(row, f"the broker says: {ack.reason}")

    def disconnected(self, *, hung_up: bool, rivals: bool = False) -> None:
        """Rows that nobody has answered for wait again; `hung_up` where one of them may be to blame.

        Where `rivals` may be, no whole is given up for it. A part is: it grows smaller with its tries, until rivals let
        it through.
        """
        if hung_up:
            self._give_up_poison(rivals=rivals)
        self._outbox.release_all(self._kinds, blamed=hung_up)
        self._under_way.clear()

    def _send(self, connection: Connection, row: Row) -> bool:
        message = row.message
        size = wire_bytes(message.topic, message.payload)
        if not connection.fits(message.topic, message.payload):
            self._give_up(row, "it is larger than the broker takes")
            return True
        if not self._allowance.ever_fits(message.kind, size):
            self._give_up(row, "it is larger than all that uplink.daily leaves for its kind")
            return True
        if not self._allowance.pay(message.kind, size):
            self._outbox.release(row.id)
            return False
        try:
            mid = connection.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retain, expiry_s=message.expiry_s
            )
        except ValueError as error:
            self._allowance.refund(message.kind, size)
            self._give_up(row, f"its topic is none: {error}")
            return True
        self._meter.paid(mid, message.kind, size)
        self._under_way[mid] = row
        return True

    def _give_up(self, row: Row, reason: str) -> None:
        self._outbox.failed(row.id, reason)
        self.denied += 1

    def _give_up_poison(self, *, rivals: bool) -> None:
        """A broker without MQTT 5 cannot say that a message is too large: it ends the connection, every time."""
        for row in self._under_way.values():
            is_part = part_of(row.message.topic) is not None
            if _is_suspect(row) and row.tries + 1 >= (PART_TRIES if is_part else TRIES) and (is_part or not rivals):
                self._give_up(row, "the connection ends on it every time: it may be too large")


def _is_suspect(row: Row) -> bool:
    """Whether the broker hung up while it was under way, and it may be to blame."""
    return row.tries > 0 and row.message.kind in MEDIA
