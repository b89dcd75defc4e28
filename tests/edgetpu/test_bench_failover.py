"""`smartcam bench failover`, with somebody who unplugs the stick when asked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import compiled
from tests.real import footage
from tests.tiny_models import Canned, model_bytes


def test_it_times_how_soon_the_cpu_steps_in_and_the_stick_is_taken_back(edgetpu: Emulator, tmp_path: Path) -> None:
    footage()
    cpu, tpu = tmp_path / "traffic.tflite", tmp_path / "traffic_edgetpu.tflite"
    boxes, scores = np.array([[[0.2, 0.3, 0.9, 0.6]]], np.float32), np.array([[0.9]], np.float32)
    outputs = {"boxes": boxes, "ids": np.zeros((1, 1), np.float32), "scores": scores, "count": np.ones(1, np.float32)}
    cpu.write_bytes(model_bytes([Canned(name, value) for name, value in outputs.items()]))
    tpu.write_bytes(compiled(cpu.read_bytes()))
    stick = edgetpu.sysfs.add_usb()
    command = [sys.executable, "-m", "smartcam", "bench", "failover", str(cpu), str(tpu), "--json"]
    environment = {**os.environ, **edgetpu.environment}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert process.stdout
        for line in process.stderr:
            if "unplug" in line:
                stick.unplug()
            if "plug it in again" in line:
                edgetpu.sysfs.add_usb()
                break
        figures = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert 0 < figures["on_cpu_after_s"] <= 10
    assert 0 < figures["back_on_tpu_after_s"] <= 30
