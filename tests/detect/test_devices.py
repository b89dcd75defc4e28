"""Discovery on made-up sysfs trees, shaped like the real ones: devices below /sys/devices, links from bus and class."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from smartcam.detect.devices import EdgeTpu, choose, dev_root, find_edge_tpus, sysfs_root, trouble
from smartcam.errors import Unavailable

NEW, READY = ("1a6e", "089a"), ("18d1", "9302")
NOBODY = 65534


def write(folder: Path, **attributes: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        (folder / name).write_text(f"{value}\n")


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def plug_in(
    sysfs: Path,
    port: str,
    ids: tuple[str, str],
    *,
    driver: str | None = None,
    devnum: int = 3,
    controller: str = "0000:00:14.0",
) -> None:
    """A stick at a port like 2-1.4, with one interface."""
    bus = port.split("-")[0]
    device = sysfs / f"devices/pci0000:00/{controller}/usb{bus}/{port}"
    interface = device / f"{port}:1.0"
    write(device, idVendor=ids[0], idProduct=ids[1], busnum=bus, devnum=devnum)
    write(interface, bInterfaceNumber="00")
    if driver:
        link(interface / "driver", sysfs / "bus/usb/drivers" / driver)
    link(sysfs / "bus/usb/devices" / port, device)
    link(sysfs / "bus/usb/devices" / interface.name, interface)


def insert(sysfs: Path, number: int, address: str = "0000:01:00.0", /, **attributes: object) -> None:
    """A card that the apex driver has taken."""
    device = seat(sysfs, address, driver="apex")
    healthy = {"status": "ALIVE", "is_device_owned": 0, "device_owner": 0, "write_open_count": 0}
    entry = device / "apex" / f"apex_{number}"
    write(entry, **(healthy | {"pci_address": address} | attributes))
    link(entry / "device", device)
    link(sysfs / f"class/apex/apex_{number}", entry)


def seat(sysfs: Path, address: str, *, driver: str | None = None) -> Path:
    """A card on the PCI bus."""
    device = sysfs / "devices/pci0000:00" / address
    write(device, vendor="0x1ac1", device="0x089a")
    if driver:
        link(device / "driver", sysfs / "bus/pci/drivers" / driver)
    link(sysfs / "bus/pci/devices" / address, device)
    return device


def only(sysfs: Path) -> EdgeTpu:
    [tpu] = find_edge_tpus(sysfs)
    return tpu


def test_a_machine_without_any_has_none(tmp_path: Path) -> None:
    assert find_edge_tpus(tmp_path) == []
    assert find_edge_tpus(tmp_path / "missing") == []


def test_a_mouse_and_a_network_card_are_none(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-2", ("046d", "c077"))
    card = seat(tmp_path, "0000:02:00.0")
    write(card, vendor="0x8086")

    assert find_edge_tpus(tmp_path) == []


def test_a_stick_that_was_never_opened_is_new(tmp_path: Path) -> None:
    plug_in(tmp_path, "2-1.4", NEW, devnum=7)

    tpu = only(tmp_path)

    assert (tpu.bus, tpu.name, tpu.state, tpu.identity) == ("usb", "usb:0", "new", "2-1.4")
    assert tpu.node == Path("/dev/bus/usb/002/007")
    assert tpu.sysfs == tmp_path / "bus/usb/devices/2-1.4"
    assert (tpu.driver, tpu.temperature_c, tpu.trip_points_c) == (None, None, ())


def test_after_its_first_opening_it_is_ready(tmp_path: Path) -> None:
    plug_in(tmp_path, "2-1.4", READY)

    assert only(tmp_path).state == "ready"


@pytest.mark.parametrize("ids", [NEW, READY])
def test_a_stick_whose_interface_a_process_claims_is_in_use(tmp_path: Path, ids: tuple[str, str]) -> None:
    plug_in(tmp_path, "2-1.4", ids, driver="usbfs")

    tpu = only(tmp_path)

    assert (tpu.state, tpu.driver) == ("in use", "usbfs")
    assert "is in use by another process" in (trouble(tpu) or "")


def test_sticks_are_numbered_as_libusb_lists_them(tmp_path: Path) -> None:
    """The last path first, and by path, not by number: usb10 comes before usb2."""
    for port in ("2-1", "10-1", "2-3"):
        plug_in(tmp_path, port, READY)

    assert {tpu.name: tpu.identity for tpu in find_edge_tpus(tmp_path)} == {
        "usb:0": "2-3",
        "usb:1": "2-1",
        "usb:2": "10-1",
    }


def test_the_controllers_path_counts_before_the_number_of_its_bus(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", READY, controller="0000:00:1d.0")
    plug_in(tmp_path, "2-1", READY, controller="0000:00:14.0")

    assert [tpu.identity for tpu in find_edge_tpus(tmp_path)] == ["1-1", "2-1"]


def test_a_first_opening_renumbers_the_sticks_and_leaves_their_identities(tmp_path: Path) -> None:
    plug_in(tmp_path / "before", "2-1", NEW)
    plug_in(tmp_path / "before", "2-2", NEW)
    plug_in(tmp_path / "after", "2-1", NEW)
    plug_in(tmp_path / "after", "2-2", READY)

    before, after = (
        {tpu.identity: tpu.name for tpu in find_edge_tpus(tmp_path / when)} for when in ("before", "after")
    )

    assert before == {"2-2": "usb:0", "2-1": "usb:1"}
    assert after == {"2-1": "usb:0", "2-2": "usb:1"}


def test_a_dev_board_has_a_card_with_its_temperature(tmp_path: Path) -> None:
    insert(
        tmp_path, 0, temp=45300, trip_point0_temp=84800, trip_point1_temp=89800, trip_point2_temp=94800
    )  # as its driver rounds 85, 90 and 95 °C

    tpu = only(tmp_path)

    assert (tpu.bus, tpu.name, tpu.state, tpu.identity) == ("pci", "pci:0", "ready", "0000:01:00.0")
    assert (tpu.node, tpu.driver, tpu.status) == (Path("/dev/apex_0"), "apex", "ALIVE")
    assert tpu.temperature_c == 45.3
    assert tpu.trip_points_c == (84.8, 89.8, 94.8)


def test_a_driver_without_a_temperature_tells_none(tmp_path: Path) -> None:
    """As the one in Linux's own staging area does."""
    insert(tmp_path, 0)

    tpu = only(tmp_path)

    assert (tpu.state, tpu.temperature_c, tpu.trip_points_c) == ("ready", None, ())


