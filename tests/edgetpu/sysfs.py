"""A tree that looks like /sys, as far as Edge TPUs show in it: the single truth about which there are.

What is in it comes from the drivers' sources: the USB core's attributes of a device, and those of Google's gasket and
apex drivers for a card. Two things differ from the kernel's own tree: the entries in `bus/usb/devices` and `class/apex`
are folders there, not links to folders; and each device has a folder `emulated`, by which one tells it what to do
(edgetpu.c lists the files). A USB stick has no thermometer, and no serial number, like the real one.

What the kernel does to the tree while processes open devices and die is in kernel.py. The nodes of /dev, as empty
files, are below `dev`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

UNINITIALISED, READY = ("1a6e", "089a"), ("18d1", "9302")
"""Vendor and product of a stick before and after it was first opened."""
TRIP_POINTS_C = (84.8, 89.8, 94.8)
"""What the driver says of its 85, 90 and 95 degrees: its thermometer has steps of a quarter of a degree."""
DEAD_C = -89.7
"""What the driver's formula makes of a thermometer that answers with all bits set."""


class FakeDevice:
    """One Edge TPU in the tree, and what it is told to do."""

    def __init__(self, tree: FakeSysfs, folder: Path) -> None:
        self._tree = tree
        self.folder = folder

    @property
    def is_usb(self) -> bool:
        return self.folder.parent.name == "devices"

    @property
    def identity(self) -> str:
        """What stays while names change: a stick's port, a card's address."""
        return self.folder.name if self.is_usb else self.read("pci_address")

    @property
    def node(self) -> Path:
        """Its file in the made-up /dev, in which only its existence and its permissions matter."""
        if self.is_usb:
            return self._tree.dev / f"bus/usb/{int(self.read('busnum')):03}/{int(self.read('devnum')):03}"
        return self._tree.dev / self.folder.name

    def on_open(self, what: str) -> None:
        """Have `load_delegate` meet "error", "abort", "segfault", "hang" or "slow SECONDS"; with " once" just once."""
        self.write("emulated/open", what)

    def on_prepare(self, what: str) -> None:
        """The same, for `allocate_tensors`."""
        self.write("emulated/prepare", what)

    def on_invoke(self, what: str, *, at: int = 1, once: bool = False) -> None:
        """The same, for `invoke`: from the `at`-th since the device was opened, which may be long past."""
        self.write("emulated/invoke", f"{what}{'' if what.startswith('slow') else f' {at}'}{' once' if once else ''}")

    def behave(self) -> None:
        """Do nothing wrong any more. What already hangs does not come back."""
        for point in ("open", "prepare", "invoke"):
            (self.folder / "emulated" / point).unlink(missing_ok=True)

    def takes(self, latency_ms: float, *, switch_ms: float = 0.0) -> None:
        """Each invoke lasts so long at least, and longer when another model was invoked before."""
        self.write("emulated/latency_ms", f"{latency_ms}")
        self.write("emulated/switch_ms", f"{switch_ms}")

    def answers(self, outputs: bytes = b"") -> None:
        """Ask no twin: a model whose outputs have this size together gives these, every other gives zeros."""
        unfinished = self.folder / "emulated/canned.part"
        unfinished.write_bytes(outputs)
        unfinished.replace(unfinished.with_suffix(""))

    def counts(self) -> tuple[int, int]:
        """Invokes since it was opened, and how many of them were of another model than the one before."""
        try:
            _, invokes, _, switches = (self.folder / "emulated/counts").read_text().split()
        except (OSError, ValueError):
            return 0, 0
        return int(invokes), int(switches)

    @property
    def owner(self) -> int | None:
        """The process that opened it last, and neither closed it nor died since."""
        try:
            return int(self.read("emulated/owner").split()[0])
        except (OSError, IndexError):
            return None

    def temperature(self, celsius: float) -> None:
        """What a card's driver tells of it."""
        self.write("temp", f"{round(celsius * 1000)}\n")

    def unplug(self) -> None:
        """Take it away, in one moment."""
        self.node.unlink()
        if not self.is_usb:
            (self._tree.root / "bus/pci/devices" / self.identity).unlink()
        gone = self._tree.root / "emulated" / f"gone-{time.monotonic_ns()}"
        self.folder.rename(gone)
        shutil.rmtree(gone)

    def come_back_initialised(self, away_s: float) -> None:
        """What a first opening does to a stick: with firmware in it, it leaves its port and is found there anew."""
        away = self._tree.root / "emulated" / f"away-{time.monotonic_ns()}"
        self.node.unlink()
        self.folder.rename(away)
        time.sleep(away_s)
        changes = {"idVendor": READY[0], "idProduct": READY[1], "devnum": self._tree.next_devnum(), "speed": 5000}
        for attribute, value in changes.items():
            (away / attribute).write_text(f"{value}\n")
        away.rename(self.folder)
        self._tree.make_node(self)

    def claim_interface(self, claimed: bool) -> None:
        """Whether a process uses a stick shows in the driver of its interface."""
        driver = self.folder / f"{self.folder.name}:1.0/driver"
        if claimed:
            _link(driver, self._tree.root / "bus/usb/drivers/usbfs")
        else:
            driver.unlink(missing_ok=True)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def write(self, name: str, text: str) -> None:
        """Change a file in its folder, in one moment."""
        file = self.folder / name
        unfinished = file.with_name(f"{file.name}.part")
        unfinished.write_text(text)
        unfinished.replace(file)


