"""The device that a configuration names is the one that is locked, told and opened; by the product's own child."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smartcam.detect import claim
from smartcam.detect.accelerator import Accelerator
from smartcam.detect.claim import claimed
from smartcam.detect.devices import find_edge_tpus, trouble
from smartcam.detect.lock import DeviceLock
from smartcam.detect.model import ModelFile
from smartcam.errors import Unavailable
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.sysfs import FakeDevice, FakeSysfs
from tests.edgetpu.tending import tended

Open = Callable[[str], Accelerator]


@pytest.fixture
def accelerator(here: Emulator, tiny: Path) -> Iterator[Open]:
    """``accelerator("edgetpu:usb:1")`` → one with a model that is compiled; it opens nothing yet."""
    with ExitStack() as stack:
        yield lambda which: stack.enter_context(
            Accelerator(ModelFile("tiny", tiny), device=which, threads=1, retry_min_s=0.2, retry_max_s=0.5)
        )


def two_new_sticks(sysfs: FakeSysfs) -> list[FakeDevice]:
    return [sysfs.add_usb(first_open=True), sysfs.add_usb(first_open=True)]


def two_sticks_of_which_one_is_new(sysfs: FakeSysfs) -> list[FakeDevice]:
    return [sysfs.add_usb(first_open=True), sysfs.add_usb()]


def two_cards(sysfs: FakeSysfs) -> list[FakeDevice]:
    return [sysfs.add_apex(), sysfs.add_apex()]


def a_stick_and_a_card(sysfs: FakeSysfs) -> list[FakeDevice]:
    return [sysfs.add_usb(first_open=True), sysfs.add_apex()]


@pytest.mark.parametrize("by", ["name", "identity"])
@pytest.mark.parametrize("plug_in", [two_new_sticks, two_sticks_of_which_one_is_new, two_cards, a_stick_and_a_card])
def test_the_device_that_is_named_is_the_one_that_is_locked_and_opened(
    here: Emulator, accelerator: Open, plug_in: Callable[[FakeSysfs], list[FakeDevice]], by: str
) -> None:
    """The last first, so that "usb:1" is asked for while there is a "usb:0"; opening it may renumber them."""
    devices = {device.identity: device for device in plug_in(here.sysfs)}

    for place, identity in enumerate([tpu.identity for tpu in reversed(find_edge_tpus())]):
        [tpu] = [tpu for tpu in find_edge_tpus() if tpu.identity == identity]
        chosen = accelerator(f"edgetpu:{tpu.name if by == 'name' else identity}")
        chosen.wait_ready(10)

        pid = chosen.state.pid
        assert devices[identity].owner == pid
        assert DeviceLock(identity).path.read_text() == f"{pid}\n"
        assert chosen.state.device == f"edgetpu:{tpu.name}"
        assert [tpu.state for tpu in find_edge_tpus()].count("in use") == place + 1


def test_two_that_open_at_once_take_a_stick_each(here: Emulator, accelerator: Open) -> None:
    """Sysfs shows neither as used yet, but its lock is taken; and one that gets its firmware renumbers the other."""
    devices = two_new_sticks(here.sysfs)
    first, second = accelerator("edgetpu"), accelerator("edgetpu:usb")
    for each in (first, second):
        each.ready()  # begins to open

    first.wait_ready(10)
    second.wait_ready(10)

    owners = [device.owner for device in devices]
    assert sorted(map(str, owners)) == sorted(map(str, [first.state.pid, second.state.pid]))
    assert [DeviceLock(device.identity).path.read_text() for device in devices] == [f"{pid}\n" for pid in owners]
    assert (first.state.restarts, second.state.restarts) == (0, 0)


def test_one_that_hangs_while_it_opens_keeps_others_waiting_for_a_while_only(
    here: Emulator, stick: FakeDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(claim, "QUEUE_S", 0.2)
    with DeviceLock("usb"), claimed("edgetpu") as it, it.opening() as name:
        assert name == "edgetpu:usb:0"
    assert "not waiting for it" in caplog.text


def test_one_that_is_being_opened_by_another_is_refused_with_the_process(here: Emulator, stick: FakeDevice) -> None:
    with (
        DeviceLock(stick.identity),
        pytest.raises(Unavailable, match=rf"usb:0 at 2-1 is in use by process {os.getpid()}: stop that"),
        claimed("edgetpu"),
    ):
        pass


def test_a_killed_predecessor_does_not_keep_its_successor_out(
    here: Emulator, accelerator: Open, stick: FakeDevice
) -> None:
    """At the first try: what looks used in sysfs is refused."""
    mine = accelerator("edgetpu")
    mine.wait_ready(10)
    first = mine.state.pid
    assert first

    os.kill(first, 9)
    tended(mine, lambda: mine.error)
    tended(mine, lambda: mine.state.name == "ready")

    assert mine.state.restarts == 1
    assert stick.owner == mine.state.pid != first


def test_it_is_free_after_an_orderly_end(here: Emulator, accelerator: Open, stick: FakeDevice) -> None:
    mine = accelerator("edgetpu")
    mine.wait_ready(10)
    [tpu] = find_edge_tpus()
    assert (tpu.state, tpu.driver, tpu.owner_pid) == ("in use", "usbfs", mine.state.pid)

    mine.close()

    [tpu] = find_edge_tpus()
    assert (tpu.state, tpu.driver, tpu.owner_pid) == ("ready", None, None)
    assert DeviceLock(stick.identity).path.read_text() == ""


def test_devices_that_are_free_are_no_trouble(here: Emulator) -> None:
    """Their nodes are there, also after the first opening, which gives a stick another one."""
    two_sticks_of_which_one_is_new(here.sysfs)
    a_stick_and_a_card(here.sysfs)[0].come_back_initialised(0)

    tpus = find_edge_tpus()

    assert [tpu.name for tpu in tpus] == ["pci:0", "usb:0", "usb:1", "usb:2"]
    assert [trouble(tpu) for tpu in tpus] == [None] * 4


@pytest.mark.parametrize("which", ["usb:7", "pci", "2-9", "gpu"])
def test_a_device_string_that_names_nothing_is_told_with_what_there_is(
    accelerator: Open, stick: FakeDevice, which: str
) -> None:
    told = f'there is no Edge TPU "{which}" here: plug it in, or name another one; in sight: usb:0 at 2-1 (ready)'
    with pytest.raises(Unavailable, match=re.escape(told)):
        accelerator(f"edgetpu:{which}").wait_ready(10)


def test_a_reset_may_cost_a_stick_its_firmware_and_its_name(here: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer to USBDEVFS_RESET is the one thing that a made-up node cannot give."""
    hanging, other = here.sysfs.add_usb(), here.sysfs.add_usb()

    def reset(node: Any, request: int, _: int) -> None:
        assert (Path(node.name), request) == (hanging.node, 0x5514)
        for name, value in {"idVendor": "1a6e\n", "idProduct": "089a\n"}.items():
            hanging.write(name, value)

    monkeypatch.setattr(fcntl, "ioctl", reset)
    with claimed(f"edgetpu:{hanging.identity}", reset=True) as it, it.opening() as name:
        assert name == "edgetpu:usb:0"
    assert [tpu.identity for tpu in find_edge_tpus()] == [hanging.identity, other.identity]


def test_a_stick_that_does_not_come_back_from_a_reset_is_told(
    here: Emulator, stick: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: stick.unplug())
    monkeypatch.setattr(claim, "AWAY_S", 0.2)
    with (
        pytest.raises(Unavailable, match=r"usb:0 at 2-1 went away while it was claimed: plug it in again"),
        claimed("edgetpu", reset=True) as it,
        it.opening(),
    ):
        pass


def test_a_port_that_cannot_be_reset_is_opened_all_the_same(
    here: Emulator, stick: FakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every user may; and here the node is no device."""
    with claimed("edgetpu:usb", reset=True) as it, it.opening() as name:
        assert name == "edgetpu:usb:0"
    assert "usb:0 at 2-1 could not be reset: Inappropriate ioctl" in caplog.text