@pytest.mark.parametrize("signs", [{"temp": -89700}, {"status": "DEAD"}, {"status": "LAMED", "temp": 40000}])
def test_a_card_that_does_not_answer_is_dead(tmp_path: Path, signs: dict[str, object]) -> None:
    """All ones from a lost card read as -89.7 °C. Whoever had it open does not matter any more."""
    insert(tmp_path, 0, **({"write_open_count": 1} | signs))

    tpu = only(tmp_path)

    assert tpu.state == "dead"
    assert "does not answer" in (trouble(tpu) or "")


def test_a_cold_card_is_no_dead_one(tmp_path: Path) -> None:
    insert(tmp_path, 0, temp=-30000)

    assert only(tmp_path).state == "ready"


@pytest.mark.parametrize("signs", [{"is_device_owned": 1, "device_owner": 4711}, {"write_open_count": 1}])
def test_a_card_that_is_open_is_in_use(tmp_path: Path, signs: dict[str, object]) -> None:
    insert(tmp_path, 0, **signs)

    tpu = only(tmp_path)

    assert tpu.state == "in use"
    assert f"in use by {'process 4711' if tpu.owner_pid else 'another process'}:" in (trouble(tpu) or "")


def test_cards_are_numbered_as_the_kernel_lists_them(tmp_path: Path) -> None:
    """libedgetpu does not sort: neither do we."""
    for number in range(4):
        insert(tmp_path, number, f"0000:0{number}:00.0")

    names = [tpu.sysfs.name for tpu in find_edge_tpus(tmp_path)]

    assert names == os.listdir(tmp_path / "class/apex")  # noqa: PTH208 - it is the order of readdir that counts


def test_a_card_without_the_driver_is_told_with_the_remedy(tmp_path: Path) -> None:
    seat(tmp_path, "0000:01:00.0")

    tpu = only(tmp_path)

    assert (tpu.bus, tpu.name, tpu.state, tpu.node) == ("pci", None, "no driver", None)
    assert "install gasket-dkms" in (trouble(tpu) or "")


def test_a_card_that_another_driver_holds_is_told_so(tmp_path: Path) -> None:
    """One that is passed to a virtual machine, for instance."""
    seat(tmp_path, "0000:01:00.0", driver="vfio-pci")

    assert "is held by the driver vfio-pci" in (trouble(only(tmp_path)) or "")


