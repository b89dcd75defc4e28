"""The child is a real process with the real interpreter; where a fault needs it, with a stand-in for the runtime."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from smartcam.detect.accelerator import Accelerator, AcceleratorLost
from smartcam.detect.model import ModelFile
from smartcam.errors import BadConfig, Unavailable

WriteModel = Callable[..., Path]


@contextlib.contextmanager
def opened(path: Path, *, sha256: str | None = None, wait: bool = True, **options: Any) -> Iterator[Accelerator]:
    settings: dict[str, Any] = {
        "device": "cpu",
        "threads": 1,
        "open_timeout_s": 10.0,
        "invoke_timeout_s": 5.0,
        "retry_min_s": 0.05,
        "retry_max_s": 0.2,
    }
    with Accelerator(ModelFile("tiny", path, sha256=sha256), **(settings | options)) as accelerator:
        if wait:
            until(accelerator, "ready")
        yield accelerator


def until(accelerator: Accelerator, name: str, restarts: int = 0) -> None:
    deadline = time.monotonic() + 10
    while accelerator.state.name != name or accelerator.state.restarts < restarts:
        accelerator.ready()
        assert time.monotonic() < deadline, accelerator.state
        time.sleep(0.005)


def fill(value: int) -> Callable[[NDArray[Any]], None]:
    return lambda picture: picture.fill(value)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while not gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def echo(write_model: WriteModel) -> Path:
    """A model whose output is its input."""
    return write_model(echo=True)


@pytest.fixture
def runtime_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``runtime_that(code)`` → runtime="tflite" is a stand-in that runs this code when a model is opened."""

    def install(code: str) -> None:
        site = tmp_path / "site"
        (site / "tflite_runtime").mkdir(parents=True)
        about = site / "tflite_runtime-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-runtime\nVersion: 0.1\n")
        (site / "tflite_runtime" / "interpreter.py").write_text(
            "import os, signal, sys, time\nclass Interpreter:\n    def __init__(self, **_):\n        " + code + "\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(site))

    return install


# --- the good way


def test_outputs_come_back_in_the_order_of_submission_two_in_flight(echo: Path) -> None:
    with opened(echo) as accelerator:
        assert (accelerator.free, accelerator.in_flight) == (2, 0)
        accelerator.submit(fill(1))
        for value in range(2, 20):
            accelerator.submit(fill(value))
            assert (accelerator.free, accelerator.in_flight) == (0, 2)
            assert (accelerator.collect()[0] == value - 1).all()
        assert (accelerator.collect()[0] == 19).all()


def test_a_third_picture_is_the_callers_mistake_and_spoils_nothing(echo: Path) -> None:
    with opened(echo) as accelerator:
        accelerator.submit(fill(1))
        accelerator.submit(fill(2))
        with pytest.raises(RuntimeError, match="collect one first"):
            accelerator.submit(fill(3))

        assert [int(accelerator.collect()[0].max()) for _ in range(2)] == [1, 2]


def test_outputs_are_copies_that_later_pictures_do_not_change(echo: Path) -> None:
    with opened(echo) as accelerator:
        accelerator.submit(fill(7))
        [first] = accelerator.collect()
        for value in (8, 9, 10):
            accelerator.submit(fill(value))
            accelerator.collect()

        assert (first == 7).all()


def test_the_picture_has_the_models_shape_and_type(write_model: WriteModel) -> None:
    seen = []
    with opened(write_model(size=(12, 8), dtype="float32")) as accelerator:
        accelerator.submit(lambda picture: seen.append((picture.shape, picture.dtype.name)))
        accelerator.collect()

    assert seen == [((1, 8, 12, 3), "float32")]


def test_the_state_tells_where_and_how_fast(echo: Path) -> None:
    with opened(echo) as accelerator:
        accelerator.submit(fill(1))
        accelerator.collect()
        state = accelerator.state

    assert (state.name, state.reason, state.device, state.threads, state.restarts) == ("ready", "", "cpu", 1, 0)
    assert state.runtime.split()[0] in ("ai-edge-litert", "tflite-runtime")
    assert state.invoke_ms is not None
    assert state.pid not in (None, os.getpid())


def test_a_picture_that_cannot_be_made_costs_no_slot(echo: Path) -> None:
    """A camera's trouble is not the accelerator's."""

    def fails(_: NDArray[Any]) -> None:
        raise OSError("the decoder failed")

    with opened(echo) as accelerator:
        with pytest.raises(OSError, match="the decoder failed"):
            accelerator.submit(fails)
        accelerator.submit(fill(3))

        assert (accelerator.collect()[0] == 3).all()


def test_the_child_loads_no_more_than_it_needs(echo: Path) -> None:
    """Each megabyte there is one less on the board."""
    with opened(echo) as accelerator:
        mapped = Path(f"/proc/{accelerator.state.pid}/maps").read_text()

    assert "litert" in mapped or "tflite" in mapped
    assert not [name for name in ("cv2", "/av/", "pydantic") if name in mapped]


def test_closing_ends_the_child(echo: Path) -> None:
    with opened(echo) as accelerator:
        pid = accelerator.state.pid
        accelerator.submit(fill(1))

    assert pid is not None
    assert gone(pid)


# --- faults


def test_a_child_that_is_killed_in_flight_is_replaced(echo: Path) -> None:
    with opened(echo) as accelerator:
        accelerator.submit(fill(1))
        accelerator.collect()
        pid = accelerator.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        accelerator.submit(fill(2))
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(AcceleratorLost, match="killed by SIGKILL"):
            accelerator.collect()

        assert (accelerator.state.name, accelerator.in_flight, accelerator.free) == ("lost", 0, 0)
        until(accelerator, "ready", restarts=1)
        accelerator.submit(fill(3))
        assert (accelerator.collect()[0] == 3).all()


def test_a_child_that_dies_idle_is_noticed_and_replaced(echo: Path) -> None:
    """libedgetpu aborts the process when its stick is unplugged, also between two pictures."""
    with opened(echo) as accelerator:
        pid = accelerator.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGABRT)

        until(accelerator, "lost")
        assert "killed by SIGABRT" in accelerator.state.reason
        until(accelerator, "ready")
        assert accelerator.state.pid != pid


