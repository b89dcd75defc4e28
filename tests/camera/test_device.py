"""/dev/videoN, against a V4L2 device that stands in front of libc: FFmpeg's part and ours are the real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clips import picture

LOOK = """
import json, resource, sys, time
from smartcam.camera.session import open_session
from smartcam.config.sections import Camera
from smartcam.errors import Unavailable
config = Camera.model_validate(json.loads(sys.argv[1]))
luma, why = [], ""
try:
    with open_session(config, "front", lambda: len(luma) < int(sys.argv[2])) as session:
        for frame in session:
            luma.append(int(frame.picture.luma.mean()))
except Unavailable as error:
    why = str(error)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"luma": luma, "why": why, "cpu_s": used.ru_utime + used.ru_stime}))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (compiler := shutil.which("cc")) or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("needs a C compiler and the kernel's headers: gcc, linux-libc-dev")
    path = tmp_path_factory.mktemp("v4l2") / "device.so"
    code = Path(__file__).with_name("v4l2_device.c")
    subprocess.run([compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-o", path, code, "-ldl"], check=True)
    return path


@pytest.fixture
def device() -> Iterator[Path]:
    if not Path("/dev/shm").is_dir():
        pytest.skip("needs /dev/shm")
    path = Path(f"/dev/shm/video-{uuid.uuid4()}")
    path.touch()
    yield path
    path.unlink()


def seen(library: Path, device: Path, *, gives: int, stop_after: int = 1000, jpeg: Path | None = None) -> Any:
    """What a process sees of the device that has just been plugged in."""
    config = {"source": str(device), "open_timeout": 5, "read_timeout": 0.5, "size": "160x120", "fps": 25}
    fake = {"LD_PRELOAD": str(library), "FAKE_V4L2": str(device), "FAKE_V4L2_FRAMES": str(gives)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(config), str(stop_after)],
        env=os.environ | fake | ({"FAKE_V4L2_JPEG": str(jpeg)} if jpeg else {}),
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_device_gives_every_picture_and_is_given_up_when_it_falls_silent(library: Path, device: Path) -> None:
    """FFmpeg would wait in the driver for ever, where nothing can reach it."""
    told = seen(library, device, gives=8)

    assert told["luma"] == list(range(16, 24))
    assert told["why"] == f"{device}: silent for 0.5 s"


def test_a_device_may_give_jpegs(library: Path, device: Path, tmp_path: Path) -> None:
    told = seen(library, device, gives=8, jpeg=picture(tmp_path / "a.jpg"))

    assert len(told["luma"]) == 8
    assert told["luma"][0] > 100


def test_a_device_that_never_gives_a_picture_is_given_up_and_costs_little(library: Path, device: Path) -> None:
    """FFmpeg's probing asks it without a pause: that must not last as long as the open time-out."""
    told = seen(library, device, gives=0)

    assert told["luma"] == []
    assert told["why"] == f"{device}: silent for 0.5 s"
    assert told["cpu_s"] < 4


def test_a_stop_is_heeded_between_two_pictures(library: Path, device: Path) -> None:
    assert len(seen(library, device, gives=8, stop_after=3)["luma"]) == 3