class FakeSysfs:
    """The tree below `root`, which is made where it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dev = root / "emulated/dev"
        self.locks = root / "emulated/locks"
        self._devnums = itertools.count(3)
        buses = ("bus/usb/devices", "bus/usb/drivers/usb", "bus/usb/drivers/usbfs", "bus/pci/devices")
        for folder in (*buses, "bus/pci/drivers/apex", "class/apex", "emulated/dev", "emulated/locks"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    @property
    def twins(self) -> Path:
        """Where the twins of really compiled models lie: twins.py tells how they are called."""
        return self.root / "emulated/models"

    def version(self, words: str) -> None:
        """What the library's `edgetpu_version()` says, in place of its own."""
        (self.root / "emulated/version").write_text(words)

    def add_usb(self, *, first_open: bool = False, port: int | None = None) -> FakeDevice:
        """Plug in a stick. With `first_open` nobody has opened it since, and it has yet to get its firmware."""
        bus = 2
        taken = {int(folder.name.partition("-")[2]) for folder in (self.root / "bus/usb/devices").iterdir()}
        port = port or next(number for number in itertools.count(1) if number not in taken)
        vendor, product = UNINITIALISED if first_open else READY
        attributes = {
            "idVendor": vendor,
            "idProduct": product,
            "bcdDevice": "0100",
            "bDeviceClass": "00",
            "busnum": bus,
            "devnum": self.next_devnum(),
            "devpath": port,
            "speed": 480 if first_open else 5000,
            "version": " 3.10",
            "bMaxPower": "896mA",
            "authorized": 1,
        }
        attributes |= {f"{bus}-{port}:1.0/bInterfaceNumber": "00", f"{bus}-{port}:1.0/bInterfaceClass": "ff"}
        return self._add(f"bus/usb/devices/{bus}-{port}", attributes, "usb/drivers/usb")

    def add_apex(self, *, temp: float | None = 45.0, dead: bool = False, index: int | None = None) -> FakeDevice:
        """Put in a card at `temp` °C; None for a driver that has no such file."""
        if index is None:
            index = next(n for n in itertools.count() if not (self.root / f"class/apex/apex_{n}").exists())
        address = f"0000:{index + 1:02x}:00.0"
        celsius = DEAD_C if dead else temp
        attributes: dict[str, object] = {
            "dev": f"120:{index}",
            "device_type": "apex",
            "driver_version": "1.2",
            "framework_version": "1.1.4",
            "revision": 0,
            "pci_address": address,
            "status": "ALIVE",
            "is_device_owned": 0,
            "device_owner": 0,
            "write_open_count": 0,
            "reset_count": 0,
        }
        if celsius is not None:
            attributes |= {"temp": round(celsius * 1000), "temp_poll_interval": 5000}
            attributes |= {f"trip_point{n}_temp": round(trip * 1000) for n, trip in enumerate(TRIP_POINTS_C)}
            attributes |= {
                "hw_temp_warn1": 99800,
                "hw_temp_warn1_en": 0,
                "hw_temp_warn2": 109800,
                "hw_temp_warn2_en": 0,
            }
        slot = self.root / "devices/pci0000:00" / address
        slot.mkdir(parents=True, exist_ok=True)
        for name, value in {"vendor": "0x1ac1", "device": "0x089a", "class": "0x0880ff"}.items():
            (slot / name).write_text(f"{value}\n")
        _link(slot / "driver", self.root / "bus/pci/drivers/apex")
        _link(self.root / "bus/pci/devices" / address, slot)
        card = self._add(f"class/apex/apex_{index}", attributes)
        _link(card.folder / "device", slot)
        return card

    def next_devnum(self) -> int:
        """The number that the USB bus gives to the next device, never twice."""
        return next(self._devnums)

    def make_node(self, device: FakeDevice) -> None:
        """As udev does."""
        device.node.parent.mkdir(parents=True, exist_ok=True)
        device.node.touch()

    def devices(self) -> list[FakeDevice]:
        """Those that are there."""
        found = [*self.root.glob("class/apex/apex_*"), *self.root.glob("bus/usb/devices/*")]
        return [FakeDevice(self, folder) for folder in sorted(found)]

    def _add(self, name: str, attributes: dict[str, object], driver: str = "") -> FakeDevice:
        """All of it appears at once."""
        unfinished = self.root / "emulated" / f"coming-{time.monotonic_ns()}"
        (unfinished / "emulated").mkdir(parents=True)
        for attribute, value in attributes.items():
            (unfinished / attribute).parent.mkdir(exist_ok=True)
            (unfinished / attribute).write_text(f"{value}\n")
        unfinished.rename(self.root / name)
        if driver:
            _link(self.root / name / "driver", self.root / "bus" / driver)
        device = FakeDevice(self, self.root / name)
        self.make_node(device)
        return device


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(target, link.parent))
