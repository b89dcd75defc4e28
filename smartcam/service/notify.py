"""sd_notify: tells systemd how the service is doing. Where systemd does not listen, nothing happens.

The protocol is that of sd_notify(3): lines ``NAME=value`` in one datagram to the socket in $NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket
import time

TIMEOUT_S = 1.0
"""A service manager that is busy or stopped must not hold the daemon up."""


def ready(status: str = "") -> bool:
    """Start-up or a reload is over. As all of these, returns whether anybody was told."""
    return _send("READY=1", *([_status(status)] if status else []))


def reloading() -> bool:
    """A reload has begun; `ready` ends it."""
    return _send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def status(text: str) -> bool:
    """One line for `systemctl status`."""
    return _send(_status(text))


def stopping() -> bool:
    """Shutdown has begun."""
    return _send("STOPPING=1")


def feed_watchdog() -> bool:
    """Keep the watchdog quiet until the next interval."""
    return _send("WATCHDOG=1")


def watchdog_interval_s() -> float | None:
    """How often the watchdog wants to be fed: half of its limit; None when it does not watch this process."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not limit_us.isdecimal() or not int(limit_us) or watched != str(os.getpid()):
        return None
    return int(limit_us) / 1e6 / 2


def _status(text: str) -> str:
    # A line break would begin another assignment.
    return f"STATUS={' '.join(text.split())}"


def _send(*assignments: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        messenger.settimeout(TIMEOUT_S)
        try:
            messenger.connect(address)
            messenger.sendall("\n".join(assignments).encode())
        except OSError:
            return False
    return True
