"""Taking a device for this process: which one, our lock on it, and a reset where it seems to need one."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from smartcam.detect.devices import EdgeTpu, choose, find_edge_tpus
from smartcam.detect.lock import DeviceLock, InUse, user_of
from smartcam.errors import Unavailable

log = logging.getLogger(__name__)

USBDEVFS_RESET = 0x5514
"""_IO('U', 20) of linux/usbdevice_fs.h: what unplugging it and plugging it in again would do."""
AWAY_S = 5.0
"""How long a stick may be gone after a reset."""
LOOK_EVERY_S = 0.1


@contextmanager
def claimed(device: str, *, reset: bool = False) -> Iterator[str]:
    """Hold the device that "cpu" or "edgetpu[:WHICH]" means for as long as the block lasts; gives its exact name.

    Raises Unavailable where there is none, or another process has it.
    """
    if not device.startswith("edgetpu"):
        yield device
        return
    with ExitStack() as held:
        tpu = _lock_one(device.partition(":")[2], held)
        if reset and tpu.bus == "usb":
            _reset(tpu)
        yield f"edgetpu:{_name_now(tpu)}"


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


def _name_now(tpu: EdgeTpu) -> str | None:
    """What libedgetpu calls it by now: a reset may cost a stick its firmware, and so its place among the others."""
    until = time.monotonic() + AWAY_S
    while True:
        for each in find_edge_tpus():
            if each.identity == tpu.identity:
                return each.name
        if time.monotonic() > until:
            raise Unavailable(f"the Edge TPU {tpu} went away while it was claimed: plug it in again")
        time.sleep(LOOK_EVERY_S)
