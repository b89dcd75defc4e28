"""The commands for people who have the hardware, beside emulated devices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.edgetpu.conftest import Launch
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.world import Furniture


def smartcam(*arguments: str | Path) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "smartcam", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_devices_beside_a_daemon_says_who_has_the_device_and_disturbs_nobody(
    here: Emulator, launch: Launch, stick: FakeDevice
) -> None:
    card = here.sysfs.add_apex(temp=51.5)
    world = launch(accelerator="edgetpu:usb")
    world.looks_on("edgetpu:usb:0")
    pid = world.model()["pid"]

    free, taken, software = objects(smartcam("devices", "--json"))

    assert (free["identity"], free["state"], free["trouble"]) == (card.identity, "ready", None)
    assert (free["temperature_c"], free["trip_points_c"][0]) == (51.5, 84.8)
    assert (taken["identity"], taken["state"], taken["driver"], taken["owner_pid"]) == ("2-1", "in use", "usbfs", pid)
    assert f"in use by process {pid}" in taken["trouble"]
    assert software["library"]["path"] == str(here.library)
    assert software["library"]["loading_fails"] is None
    world.looks_on("edgetpu:usb:0")
    assert world.model()["restarts"] == 0


def test_bench_measures_a_compiled_model_on_every_device(here: Emulator, furniture: Furniture) -> None:
    """It takes as long as it was told to, and the temperature before and after stands beside it."""
    card, stick = here.sysfs.add_apex(temp=45), here.sysfs.add_usb(first_open=True)
    for device, latency_ms in ((card, 12), (stick, 6)):
        device.takes(latency_ms)

    on_card, on_stick = objects(smartcam("bench", "models", furniture.tpu, "--seconds", "0.3", "--json"))

    assert [told["accelerator"] for told in (on_card, on_stick)] == ["edgetpu:pci:0", "edgetpu:usb:0"]
    assert [told["model"] for told in (on_card, on_stick)] == ["tiny_edgetpu.tflite"] * 2
    assert 12 <= on_card["p50_ms"] <= on_card["p99_ms"]
    assert 6 <= on_stick["p50_ms"] < on_card["p50_ms"]
    assert on_card["first_ms"] >= 12
    assert on_card["per_s"] < 1000 / 12
    assert (on_card["before_c"], on_card["after_c"]) == (45, 45)
    assert (on_stick["before_c"], on_stick["after_c"]) == (None, None)


def test_bench_has_a_table_for_people(here: Emulator, furniture: Furniture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    here.sysfs.add_apex(temp=45).takes(5)

    table = smartcam("bench", "models", furniture.tpu, furniture.cpu, "--seconds", "0.2")

    lines = [line.split() for line in table.splitlines()]
    assert lines[0][:2] == ["model", "on"]
    assert [line[:2] for line in lines[1:3]] == [["tiny_edgetpu.tflite", "edgetpu:pci:0"], ["tiny.tflite", "cpu"]]
    assert "45 → 45" in table
