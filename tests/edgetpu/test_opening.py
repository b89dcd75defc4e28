"""Which device is opened, what it looks like from outside, and who may have it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.edgetpu.conftest import Start
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.session import Failed, Session
from tests.edgetpu.sysfs import FakeSysfs

WITHIN_S = 5.0
USB_ERROR = "F driver/usb/usb_driver.cc:1148] HandleQueuedBulkIn transfer in failed. Not found: USB transfer error 5"


def dies_of(process: Session, signal: int) -> None:
    assert process.process.wait(WITHIN_S) == -signal


def settles(holds: Callable[[], bool]) -> None:
    """What the kernel does when a process dies, another thread does here, a moment later."""
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_the_tree_looks_like_the_drivers_own(tmp_path: Path) -> None:
    tree = FakeSysfs(tmp_path)
    stick = tree.add_usb(first_open=True)
    card = tree.add_apex(temp=51.5)

    assert [device.folder.relative_to(tmp_path).as_posix() for device in tree.devices()] == [
        "bus/usb/devices/2-1",
        "class/apex/apex_0",
    ]
    assert (card.folder / "temp").read_text() == "51500\n"
    assert (card.folder / "trip_point0_temp").read_text() == "84800\n"
    assert (card.folder / "device/vendor").read_text() == "0x1ac1\n"
    assert (card.folder / "device/driver").resolve().name == "apex"
    assert (stick.folder / "idVendor").read_text() == "1a6e\n"
    assert stick.node == tree.dev / "bus/usb/002/003"
    assert card.node == tree.dev / "apex_0"
    assert stick.node.exists()
    assert card.node.exists()
    assert not (stick.folder / "serial").exists()

    node = card.node
    card.unplug()
    assert [device.folder.name for device in tree.devices()] == ["2-1"]
    assert not node.exists()
    assert not (tree.add_apex(temp=None).folder / "temp").exists()
    assert (tree.add_apex(dead=True).folder / "temp").read_text() == "-89700\n"


def test_no_device_means_no_delegate_and_no_reason(runtime: str, edgetpu: Emulator, start: Start) -> None:
    """Just what the real library does: the product has to find the reason itself."""
    with pytest.raises(Failed, match=r"^ValueError: Failed to load delegate from \S+\s*$"):
        start().load_delegate(edgetpu.library)


@pytest.mark.parametrize(
    ("which", "opened"),
    [
        ("", "apex_0"),
        (":0", "apex_0"),
        (":1", "2-2"),
        (":2", "2-1"),
        ("usb", "2-2"),
        ("usb:1", "2-1"),
        ("pci", "apex_0"),
        ("pci:0", "apex_0"),
    ],
)
def test_device_strings_name_devices_as_libedgetpu_counts_them(
    edgetpu: Emulator, start: Start, which: str, opened: str
) -> None:
    devices = [edgetpu.sysfs.add_usb(), edgetpu.sysfs.add_usb(), edgetpu.sysfs.add_apex()]
    process = start()

    process.load_delegate(edgetpu.library, {"device": which, "Performance": "Low"})

    assert [device.folder.name for device in devices if device.owner == process.process.pid] == [opened]


def test_bad_device_strings_open_nothing(edgetpu: Emulator, start: Start) -> None:
    edgetpu.sysfs.add_usb()
    process = start()

    for which in (":1", "usb:1", "pci", "pci:0", "usb:", "usb:x", "usb:-1", "usb0", "0", "nonsense", "USB"):
        with pytest.raises(Failed, match="Failed to load delegate"):
            process.load_delegate(edgetpu.library, {"device": which})


def test_a_stick_comes_back_as_another_when_it_is_first_opened(
    edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    """At the same port, under another id and with another node; and so `usb:0` is another stick the next time."""
    second, first = edgetpu.sysfs.add_usb(first_open=True), edgetpu.sysfs.add_usb(first_open=True)
    before, node = int(first.read("devnum")), first.node
    process = start()

    process.load_delegate(edgetpu.library, {"device": "usb:0"})
    process.open(tiny)

    assert (process.invoke(picture)[1] == picture).all()
    assert first.owner == process.process.pid
    assert [device.folder.name for device in edgetpu.sysfs.devices()] == ["2-1", "2-2"]
    assert (first.read("idVendor"), first.read("idProduct")) == ("18d1", "9302")
    assert int(first.read("devnum")) > before
    assert first.node.exists()
    assert not node.exists()
    other = start()
    other.load_delegate(edgetpu.library, {"device": "usb:0"})
    assert second.owner == other.process.pid


def test_a_stick_shows_that_it_is_open_until_it_is_closed_or_its_user_has_died(
    edgetpu: Emulator, start: Start, tiny: Path
) -> None:
    stick = edgetpu.sysfs.add_usb()
    interface = stick.folder / "2-1:1.0/driver"
    assert not interface.is_symlink()
    first, second = start(), start()

    first.load_delegate(edgetpu.library)
    assert interface.resolve().name == "usbfs"
    first.unload_delegate()
    assert not interface.is_symlink()

    second.load_delegate(edgetpu.library)
    assert interface.is_symlink()
    second.process.kill()
    second.process.wait(WITHIN_S)
    settles(lambda: not interface.is_symlink())
    assert stick.owner is None


def test_cards_are_numbered_in_the_order_in_which_the_kernel_lists_them(edgetpu: Emulator, start: Start) -> None:
    """That is how the real library counts, and why `pci:0` need not be apex_0."""
    cards = {card.folder.name: card for card in (edgetpu.sysfs.add_apex() for _ in range(5))}
    listed = os.listdir(edgetpu.sysfs.root / "class/apex")  # noqa: PTH208 - it is the order of readdir that counts
    process = start()

    for number, name in enumerate(listed):
        process.load_delegate(edgetpu.library, {"device": f"pci:{number}"})
        assert [each for each, card in cards.items() if card.owner] == [name]


def test_a_second_process_that_opens_a_stick_kills_the_first(
    runtime: str, edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    edgetpu.sysfs.add_usb()
    first, second = start(), start()
    for process in (first, second):
        process.load_delegate(edgetpu.library)
        process.open(tiny)

    dies_of(first, 6)
    assert USB_ERROR in first.words
    assert (second.invoke(picture)[1] == picture).all()


def test_a_card_has_one_owner_until_it_closes_or_dies(
    edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    card = edgetpu.sysfs.add_apex()
    first, second, third = start(), start(), start()
    first.load_delegate(edgetpu.library)
    assert (card.folder / "device_owner").read_text() == f"{first.process.pid}\n"

    with pytest.raises(Failed, match="Failed to load delegate"):
        second.load_delegate(edgetpu.library)

    first.unload_delegate()
    assert (card.folder / "is_device_owned").read_text() == "0\n"
    second.load_delegate(edgetpu.library)
    second.process.kill()
    second.process.wait(WITHIN_S)
    third.load_delegate(edgetpu.library)
    third.open(tiny)
    assert (third.invoke(picture)[1] == picture).all()


def test_a_dead_card_does_not_open(edgetpu: Emulator, start: Start) -> None:
    edgetpu.sysfs.add_apex(dead=True)

    with pytest.raises(Failed, match="Failed to load delegate"):
        start().load_delegate(edgetpu.library)


def test_delegates_of_one_process_share_the_device(
    edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    """A second model on the same stick is no second opener; its parameters replace the first one's."""
    stick = edgetpu.sysfs.add_usb()
    stick.takes(0, switch_ms=5)
    process = start()
    for name in ("detector", "classifier"):
        process.load_delegate(edgetpu.library, {"device": "usb"})
        process.open(tiny, name)

    for name in ("detector", "detector", "classifier", "detector"):
        assert (process.invoke(picture, name)[1] == picture).all()

    assert stick.counts() == (4, 2)
    assert min(process.time_invokes(3, "detector")) < 5 < process.time_invokes(1, "classifier")[0]


def test_an_unplugged_stick_takes_the_process_with_it_even_while_idle(
    runtime: str, edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    stick = edgetpu.sysfs.add_usb()
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(tiny)
    process.invoke(picture)

    stick.unplug()

    dies_of(process, 6)
    assert USB_ERROR in process.words
    again = start()
    with pytest.raises(Failed, match="Failed to load delegate"):
        again.load_delegate(edgetpu.library)
    edgetpu.sysfs.add_usb(first_open=True)
    again.load_delegate(edgetpu.library)
    again.open(tiny)
    assert (again.invoke(picture)[1] == picture).all()


def test_a_lost_card_never_answers_again(
    edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    card = edgetpu.sysfs.add_apex()
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(tiny)

    card.unplug()
    process.begin_invoke(picture)

    assert process.hangs()


def test_a_library_tells_its_version(edgetpu: Emulator, start: Start) -> None:
    process = start()
    assert process.version(edgetpu.library).endswith("), RuntimeVersion(14)")

    edgetpu.sysfs.version("BuildLabel(COMPILER=6.3.0 20170516,DATE=redacted,TIME=redacted), RuntimeVersion(13)")
    assert process.version(edgetpu.library).endswith("RuntimeVersion(13)")