def test_a_child_that_died_unnoticed_is_found_out_by_submit_or_collect(echo: Path) -> None:
    with opened(echo) as accelerator:
        pid = accelerator.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)

        with pytest.raises(AcceleratorLost, match="killed by SIGKILL"):  # noqa: PT012 - whichever notices first
            accelerator.submit(fill(1))
            accelerator.collect()


def test_a_child_that_hangs_in_flight_is_killed_at_its_deadline(echo: Path) -> None:
    with opened(echo, invoke_timeout_s=0.3) as accelerator:
        pid = accelerator.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        accelerator.submit(fill(1))
        accelerator.submit(fill(2))

        with pytest.raises(AcceleratorLost, match=r"no inference within 0\.3 s: cpu hangs"):
            accelerator.collect()

        assert gone(pid)
        until(accelerator, "ready", restarts=1)


def test_a_late_collector_does_not_take_a_healthy_child_for_a_hanging_one(echo: Path) -> None:
    """The deadline is the child's: an answer that lies there counts, however late it is fetched."""
    with opened(echo, invoke_timeout_s=0.1) as accelerator:
        accelerator.submit(fill(1))
        accelerator.submit(fill(2))
        time.sleep(0.3)

        assert (accelerator.collect()[0] == 1).all()
        assert (accelerator.collect()[0] == 2).all()


def test_a_child_that_hangs_at_opening_is_killed_at_its_deadline(
    echo: Path, runtime_that: Callable[[str], None]
) -> None:
    runtime_that("time.sleep(60)")

    with opened(echo, wait=False, runtime="tflite", open_timeout_s=0.5) as accelerator:
        accelerator.ready()
        pid = accelerator.state.pid
        until(accelerator, "lost")

        assert pid is not None
        assert gone(pid)
        assert accelerator.state.reason == f"{echo} did not open on cpu within 0.5 s"


def test_ready_never_waits(echo: Path, runtime_that: Callable[[str], None]) -> None:
    """The loop that asks has cameras to serve."""
    runtime_that("time.sleep(60)")

    with opened(echo, wait=False, runtime="tflite") as accelerator:
        accelerator.ready()
        before = time.monotonic()
        for _ in range(100):
            assert not accelerator.ready()

        assert time.monotonic() - before < 1


