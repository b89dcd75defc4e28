"""What a TCP connection has carried, as the kernel counts it: with TLS and all, without TCP's and IP's own headers."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

BYTES_ACKED_AT = 120
"""Offset of tcpi_bytes_acked and tcpi_bytes_received, 64 bits each, in struct tcp_info of linux/tcp.h (Linux 4.1)."""
HEADER_BYTES = 15
"""The most that MQTT adds to topic and payload: type, length, topic length, packet id, one property."""
_COUNTERS = struct.Struct("=QQ")


class Carried(NamedTuple):
    """Bytes since a connection was opened."""

    sent: int = 0
    """Handed to the kernel, with one of the connection's opening."""
    received: int = 0
    acked: int = 0
    """Of those sent: that the other end's kernel has."""


NOTHING = Carried()


def carried(fileno: int, before: Carried = NOTHING) -> Carried:
    """So far, where `before` was counted earlier; that again where the system does not tell."""
    if fileno < 0 or not hasattr(socket, "TCP_INFO"):
        return before
    with _borrowed(fileno) as sock:
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED_AT + _COUNTERS.size)
            queued = struct.unpack("=i", fcntl.ioctl(fileno, termios.TIOCOUTQ, b"\0" * 4))[0]
        except OSError:
            return before
    if len(info) < BYTES_ACKED_AT + _COUNTERS.size:
        return before
    acked, received = _COUNTERS.unpack_from(info, BYTES_ACKED_AT)
    # What was queued when the connection was reset is queued no more, but it was sent.
    return Carried(max(acked + queued, before.sent), max(received, before.received), acked)


def wire_bytes(topic: str, payload: bytes) -> int:
    """The most that a message takes on the wire."""
    return len(topic.encode()) + len(payload) + HEADER_BYTES


def limit_buffer(fileno: int, size: int) -> None:
    """Let the kernel take no more than so many bytes, and as many for its own use, before they are acknowledged."""
    with _borrowed(fileno) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


@contextmanager
def _borrowed(fileno: int) -> Iterator[socket.socket]:
    """Whatever wraps it, and without closing it."""
    sock = socket.socket(fileno=fileno)
    try:
        yield sock
    finally:
        sock.detach()
