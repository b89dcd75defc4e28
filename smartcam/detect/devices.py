"""The Edge TPUs of this machine, as the kernel shows them in sysfs. None is opened: that would end its user's session.

libedgetpu takes a device by its bus and its place in the library's own listing, ``usb:0`` or ``pci:0``:

- ``usb:N``: sticks that were not opened since they were plugged in come first, then the others, each in the order of
  libusb, which lists the last sysfs path first. The first opening loads the firmware, and the stick comes back under
  its other id: it moves from one group to the other, and **the numbers change**. Its port does not; libedgetpu itself
  relies on that, and finds the stick again there after each reset.
- ``pci:N``: the order in which the kernel lists /sys/class/apex, which is not sorted. ``pci:0`` need not be apex_0.

So a device is told by its port or address (`EdgeTpu.identity`), and its name is looked up just before it is opened.

Sources: libedgetpu's beagle_usb_driver_provider.cc, local_usb_device.cc, usb_driver.cc and EnumerateByClass; libusb's
usbi_connect_device over udev's sorted list; the gasket driver's gasket_core.c and apex_driver.c.
"""

from __future__ import annotations

import grp
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from smartcam.detect.lock import user_of
from smartcam.errors import Unavailable

USB_NEW = ("1a6e", "089a")
"""Vendor and product of a stick that has no firmware yet."""
USB_READY = ("18d1", "9302")
"""The same stick after it was first opened."""
PCI_IDS = ("0x1ac1", "0x089a")
DEAD_C = -89.0
"""A card that fell off its bus answers with all ones, of which the driver makes (662 - 1023) / 4 + 0.55 = -89.7 °C."""

UDEV_RULES = {
    "usb": 'SUBSYSTEM=="usb", ATTR{idVendor}=="1a6e|18d1", ATTR{idProduct}=="089a|9302", MODE="0660", GROUP="plugdev"',
    "pci": 'SUBSYSTEM=="apex", MODE="0660", GROUP="plugdev"',
}

Bus: TypeAlias = Literal["usb", "pci"]
State: TypeAlias = Literal["new", "ready", "in use", "dead", "no driver"]


@dataclass(frozen=True, slots=True)
class EdgeTpu:
    """One device, as it stood when it was looked at."""

    bus: Bus
    name: str | None
    """What libedgetpu calls it at this moment; None where it does not see it, for want of a driver."""
    state: State
    """`new`: a stick that gets its firmware at its first opening."""
    identity: str
    """Where it is plugged in, which stays: a USB port like 2-1.4, a PCI address like 0000:01:00.0."""
    sysfs: Path
    node: Path | None
    """What libedgetpu opens, below /dev."""
    driver: str | None
    """Of a stick: the driver of its interface, usbfs while a process uses it."""
    temperature_c: float | None = None
    """None for a stick, which has no sensor that can be read, and for drivers that do not tell."""
    trip_points_c: tuple[float, ...] = ()
    """Where the driver slows the card down, ascending; 84.8, 89.8 and 94.8 unless they were changed."""
    status: str | None = None
    """The gasket driver's word: ALIVE, LAMED, DEAD, DRIVER_EXITING."""
    owner_pid: int | None = None
    """The process that has it open; of a stick only where that is one of ours."""

    def __str__(self) -> str:
        return f"{self.name or self.bus} at {self.identity}"


def sysfs_root() -> Path:
    """/sys, or $SMARTCAM_SYSFS: another machine's, mounted into a container, or a made-up one."""
    return Path(os.environ.get("SMARTCAM_SYSFS") or "/sys")


def dev_root() -> Path:
    """/dev, or $SMARTCAM_DEV."""
    return Path(os.environ.get("SMARTCAM_DEV") or "/dev")


def find_edge_tpus(sysfs: Path | None = None, dev: Path | None = None) -> list[EdgeTpu]:
    """Every Edge TPU that the kernel sees: cards before sticks, as libedgetpu prefers them, then what has no driver.

    Raises nothing: what is unplugged meanwhile is left out.
    """
    sysfs, dev = sysfs or sysfs_root(), dev or dev_root()
    cards = _cards(sysfs, dev)
    driverless = _driverless(sysfs, {card.identity for card in cards})
    return [*cards, *_sticks(sysfs, dev), *driverless]


def choose(which: str, tpus: Sequence[EdgeTpu]) -> EdgeTpu:
    """The first free one that is meant: "" is any, else its place in the list, usb, usb:N, pci, pci:N or its identity.

    Raises Unavailable where there is none of that name, or none that is free.
    """
    meant = [
        tpu for place, tpu in enumerate(tpus) if which in ("", str(place), f":{place}", tpu.bus, tpu.name, tpu.identity)
    ]
    if not meant:
        named = f' "{which}"' if which else ""
        seen = ", ".join(f"{tpu} ({tpu.state})" for tpu in tpus) or "none"
        raise Unavailable(f"there is no Edge TPU{named} here: plug it in, or name another one; in sight: {seen}")
    for tpu in meant:
        if tpu.state in ("new", "ready"):
            return tpu
    raise Unavailable("; ".join(filter(None, map(trouble, meant))))