def test_three_crashes_before_a_first_good_inference_are_called_incompatible(
    echo: Path, runtime_that: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    runtime_that("os.write(2, b'F driver.cc:12] no such thing\\n'); os.abort()")

    with opened(echo, wait=False, runtime="tflite") as accelerator, caplog.at_level(logging.INFO):
        until(accelerator, "lost")
        assert "killed by SIGABRT" in accelerator.state.reason
        assert 'its last words: "F driver.cc:12] no such thing"' in accelerator.state.reason
        until(accelerator, "incompatible")
        assert "3 crashes in a row before a first good inference" in accelerator.state.reason
        until(accelerator, "incompatible", restarts=5)

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"], "one line for each change"


def test_crashes_after_a_good_inference_are_losses(echo: Path) -> None:
    with opened(echo) as accelerator:
        accelerator.submit(fill(1))
        accelerator.collect()
        for restarts in (1, 2, 3, 4):
            pid = accelerator.state.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            until(accelerator, "lost", restarts)
            until(accelerator, "ready", restarts)


def test_a_runtime_that_chatters_blocks_nobody_and_is_quoted_with_its_last_words(
    echo: Path, runtime_that: Callable[[str], None]
) -> None:
    """Far more than a pipe holds, and a line without end."""
    runtime_that("os.write(2, b'noise\\n' * 100_000 + b'x' * 200_000 + b'\\nlast words\\n'); os._exit(3)")

    with opened(echo, wait=False, runtime="tflite") as accelerator:
        until(accelerator, "lost")

        assert "ended with exit code 3" in accelerator.state.reason
        assert 'its last words: "last words"' in accelerator.state.reason


def test_a_model_that_cannot_be_used_says_why_and_is_tried_again(write_model: WriteModel) -> None:
    """A crash it is not: the next attempt may find the right file."""
    with opened(write_model(custom_op="edgetpu-custom-op"), wait=False) as accelerator:
        until(accelerator, "lost", restarts=4)

        assert "is compiled for the Edge TPU" in accelerator.state.reason
        assert isinstance(accelerator.error, BadConfig)


def test_a_model_with_another_hash_is_never_parsed(echo: Path, runtime_that: Callable[[str], None]) -> None:
    runtime_that("os.abort()")

    with opened(echo, wait=False, sha256="0" * 64, runtime="tflite") as accelerator:
        until(accelerator, "lost")

        assert "its sha256 should be 0000" in accelerator.state.reason


def test_a_missing_library_is_unavailable(echo: Path) -> None:
    with opened(echo, wait=False, device="edgetpu:usb:7") as accelerator:
        until(accelerator, "lost")

        assert isinstance(accelerator.error, Unavailable)


def test_damaged_models_hurt_the_child_alone(echo: Path, tmp_path: Path) -> None:
    """Flipped bits and cuts: the model works all the same, or is refused, or its child dies."""
    whole, random_ = echo.read_bytes(), random.Random(1)
    for number in range(8):
        damaged = bytearray(whole[: random_.randrange(64, len(whole))] if number % 2 else whole)
        for _ in range(6):
            damaged[random_.randrange(8, len(damaged))] ^= 1 << random_.randrange(8)
        path = tmp_path / "damaged.tflite"
        path.write_bytes(damaged)
        with opened(path, wait=False) as accelerator:
            deadline = time.monotonic() + 10
            while not accelerator.ready() and accelerator.error is None:
                assert time.monotonic() < deadline
                time.sleep(0.005)


def test_the_child_dies_with_a_parent_that_is_killed(echo: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from smartcam.detect.accelerator import Accelerator\n"
        "from smartcam.detect.model import ModelFile\n"
        "accelerator = Accelerator(ModelFile('tiny', pathlib.Path(sys.argv[1])), device='cpu', threads=1)\n"
        "while not accelerator.ready(): time.sleep(0.01)\n"
        "print(accelerator.state.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(echo)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert not gone(child)
    # A stopped child cannot notice that its socket closed: only the kernel's signal ends it.
    os.kill(child, signal.SIGSTOP)

    parent.kill()
    parent.wait()

    wait_until_gone(child)


def test_the_child_leaves_ctrl_c_and_a_stop_of_the_service_to_its_parent(echo: Path) -> None:
    with opened(echo) as accelerator:
        pid = accelerator.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        accelerator.submit(fill(5))

        assert (accelerator.collect()[0] == 5).all()
