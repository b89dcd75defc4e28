"""The daemon with an Edge TPU that is unplugged, hangs, crashes, overheats and comes back: rows T1 to T5."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import NODE, daemon, meaning
from tests.edgetpu.conftest import Launch
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.world import Furniture, Stopwatch, World


def test_a_compiled_model_runs_on_a_new_stick_and_events_come(runtime: str, launch: Launch, edgetpu: Emulator) -> None:
    """It is out of sight for a moment while it gets its firmware: that is no reason to give it up."""
    stick = edgetpu.sysfs.add_usb(first_open=True)
    world = launch()

    world.looks_on("edgetpu:usb:0")

    assert world.ears.until("front/event")["label"] == "person"
    world.is_well()
    health = world.model()
    assert (health["restarts"], health["pid"]) == (0, stick.owner)
    package = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}[runtime]
    assert f"tiny is ready on edgetpu:usb:0 ({package} " in world.running.log()


def test_a_stick_that_is_unplugged_gives_way_to_the_cpu_and_is_taken_back(
    runtime: str, launch: Launch, stick: FakeDevice, edgetpu: Emulator, stopwatch: Stopwatch
) -> None:
    """T1: its library aborts the child. The event that is open goes on: neither does it end, nor another begin."""
    world = launch()
    world.looks_on("edgetpu:usb:0")
    first = world.ears.until("front/event")

    stopwatch.start()
    stick.unplug()
    world.publishes("model tiny: on the CPU instead of the Edge TPU", within_s=2.5)
    assert stopwatch.lap("T1: degraded, after the stick was unplugged") < 2.5
    world.looks_on("cpu", within_s=10)
    assert stopwatch.lap("T1: looking on the CPU, after the stick was unplugged") < 10
    assert "USB transfer error 5" in world.running.log()

    stopwatch.start()
    edgetpu.sysfs.add_usb(first_open=True)
    world.looks_on("edgetpu:usb:0", within_s=30)
    assert stopwatch.lap("looking on the Edge TPU again, after it was plugged in") < 30
    world.is_well()
    assert [each["id"] for each in events(world)] == [first["id"]]


def events(world: World) -> list[dict[str, Any]]:
    """All messages of events so far."""
    return [meaning(each) for each in world.ears.all if each.topic.endswith("/event")]


def test_an_invoke_that_hangs_ends_at_its_deadline(launch: Launch, stick: FakeDevice, stopwatch: Stopwatch) -> None:
    """T2: with a deadline of 1 s in place of 10. No message of the event is lost."""
    world = launch(accelerator="edgetpu")
    world.looks_on("edgetpu:usb:0")
    first = world.ears.until("front/event")

    stopwatch.start()
    os.kill(world.model()["pid"], signal.SIGSTOP)
    world.until(lambda model: model["restarts"] >= 1)
    stopwatch.lap("T2: killed, with a deadline of 1 s, after it began to hang")
    world.looks_on("edgetpu:usb:0")

    assert stopwatch.lap("T2: looking on the Edge TPU again") < 15
    assert "hangs" in world.running.log()
    assert world.model()["restarts"] == 1
    assert world.running.end() == 0
    last = world.ears.until("front/event", lambda told: told["phase"] == "end")
    assert last["id"] == first["id"]
    assert [each["n"] for each in events(world)] == list(range(1, last["n"] + 1))


def test_a_card_that_vanishes_hangs_and_is_given_up(launch: Launch, edgetpu: Emulator, stopwatch: Stopwatch) -> None:
    """T2 as the hardware does it: the PCIe driver waits for ever."""
    card = edgetpu.sysfs.add_apex()
    world = launch()
    world.looks_on("edgetpu:pci:0")

    stopwatch.start()
    card.unplug()
    world.looks_on("cpu")
    stopwatch.lap("T2: looking on the CPU, with a deadline of 1 s, after a card vanished")

    assert "hangs" in world.complaint("on the CPU instead of the Edge TPU")


def test_an_opening_that_hangs_is_given_up_and_the_cpu_looks_meanwhile(
    launch: Launch, stick: FakeDevice, stopwatch: Stopwatch
) -> None:
    """T3: with a deadline of 6 s in place of 40."""
    stick.on_open("hang once")
    stopwatch.start()
    world = launch(open_timeout="6s")

    world.looks_on("cpu")
    stopwatch.lap("T3: looking on the CPU, after the start")
    assert "instead of the Edge TPU: it is being opened" in world.running.status()["degraded"][0]
    world.looks_on("edgetpu:usb:0")

    assert stopwatch.lap("T3: looking on the Edge TPU, with a deadline of 6 s, after the start") > 6
    assert "did not open on edgetpu within 6 s" in world.running.log()


def test_without_a_device_the_twin_looks_and_health_says_why(launch: Launch) -> None:
    """T4"""
    world = launch(accelerator="edgetpu")

    world.looks_on("cpu")

    assert "there is no Edge TPU here: plug it in" in world.complaint("on the CPU instead of the Edge TPU")


def test_auto_without_a_device_is_no_reason_to_complain(launch: Launch, edgetpu: Emulator) -> None:
    """It is what the machine has. One that is plugged in later is taken, or it is told why not."""
    world = launch(accelerator="auto")
    world.looks_on("cpu")
    world.is_well()

    card = edgetpu.sysfs.add_apex(dead=True)
    assert "switch the machine off and on" in world.complaint("on the CPU instead of the Edge TPU", "does not answer")

    card.temperature(40)
    world.looks_on("edgetpu:pci:0")
    world.is_well()


def test_three_crashes_before_a_first_good_inference_are_called_incompatible(
    launch: Launch, stick: FakeDevice, stopwatch: Stopwatch
) -> None:
    """T4: a segfault at load. The CPU looks; the Edge TPU is still tried now and then."""
    stick.on_prepare("segfault")
    stopwatch.start()
    world = launch(accelerator="edgetpu")

    world.looks_on("cpu")
    stopwatch.lap("T4: looking on the CPU, after a start with a library that crashes")
    reason = world.publishes("do not go together")
    stopwatch.lap("T4: called incompatible, with backoff from 0.3 s")
    assert "3 crashes in a row before a first good inference" in reason
    assert "if they crash, install libedgetpu" in reason

    stick.behave()
    world.looks_on("edgetpu:usb:0")


def test_without_a_twin_the_daemon_goes_on_blind_and_says_so(
    launch: Launch, edgetpu: Emulator, furniture: Furniture
) -> None:
    world = launch(accelerator="edgetpu", file=furniture.tpu, compiled=None)
    assert "plug it in" in world.complaint("model tiny: there is no Edge TPU here")

    edgetpu.sysfs.add_usb(first_open=True)

    world.looks_on("edgetpu:usb:0")


def test_a_card_that_is_too_hot_is_spared_until_it_has_cooled(
    launch: Launch, edgetpu: Emulator, stopwatch: Stopwatch
) -> None:
    """T5: the rate is halved within 5 s, and health says so; the hysteresis is 3 °C."""
    card = edgetpu.sysfs.add_apex(temp=60)
    world = launch()
    world.looks_on("edgetpu:pci:0")
    full = world.looks_per_s()

    stopwatch.start()
    card.temperature(86)
    assert "(86 °C): at half the rate" in world.publishes("too hot", within_s=5)
    stopwatch.lap("T5: too hot is told, after it became so")
    assert world.model()["temperature_c"] == 86
    assert world.looks_per_s() == pytest.approx(full / 2, rel=0.25)
    card.temperature(83)
    time.sleep(1.2)
    assert world.running.status()["degraded"]

    stopwatch.start()
    card.temperature(80)
    world.is_well()
    stopwatch.lap("T5: well again, after it has cooled")
    assert world.looks_per_s() == pytest.approx(full, rel=0.25)


def test_a_card_that_fell_off_its_bus_is_told_and_the_cpu_looks(launch: Launch, edgetpu: Emulator) -> None:
    card = edgetpu.sysfs.add_apex()
    world = launch()
    world.looks_on("edgetpu:pci:0")

    card.temperature(-89.7)
    world.looks_on("cpu")

    assert "switch the machine off and on" in world.complaint("on the CPU instead of the Edge TPU", "does not answer")


def test_a_second_daemon_leaves_the_stick_to_the_first(
    launch: Launch, stick: FakeDevice, tmp_path: Path, edgetpu: Emulator
) -> None:
    world = launch(accelerator="edgetpu")
    world.looks_on("edgetpu:usb:0")
    owner = world.model()["pid"]
    second = tmp_path / "second"
    second.mkdir()
    config = (tmp_path / "smartcam.toml").read_text().replace(f'name = "{NODE}"', 'name = "other"')

    with daemon(second, config, edgetpu.environment) as running:
        other = World(running, world.ears)
        other.until_it_answers()
        other.looks_on("cpu")
        assert f"is in use by process {owner}: stop that" in running.status()["degraded"][0]
        running.process.kill()

    world.looks_on("edgetpu:usb:0")
    assert world.model()["restarts"] == 0
