"""What a device is told to do wrong, it does; and how long things take."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.edgetpu.conftest import Start
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.session import Failed, Session
from tests.edgetpu.sysfs import FakeDevice

WITHIN_S = 5.0
SIGNALS = {"abort": 6, "segfault": 11}


@pytest.fixture
def process(edgetpu: Emulator, stick: FakeDevice, start: Start, tiny: Path) -> Session:
    """The tiny model is open in it."""
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(tiny)
    return process


def test_an_error_begins_at_the_invoke_that_was_named_and_ends_when_it_is_taken_back(
    runtime: str, process: Session, stick: FakeDevice, picture: NDArray[np.uint8]
) -> None:
    stick.on_invoke("error", at=3)
    process.invoke(picture)
    process.invoke(picture)

    for _ in range(2):
        with pytest.raises(Failed, match=r"RuntimeError: .*emulated Edge TPU: told to fail at invoke"):
            process.invoke(picture)

    stick.behave()
    assert (process.invoke(picture)[1] == picture).all()


def test_once_is_once(process: Session, stick: FakeDevice, picture: NDArray[np.uint8]) -> None:
    stick.on_invoke("error", once=True)
    with pytest.raises(Failed):
        process.invoke(picture)

    assert (process.invoke(picture)[1] == picture).all()


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_crash_at_an_invoke_ends_the_process(
    runtime: str, process: Session, stick: FakeDevice, picture: NDArray[np.uint8], kind: str
) -> None:
    stick.on_invoke(kind, at=2)
    process.invoke(picture)

    with pytest.raises(EOFError):
        process.invoke(picture)

    assert process.process.wait(WITHIN_S) == -SIGNALS[kind]


def test_a_hang_at_an_invoke_lasts(process: Session, stick: FakeDevice, picture: NDArray[np.uint8]) -> None:
    stick.on_invoke("hang")
    process.begin_invoke(picture)

    assert process.hangs()


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_crash_at_opening_ends_the_process(edgetpu: Emulator, stick: FakeDevice, start: Start, kind: str) -> None:
    stick.on_open(kind)
    process = start()

    with pytest.raises(EOFError):
        process.load_delegate(edgetpu.library)

    assert process.process.wait(WITHIN_S) == -SIGNALS[kind]


def test_opening_may_fail_once_and_be_slow(edgetpu: Emulator, stick: FakeDevice, start: Start) -> None:
    stick.on_open("error once")
    process = start()
    with pytest.raises(Failed, match="Failed to load delegate"):
        process.load_delegate(edgetpu.library)
    process.load_delegate(edgetpu.library)
    process.unload_delegate()

    stick.on_open("slow 0.4")
    process.begin_loading(edgetpu.library)
    assert process.hangs(for_s=0.2)
    process.end_loading()
    assert stick.owner == process.process.pid


def test_a_hang_at_opening_lasts(edgetpu: Emulator, stick: FakeDevice, start: Start) -> None:
    stick.on_open("hang")
    process = start()
    process.begin_loading(edgetpu.library)

    assert process.hangs()


def test_allocating_may_fail(edgetpu: Emulator, stick: FakeDevice, start: Start, tiny: Path) -> None:
    stick.on_prepare("error")
    process = start()
    process.load_delegate(edgetpu.library)

    with pytest.raises(Failed, match="told to fail at prepare"):
        process.open(tiny)


def test_faults_are_of_one_device(edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]) -> None:
    good, bad = edgetpu.sysfs.add_usb(), edgetpu.sysfs.add_usb()
    bad.on_invoke("error")
    process = start()
    for index in (0, 1):
        process.load_delegate(edgetpu.library, {"device": f"usb:{index}"})
        process.open(tiny, f"on {index}")

    with pytest.raises(Failed):
        process.invoke(picture, "on 0")
    assert (process.invoke(picture, "on 1")[1] == picture).all()
    assert good.counts() == (1, 0)


def test_an_invoke_takes_as_long_as_it_was_told(process: Session, stick: FakeDevice) -> None:
    """From below exactly; from above it is this machine's affair."""
    stick.takes(20)
    assert min(process.time_invokes(5)) >= 20

    stick.takes(0)
    assert median(process.time_invokes(5)) < 20


def test_canned_outputs_ask_no_twin(
    edgetpu: Emulator, stick: FakeDevice, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    (edgetpu.sysfs.root / "emulated/twins").unlink()
    stick.answers()
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(tiny)

    assert [output.max() for output in process.invoke(picture)] == [0, 0]

    recorded = np.array([4, 3, 2, 1], np.float32).tobytes() + bytes(range(192))
    stick.answers(recorded)
    assert b"".join(output.tobytes() for output in process.invoke(picture)) == recorded


def test_without_a_twin_server_it_says_so(edgetpu: Emulator, stick: FakeDevice, start: Start, tiny: Path) -> None:
    (edgetpu.sysfs.root / "emulated/twins").unlink()
    process = start()
    process.load_delegate(edgetpu.library)

    with pytest.raises(Failed, match="no twin server answers in SMARTCAM_SYSFS/emulated"):
        process.open(tiny)
