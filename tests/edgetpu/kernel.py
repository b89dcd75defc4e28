"""The kernel's part of an emulated Edge TPU: who has it open, for as long as that process lives.

The library says whom it opens for, and keeps the connection. It ends with its process, however that dies, and then the
device is free, as the kernel closes the files of a dead process. On SYSFS/emulated/kernel, one packet each: in, the
device's folder, the process and which of its openings this is; out, "open", or "refused".
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.edgetpu.sysfs import UNINITIALISED, FakeDevice, FakeSysfs

AWAY_S = 0.2
"""How long a stick is gone when it gets its firmware; a real one takes a second or two."""
COLDEST_LIVING_MILLIDEGREES = -50_000
MAX_PACKET_BYTES = 4096


class Opening(NamedTuple):
    """A device that somebody has open."""

    device: FakeDevice
    owner: str


class Kernel:
    """One thread; it serves until its socket for that purpose is closed."""

    def __init__(self, sysfs: FakeSysfs, listener: socket.socket, end: socket.socket) -> None:
        self._sysfs = sysfs
        self._listener = listener
        self._end = end
        self._openings: dict[socket.socket, Opening] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        for each in (self._listener, self._end):
            self._selector.register(each, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if self._end in ready:
                break
            # The dead before the living: whoever waited for one's end finds the device free.
            for connection in [each for each in self._openings if each in ready]:
                self._close(connection)
            if self._listener in ready:
                self._open(self._listener.accept()[0])
        for connection in list(self._openings):
            self._close(connection)
        self._selector.close()

    def _open(self, connection: socket.socket) -> None:
        folder, _, owner = connection.recv(MAX_PACKET_BYTES).decode().partition(" ")
        device = FakeDevice(self._sysfs, Path(folder))
        try:
            taken = take(device, owner)
        except FileNotFoundError:  # it was unplugged just now
            taken = False
        with suppress(ConnectionError):  # it was killed just now, of which we hear in a moment
            connection.send(b"open" if taken else b"refused")
        if taken:
            self._openings[connection] = Opening(device, owner)
            self._selector.register(connection, selectors.EVENT_READ)
        else:
            connection.close()

    def _close(self, connection: socket.socket) -> None:
        device, owner = self._openings.pop(connection)
        self._selector.unregister(connection)
        try:
            if device.read("emulated/owner") == owner:
                give_back(device)
        except FileNotFoundError:  # unplugged, or another one is in its place
            pass
        connection.close()


def take(device: FakeDevice, owner: str) -> bool:
    """Show the device as open by "PROCESS OPENING", if it lets itself be opened."""
    if device.is_usb:
        if device.read("idVendor") == UNINITIALISED[0]:
            device.come_back_initialised(AWAY_S)
        # Another process may have it: that one finds its transfers ended.
        device.claim_interface(True)
    else:
        process = owner.split()[0]
        temp = device.folder / "temp"
        dead = temp.exists() and int(temp.read_text()) < COLDEST_LIVING_MILLIDEGREES
        if dead or device.read("device_owner") not in ("0", process):
            return False
        _own(device, process)
    device.write("emulated/owner", owner)
    return True


def give_back(device: FakeDevice) -> None:
    """Show the device as nobody's."""
    (device.folder / "emulated/owner").unlink()
    if device.is_usb:
        device.claim_interface(False)
    else:
        _own(device, "0")


def _own(card: FakeDevice, process: str) -> None:
    card.write("device_owner", f"{process}\n")
    for attribute in ("is_device_owned", "write_open_count"):
        card.write(attribute, f"{int(process != '0')}\n")


@contextmanager
def kernel(sysfs: FakeSysfs) -> Iterator[None]:
    """In a thread of this process, until the block is left."""
    folder = sysfs.root / "emulated"
    (folder / "kernel").unlink(missing_ok=True)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end, ended = socket.socketpair()
    with listener, end, ended:
        # By way of the folder's descriptor, since an address is no longer than 107 bytes.
        listener.bind(f"/proc/self/fd/{handle}/kernel")
        os.close(handle)
        listener.listen(16)
        thread = threading.Thread(target=Kernel(sysfs, listener, ended).serve, name="emulated kernel")
        thread.start()
        try:
            yield
        finally:
            end.close()
            thread.join()