def trouble(tpu: EdgeTpu) -> str | None:
    """What keeps this process from using the device, and the remedy, as one sentence; None when nothing does."""
    match tpu.state:
        case "no driver" if tpu.driver:
            return f"the Edge TPU {tpu} is held by the driver {tpu.driver}: give it to the driver apex"
        case "no driver":
            return f"the Edge TPU {tpu} has no driver: install gasket-dkms, which has apex, and run `modprobe apex`"
        case "dead":
            signs = [f"status {tpu.status}"] if tpu.status else []
            signs += [f"{tpu.temperature_c:.1f} °C"] if tpu.temperature_c is not None else []
            return (
                f"the Edge TPU {tpu} does not answer ({', '.join(signs)}): switch the machine off and on; "
                "if that does not help, the card is loose or broken"
            )
        case "in use":
            who = f"process {tpu.owner_pid}" if tpu.owner_pid else "another process"
            return f"the Edge TPU {tpu} is in use by {who}: stop that, or leave this device to it"
    return _no_access(tpu)


def _cards(sysfs: Path, dev: Path) -> list[EdgeTpu]:
    entries = [entry for entry in _entries(sysfs / "class/apex") if entry.name.startswith("apex_")]
    return [_card(entry, f"pci:{number}", dev) for number, entry in enumerate(entries)]


def _card(entry: Path, name: str, dev: Path) -> EdgeTpu:
    status = _word(entry / "status")
    temperature_c = _celsius(entry / "temp")
    in_use = any(_number(entry / attribute) for attribute in ("is_device_owned", "write_open_count"))
    state: State = "in use" if in_use else "ready"
    if status not in (None, "ALIVE") or (temperature_c is not None and temperature_c <= DEAD_C):
        state = "dead"
    trip_points = (_celsius(entry / f"trip_point{number}_temp") for number in range(3))
    return EdgeTpu(
        bus="pci",
        name=name,
        state=state,
        identity=_word(entry / "pci_address") or _target(entry / "device") or entry.name,
        sysfs=entry,
        node=dev / entry.name,
        driver="apex",
        temperature_c=temperature_c,
        trip_points_c=tuple(point for point in trip_points if point is not None),
        status=status,
        owner_pid=(_number(entry / "device_owner") or None) if in_use else None,
    )


def _driverless(sysfs: Path, cards: set[str]) -> list[EdgeTpu]:
    """Cards on the PCI bus that the apex driver has not taken."""
    return [
        EdgeTpu("pci", None, "no driver", entry.name, entry, None, _target(entry / "driver"))
        for entry in sorted(_entries(sysfs / "bus/pci/devices"))
        if entry.name not in cards and (_word(entry / "vendor"), _word(entry / "device")) == PCI_IDS
    ]


def _sticks(sysfs: Path, dev: Path) -> list[EdgeTpu]:
    found = [(_usb_ids(entry), entry) for entry in _entries(sysfs / "bus/usb/devices")]
    found = [(ids, entry) for ids, entry in found if ids in (USB_NEW, USB_READY)]
    found.sort(key=lambda stick: stick[1].resolve().parts, reverse=True)
    found.sort(key=lambda stick: stick[0] != USB_NEW)
    return [_stick(entry, ids, f"usb:{number}", dev) for number, (ids, entry) in enumerate(found)]


def _stick(entry: Path, ids: tuple[str | None, str | None], name: str, dev: Path) -> EdgeTpu:
    interfaces = [child for child in _entries(entry) if child.name.startswith(f"{entry.name}:")]
    drivers = [driver for driver in map(_target, (child / "driver" for child in interfaces)) if driver]
    state: State = "in use" if "usbfs" in drivers else "new" if ids == USB_NEW else "ready"
    bus, device = _number(entry / "busnum"), _number(entry / "devnum")
    return EdgeTpu(
        bus="usb",
        name=name,
        state=state,
        identity=entry.name,
        sysfs=entry,
        node=dev / f"bus/usb/{bus:03}/{device:03}" if bus and device else None,
        driver=", ".join(dict.fromkeys(drivers)) or None,
        owner_pid=user_of(entry.name) if state == "in use" else None,
    )


def _no_access(tpu: EdgeTpu) -> str | None:
    """What the permissions of its node say to this user. Nothing is opened."""
    if tpu.node is None or os.access(tpu.node, os.R_OK | os.W_OK):
        return None
    try:
        found = tpu.node.stat()
    except OSError:
        # A stick gets a new node at its first opening: its present one is not enough for a container.
        given = f"{tpu.node.parents[1]} as a whole" if tpu.bus == "usb" else f"{tpu.node}"
        return f"the Edge TPU {tpu} has no node {tpu.node} here: if this is a container, hand {given} into it"
    closed = f"the Edge TPU {tpu} is closed to this user by the permissions of {tpu.node}"
    if found.st_gid and found.st_mode & 0o060 == 0o060:
        return f"{closed}: add the user to the group {_group(found.st_gid)}, and log in again"
    return (
        f"{closed}: put the line {UDEV_RULES[tpu.bus]} into /etc/udev/rules.d/65-edgetpu.rules, run `udevadm trigger`, "
        "and add the user to the group plugdev"
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _entries(folder: Path) -> list[Path]:
    """In the kernel's own order."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _usb_ids(entry: Path) -> tuple[str | None, str | None]:
    return _word(entry / "idVendor"), _word(entry / "idProduct")


def _word(path: Path) -> str | None:
    """An attribute's text; None where there is none, where it cannot be read, or where the device has just gone."""
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_word(path) or "")
    except ValueError:
        return None


def _celsius(path: Path) -> float | None:
    millidegrees = _number(path)
    return None if millidegrees is None else millidegrees / 1000


def _target(link: Path) -> str | None:
    """The name of what a link leads to: in sysfs, that of a driver or of a parent device."""
    try:
        return link.readlink().name
    except OSError:
        return None
