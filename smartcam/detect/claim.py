"""Taking a device for this process: which one, our lock on it, and a reset where it seems to need one."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from smartcam.detect.devices import EdgeTpu, choose, find_edge_tpus
from smartcam.detect.lock import DeviceLock, InUse, user_of
from smartcam.errors import Unavailable

log = logging.getLogger(__name__)

USBDEVFS_RESET = 0x5514
"""_IO('U', 20) of linux/usbdevice_fs.h: what unplugging it and plugging it in again would do."""
AWAY_S = 5.0
"""How long a stick may be gone after a reset."""
QUEUE_S = 10.0
"""How long to wait for another process that opens a stick; one that hangs is killed later."""
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Claim:
    """A device that no other process of ours may open; for the CPU, nothing."""

    device: str
    """As it was asked for."""
    tpu: EdgeTpu | None = None
    reset: bool = False
    """Whether a stick's port is reset first."""

    @contextmanager
    def opening(self) -> Iterator[str]:
        """What to open, "cpu" or "edgetpu:" and libedgetpu's name of the device, which holds while the block lasts.

        Raises Unavailable where it has just been unplugged.
        """
        if self.tpu is None:
            yield self.device
            return
        with ExitStack() as queue:
            if self.tpu.bus == "usb":
                _queue_up(queue)
                if self.reset:
                    _reset(self.tpu)
            yield f"edgetpu:{_name_now(self.tpu)}"


@contextmanager
def claimed(device: str, *, reset: bool = False) -> Iterator[Claim]:
    """Hold the device that "cpu" or "edgetpu[:WHICH]" means for as long as the block lasts.

    Raises Unavailable where there is none, or another process has it.
    """
    if not device.startswith("edgetpu"):
        yield Claim(device)
        return
    with ExitStack() as held:
        tpu = _lock_one(device.partition(":")[2], held)
        yield Claim(device, tpu, reset)


def _lock_one(which: str, held: ExitStack) -> EdgeTpu:
    """The first that is free: one that is being opened does not look used yet, but its lock is taken."""
    tpus = find_edge_tpus()
    while True:
        tpu = choose(which, tpus)
        try:
            held.enter_context(DeviceLock(tpu.identity))
        except InUse:
            tpus[tpus.index(tpu)] = replace(tpu, state="in use", owner_pid=user_of(tpu.identity))
        else:
            return tpu


def _reset(tpu: EdgeTpu) -> None:
    """Reset the stick's port, where this process may: a stick that hangs may come to itself."""
    if tpu.node is None:
        return
    try:
        with tpu.node.open("r+b", buffering=0) as node:
            fcntl.ioctl(node, USBDEVFS_RESET, 0)
    except OSError as error:
        log.warning("the Edge TPU %s could not be reset: %s", tpu, error.strerror)


def _queue_up(queue: ExitStack) -> None:
    """One stick at a time: while one gets its firmware, the names of the others change, and they are opened by name."""
    until = time.monotonic() + QUEUE_S
    while time.monotonic() < until:
        try:
            queue.enter_context(DeviceLock("usb"))
        except InUse:
            time.sleep(LOOK_EVERY_S)
        else:
            return
    log.warning("another process has been opening an Edge TPU for %g s: not waiting for it", QUEUE_S)


def _name_now(tpu: EdgeTpu) -> str | None:
    """What libedgetpu calls it by now: a stick that gets its firmware, or loses it by a reset, changes its place."""
    until = time.monotonic() + AWAY_S
    while True:
        for each in find_edge_tpus():
            if each.identity == tpu.identity:
                return each.name
        if time.monotonic() > until:
            raise Unavailable(f"the Edge TPU {tpu} went away while it was claimed: plug it in again")
        time.sleep(LOOK_EVERY_S)
