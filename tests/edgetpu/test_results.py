"""What the product sees with an Edge TPU is, to the last digit, what it sees with the twin on the CPU."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.edgetpu.conftest import PYTHONS
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import compiled
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.world import toml

PICTURES = ("cameratrapai__vehicle.jpg", "cameratrapai__human.jpg")


def rows(film: Path, runtime: str, **keys: object) -> list[str]:
    """Every detection in the film, as `smartcam replay` writes them."""
    config, written = film.with_name("smartcam.toml"), film.with_name("rows.txt")
    config.write_text(f'[camera.front]\nsource = "{film}"\n[model.traffic]\n{toml({"runtime": runtime, **keys})}')
    command: list[str | Path] = [PYTHONS[runtime], "-m", "smartcam", "replay", film, "-c", config]
    subprocess.run([*command, "--detections", written], check=True, timeout=120, stdout=subprocess.DEVNULL)
    return written.read_text().splitlines()


def test_a_real_detector_sees_the_same_on_both(
    runtime: str, here: Emulator, stick: FakeDevice, shared_models: Path, tmp_path: Path
) -> None:
    twin, made, film = shared_models / "traffic_model.tflite", tmp_path / "traffic_edgetpu.tflite", tmp_path / "film"
    made.write_bytes(compiled(twin.read_bytes()))
    film.mkdir()
    for name in PICTURES:
        (film / name).symlink_to(shared_models.parent / "images" / name)
    keys = {"file": twin, "threads": 1, "score": 0}

    on_tpu = rows(film, runtime, compiled=made, accelerator="edgetpu", **keys)
    on_cpu = rows(film, runtime, accelerator="cpu", **keys)

    assert stick.counts()[0] >= len(PICTURES)
    assert {row.split(",")[0] for row in on_tpu} == {"1", "2"}
    assert on_tpu == on_cpu
