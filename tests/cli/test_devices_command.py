"""`smartcam devices` as a person or a program calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smartcam.cli import app
from smartcam.detect import versions
from smartcam.detect.versions import Library, Runtime


@pytest.fixture
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of our own making, with an interpreter and without libedgetpu."""
    for name, folder in (("SMARTCAM_SYSFS", "sys"), ("SMARTCAM_DEV", "dev")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("SMARTCAM_LIBEDGETPU", "libedgetpu-of-nobody.so.1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(versions, "installed_runtime", lambda: Runtime("ai-edge-litert", "2.3.0"))
    return tmp_path / "sys"


def attributes(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def a_new_stick(sysfs: Path) -> None:
    attributes(sysfs / "bus/usb/devices/1-4", idVendor="1a6e", idProduct="089a", busnum=1, devnum=9)


def a_warm_card(sysfs: Path) -> None:
    attributes(
        sysfs / "class/apex/apex_0",
        **{"temp": 61050, "trip_point0_temp": 84800, "trip_point1_temp": 89800, "trip_point2_temp": 94800},
        **{"status": "ALIVE", "pci_address": "0000:01:00.0", "write_open_count": 1, "device_owner": 4711},
    )


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["devices", *arguments])
    assert result.exit_code == 0, result.output
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_machine_without_any_is_told_what_follows(sysfs: Path) -> None:
    told = call().stdout

    assert "No Edge TPU is here, neither on USB nor on PCIe: models run on the CPU." in told
    assert "library      none (libedgetpu-of-nobody.so.1 is not installed)" in told
    assert "interpreter  ai-edge-litert 2.3.0" in told
    assert "warn" not in told


def test_without_any_json_has_one_line(sysfs: Path) -> None:
    [software] = lines(call("--json"))

    assert software["library"] is None
    assert software["runtime"] == {"package": "ai-edge-litert", "version": "2.3.0"}
    assert software["pair"] == "unknown"


def test_a_device_without_a_library_asks_for_it(sysfs: Path) -> None:
    a_new_stick(sysfs)

    assert "is not installed: for ai-edge-litert 2.3.0, install libedgetpu 16.0tf2.19.1" in call().stdout


def test_the_table_tells_state_place_and_temperature(sysfs: Path) -> None:
    a_new_stick(sysfs)
    a_warm_card(sysfs)

    told = [line.split() for line in call().stdout.splitlines()]

    assert ["pci:0", "in", "use", "0000:01:00.0", "61.0", "°C", "84.8", "°C", "apex"] in told
    assert ["usb:0", "new", "1-4"] in told


def test_the_table_is_followed_by_what_is_wrong(sysfs: Path) -> None:
    a_new_stick(sysfs)
    a_warm_card(sysfs)

    told = call().stdout

    assert "pci:0 at 0000:01:00.0 is in use by process 4711" in told
    assert "usb:0 at 1-4 has no node" in told


def test_json_has_the_devices_first_and_the_software_last(sysfs: Path) -> None:
    a_new_stick(sysfs)
    a_warm_card(sysfs)

    card, stick, software = lines(call("--json"))

    assert (card["bus"], card["name"], card["state"]) == ("pci", "pci:0", "in use")
    assert (card["temperature_c"], card["trip_points_c"]) == (61.05, [84.8, 89.8, 94.8])
    assert card["owner_pid"] == 4711
    assert card["sysfs"] == str(sysfs / "class/apex/apex_0")
    assert (stick["name"], stick["state"], stick["identity"]) == ("usb:0", "new", "1-4")
    assert stick["temperature_c"] is None
    assert "has no node" in stick["trouble"]
    assert "bus" not in software


def test_a_pair_that_crashes_is_told_with_the_remedy(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official = Library(Path("/usr/lib/libedgetpu.so.1"), "16.0", "libedgetpu1-std")
    monkeypatch.setattr(versions, "find_library", lambda: official)
    monkeypatch.setattr(versions, "loading_fails", lambda _: None)

    told = call().stdout
    [software] = lines(call("--json"))

    assert "libedgetpu 16.0, /usr/lib/libedgetpu.so.1" in told
    assert "FAIL libedgetpu 16.0 and ai-edge-litert 2.3.0 are known to crash together" in told
    assert software["pair"] == "crashes"
    assert software["library"]["package"] == "libedgetpu1-std"


def test_a_library_that_cannot_be_loaded_is_told(sysfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libedgetpu.so.1").write_text("no library [at all]")
    monkeypatch.setenv("SMARTCAM_LIBEDGETPU", str(tmp_path / "libedgetpu.so.1"))

    assert f"FAIL {tmp_path}/libedgetpu.so.1 cannot be loaded" in call().stdout
    assert "cannot be loaded" in lines(call("--json"))[0]["library"]["loading_fails"]


def test_it_loads_nothing_heavy(sysfs: Path) -> None:
    """It also runs beside a daemon on a small board; and no native library is loaded into this process."""
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from smartcam.cli import app\n"
        "assert CliRunner().invoke(app, ['devices']).exit_code == 0\n"
        "print(*{'cv2', 'av', 'numpy', 'ai_edge_litert', 'tflite_runtime'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == ""
