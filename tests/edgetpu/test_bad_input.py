"""What cannot run on the Edge TPU, or not together: each its own sentence with its remedy, and nothing crashes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartcam.detect.detector import Detector
from tests.brokers import Mosquitto
from tests.daemons import daemon
from tests.edgetpu.conftest import Launch, Together
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import without_graph
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.tending import on_the_cpu_because, tended
from tests.edgetpu.world import Furniture, sees
from tests.tiny_models import Canned, model_bytes

CPU_INSTEAD = "on the CPU instead of the Edge TPU: "


class Refusal:
    """A daemon that does not start."""

    def __init__(self, code: int, told: str, seconds: float) -> None:
        self.code = code
        self.told = told
        self.seconds = seconds


Refuse = Callable[..., Refusal]


@pytest.fixture
def refuse(tmp_path: Path, edgetpu: Emulator, furniture: Furniture, broker: Mosquitto) -> Refuse:
    """``refuse(sha256="0…")`` → how a daemon with these keys in [model.tiny] ends."""

    def end(**keys: Any) -> Refusal:
        began = time.monotonic()
        with daemon(tmp_path, furniture.config(broker.url, **keys), edgetpu.environment) as running:
            code = running.process.wait(10)
        return Refusal(code, running.log(), time.monotonic() - began)

    return end


def test_a_library_that_is_missing_is_told_and_the_cpu_looks(
    stick: FakeDevice, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTCAM_LIBEDGETPU", "libedgetpu-of-nobody.so.1")
    on_the_cpu_because(together(), "libedgetpu-of-nobody.so.1 cannot be loaded")


def test_a_library_that_opens_nothing_is_told_apart_from_one_that_is_missing(
    stick: FakeDevice, together: Together
) -> None:
    stick.on_open("error")
    on_the_cpu_because(together(), "edgetpu:usb:0 does not open, though the kernel shows it: check the permissions")


def test_a_device_string_that_names_nothing_is_told_and_the_cpu_looks(stick: FakeDevice, together: Together) -> None:
    on_the_cpu_because(together("edgetpu:usb:7"), 'there is no Edge TPU "usb:7" here: plug it in, or name another one')


def test_two_versions_whose_outputs_differ_are_told(
    stick: FakeDevice, furniture: Furniture, together: Together, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be meant, so it goes on; once both were opened it is known."""
    other = furniture.add("other.tflite", sees(boxes=3))
    failover = together(path=other)
    tended(failover, lambda: failover.state.name == "ready")
    assert "give the CPU version" not in caplog.text

    stick.unplug()

    ours, theirs = "[1, 1, 4] [1, 1] [1, 1] [1]", "[1, 3, 4] [1, 3] [1, 3] [1]"
    told = (
        f"the outputs of {furniture.tpu} are {ours}, and those of {other} {theirs}: give the CPU version of the model"
    )
    on_the_cpu_because(failover, told)
    assert caplog.text.count("give the CPU version") == 1


def test_a_twin_that_cannot_be_read_with_these_labels_is_told_and_not_believed(
    here: Emulator, stick: FakeDevice, furniture: Furniture, together: Together, caplog: pytest.LogCaptureFixture
) -> None:
    """Another model's: it tells two classes apart, and there is one label. The Edge TPU is still taken back."""
    two_classes = model_bytes([Canned("cells", np.zeros((1, 6, 21), np.float32))])
    other = furniture.add("other.tflite", two_classes)
    failover = together("auto", path=other)
    model = replace(failover.models[0], labels=("person",))
    detector = Detector(model, failover)
    detector.wait_ready(10)

    stick.unplug()
    tended(detector, lambda: detector.problem)

    assert not detector.ready()
    assert "the model tells 2 classes apart, but has 1 labels" in detector.state.reason
    assert f"and those of {other} [1, 6, 21]: give the CPU version of the model that was compiled" in caplog.text
    here.sysfs.add_usb()
    tended(detector, detector.ready)
    assert detector.state.device == "edgetpu:usb:0"


def test_a_cpu_model_that_is_called_compiled_is_told_and_the_cpu_looks(
    stick: FakeDevice, furniture: Furniture, together: Together
) -> None:
    on_the_cpu_because(
        together(compiled=furniture.cpu), f"{furniture.cpu} is not compiled for the Edge TPU: compile it with"
    )


def test_a_cpu_model_alone_is_not_given_to_the_edge_tpu(refuse: Refuse, furniture: Furniture) -> None:
    refusal = refuse(accelerator="edgetpu:usb", compiled=None)

    assert refusal.code == 78
    assert f"model.tiny: accelerator = edgetpu:usb: {furniture.cpu} is not compiled for the Edge TPU" in refusal.told
    assert "name the result as compiled" in refusal.told


