"""What one link has carried, and what for."""

from __future__ import annotations

from dataclasses import dataclass

from smartcam.data import Kind
from smartcam.mqtt.allowance import Allowance


@dataclass(slots=True)
class _Paid:
    kind: Kind
    unused: int
    """Bytes that were paid for and not seen on their way yet."""


class Meter:
    """Sets what the network really carries against what was paid for before it was sent. Of the link's thread.

    A connection keeps the order of what it is given, so the bytes that it carries are those of the oldest message.
    Whatever was not paid for is a state's, or the connection's own; it is paid for afterwards.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0
        self._allowance = allowance
        self._paid: dict[int, _Paid] = {}
        """By message number, the oldest first."""

    def paid(self, mid: int, kind: Kind, size: int) -> None:
        """A message was handed over."""
        self._paid[mid] = _Paid(kind, size)

    def carried(self, sent: int, received: int) -> None:
        """So many bytes more."""
        self.sent_bytes += sent
        self.received_bytes += received
        for message in self._paid.values():
            used = min(sent, message.unused)
            message.unused -= used
            sent -= used
        self._allowance.count("state", sent + received)

    def settled(self, mid: int) -> None:
        """It is there, and so all before it."""
        if mid in self._paid:
            for each in tuple(self._paid):
                self._refund(self._paid.pop(each))
                if each == mid:
                    return

    def disconnected(self) -> None:
        """What was not sent will be paid for again."""
        for message in self._paid.values():
            self._refund(message)
        self._paid.clear()

    def _refund(self, message: _Paid) -> None:
        self._allowance.refund(message.kind, message.unused)