def test_cards_come_before_sticks_and_what_has_no_driver_last(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", NEW)
    seat(tmp_path, "0000:01:00.0")
    insert(tmp_path, 0, "0000:02:00.0")

    assert [tpu.name for tpu in find_edge_tpus(tmp_path)] == ["pci:0", "usb:0", None]


def test_nonsense_in_an_attribute_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    insert(tmp_path, 0, temp="n/a", trip_point0_temp="", device_owner="?")

    assert (only(tmp_path).state, only(tmp_path).temperature_c) == ("ready", None)


def test_the_roots_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMARTCAM_SYSFS", raising=False)
    monkeypatch.delenv("SMARTCAM_DEV", raising=False)
    assert (sysfs_root(), dev_root()) == (Path("/sys"), Path("/dev"))
    plug_in(tmp_path, "1-1", NEW)
    monkeypatch.setenv("SMARTCAM_SYSFS", str(tmp_path))
    monkeypatch.setenv("SMARTCAM_DEV", "/elsewhere")

    [tpu] = find_edge_tpus()

    assert tpu.node == Path("/elsewhere/bus/usb/001/003")


@pytest.fixture
def three(tmp_path: Path) -> list[EdgeTpu]:
    """A busy card, a free stick and a free new one."""
    insert(tmp_path, 0, write_open_count=1)
    plug_in(tmp_path, "1-1", NEW)
    plug_in(tmp_path, "1-2", READY)
    return find_edge_tpus(tmp_path)


@pytest.mark.parametrize(
    ("which", "identity"),
    [("", "1-1"), ("usb", "1-1"), ("usb:1", "1-2"), ("1-2", "1-2"), ("1", "1-1"), (":2", "1-2")],
)
def test_a_device_is_chosen_by_any_of_its_names_and_a_free_one_first(
    three: list[EdgeTpu], which: str, identity: str
) -> None:
    assert choose(which, three).identity == identity


@pytest.mark.parametrize("which", ["usb:2", "pci:1", "3", "1-3", "gpu"])
def test_a_name_of_nothing_lists_what_there_is(three: list[EdgeTpu], which: str) -> None:
    with pytest.raises(Unavailable, match=f'no Edge TPU "{which}" here.*pci:0 at 0000:01:00.0 .in use., usb:0 at 1-1'):
        choose(which, three)


def test_where_there_is_none_that_is_said() -> None:
    with pytest.raises(Unavailable, match=r"no Edge TPU here: plug it in.*in sight: none"):
        choose("", [])


@pytest.mark.parametrize("which", ["pci", "pci:0", "0"])
def test_one_that_is_not_free_is_refused_with_its_reason(three: list[EdgeTpu], which: str) -> None:
    with pytest.raises(Unavailable, match="is in use by another process"):
        choose(which, three)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions as a user without rights meets them, also where the tests run as root."""
    if os.getuid() != 0:
        yield
        return
    os.setreuid(NOBODY, -1)
    try:
        yield
    finally:
        os.setreuid(0, -1)


@pytest.fixture
def dev() -> Iterator[Path]:
    """A /dev that everybody may look into."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def node_of(tpu: EdgeTpu, mode: int) -> Path:
    assert tpu.node
    tpu.node.parent.mkdir(parents=True, exist_ok=True)
    tpu.node.touch()
    tpu.node.chmod(mode)
    return tpu.node


def test_a_node_that_may_be_written_is_no_trouble(tmp_path: Path, dev: Path) -> None:
    plug_in(tmp_path, "2-1", READY)
    [tpu] = find_edge_tpus(tmp_path, dev)
    node_of(tpu, 0o666)

    with as_nobody():
        assert trouble(tpu) is None


def test_a_node_that_only_root_may_write_asks_for_a_udev_rule(tmp_path: Path, dev: Path) -> None:
    plug_in(tmp_path, "2-1", READY)
    insert(tmp_path, 0)
    card, stick = find_edge_tpus(tmp_path, dev)
    nodes = [node_of(tpu, 0o444) for tpu in (card, stick)]

    with as_nobody():
        told = [trouble(tpu) or "" for tpu in (card, stick)]

    assert f"by the permissions of {nodes[0]}: put the line SUBSYSTEM==" in told[0]
    assert 'SUBSYSTEM=="apex"' in told[0]
    assert 'ATTR{idVendor}=="1a6e|18d1"' in told[1]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to a group that it is not in")
def test_a_node_of_a_group_asks_to_join_it(tmp_path: Path, dev: Path) -> None:
    insert(tmp_path, 0)
    [tpu] = find_edge_tpus(tmp_path, dev)
    os.chown(node_of(tpu, 0o660), 0, 54321)

    with as_nobody():
        assert "add the user to the group 54321" in (trouble(tpu) or "")


def test_a_node_that_is_missing_is_one_that_a_container_was_not_given(tmp_path: Path, dev: Path) -> None:
    plug_in(tmp_path, "2-1", NEW)
    insert(tmp_path, 0)
    card, stick = find_edge_tpus(tmp_path, dev)

    assert f"hand {dev}/apex_0 into it" in (trouble(card) or "")
    assert f"hand {dev}/bus/usb as a whole into it" in (trouble(stick) or "")