def test_a_compiled_model_alone_is_not_given_to_the_cpu(launch: Launch, furniture: Furniture) -> None:
    world = launch(accelerator="cpu", file=furniture.tpu, compiled=None)

    assert "use the CPU version of the model" in world.complaint(
        f"model tiny: {furniture.tpu} is compiled for the Edge"
    )


@pytest.mark.parametrize(("key", "file"), [("sha256", "tiny.tflite"), ("compiled_sha256", "tiny_edgetpu.tflite")])
def test_a_model_of_another_sha256_is_refused_before_it_is_parsed(
    refuse: Refuse, furniture: Furniture, key: str, file: str
) -> None:
    """M1"""
    refusal = refuse(**{key: "0" * 64})

    assert refusal.code == 78
    assert f"model.tiny: {furniture.folder / file} is damaged or another file: its sha256 should be 000" in refusal.told


def test_a_model_that_is_damaged_while_it_is_in_use_is_not_parsed_again(
    launch: Launch, stick: FakeDevice, furniture: Furniture
) -> None:
    """M1: a card that forgets. What was opened goes on; a child that is opened anew checks its file first."""
    world = launch()
    world.looks_on("edgetpu:usb:0")
    content = without_graph(furniture.tpu.read_bytes())
    furniture.tpu.unlink()  # what the child has mapped stays as it is
    furniture.add("tiny_edgetpu.tflite", content)
    world.looks_on("edgetpu:usb:0")

    stick.on_invoke("abort", once=True)

    assert "fetch it again, or correct sha256" in world.complaint(CPU_INSTEAD, f"{furniture.tpu} is damaged")
    world.looks_on("cpu")


def test_a_compiled_model_that_crashes_its_parser_leaves_the_daemon_on_the_cpu(
    launch: Launch, stick: FakeDevice, furniture: Furniture
) -> None:
    """M1: the interpreter takes this file, and segfaults on it."""
    damaged = furniture.add("damaged_edgetpu.tflite", without_graph(furniture.tpu.read_bytes()))

    world = launch(compiled=damaged)

    assert "SIGSEGV" in world.complaint(CPU_INSTEAD, str(damaged), "crashes in a row before a first good inference")
    world.looks_on("cpu")


def test_damaged_copies_of_a_model_never_take_their_parent_along(
    runtime: str, launch: Launch, furniture: Furniture
) -> None:
    """M1: flipped bits and missing ends, one model each for one camera; a sound one looks on beside them."""
    sound = furniture.cpu.read_bytes()
    copies = [without_graph(sound), sound[: len(sound) // 2], flipped(sound, 1), flipped(sound, 2)]
    more = ""
    for n, content in enumerate(copies):
        file = furniture.add(f"copy-{n}.tflite", content)
        more += f'[model.m{n}]\nfile = "{file}"\nruntime = "{runtime}"\nthreads = 1\nretry_min = "200ms"\n'
        more += f'[camera.c{n}]\nsource = "{furniture.film}"\nmodel = "m{n}"\n'

    world = launch(more=more, accelerator="cpu")

    # Of the flipped ones nobody knows: some are as good as new.
    for n in range(2):
        world.complaint(f"model m{n}: ", f"copy-{n}.tflite")
    world.looks_on("cpu")


def flipped(model: bytes, seed: int) -> bytes:
    """Twenty bits flipped anywhere after the file's identifier."""
    chance, copy = random.Random(seed), bytearray(model)
    for _ in range(20):
        copy[chance.randrange(8, len(copy))] ^= 1 << chance.randrange(8)
    return bytes(copy)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("² person\n".encode(), 'labels.txt:1: "²" is not an index: write it with the digits 0 to 9'),
        (b"person\nc\x07r\n", "labels.txt:2: the character U+0007 cannot be part of a label"),
        (b"person\n" * 10_001, "labels.txt has 10,001 lines: a label file has 10,000 at most"),
        (b"\xff\xfe", "labels.txt:1: not UTF-8 text"),
    ],
    ids=["an index of another kind", "a bell", "too many", "another encoding"],
)
def test_a_file_that_holds_no_labels_is_refused_at_the_start(
    refuse: Refuse, furniture: Furniture, content: bytes, reason: str
) -> None:
    """M2"""
    furniture.add("labels.txt", content)

    refusal = refuse()

    assert refusal.code == 78
    assert reason in refusal.told


def test_a_label_file_of_a_gigabyte_is_refused_as_fast_as_any(refuse: Refuse, furniture: Furniture) -> None:
    """M2: it is not read."""
    furniture.add("labels.txt", b"")
    quick = refuse()
    assert "labels.txt is empty" in quick.told
    with furniture.labels.open("wb") as file:
        file.truncate(1 << 30)

    refusal = refuse()

    assert refusal.code == 78
    assert "labels.txt is larger than 1 MiB: a label file has one label a line" in refusal.told
    assert refusal.seconds < quick.seconds + 1
