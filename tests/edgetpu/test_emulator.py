"""The whole of it, as a person starts it: `python -m tests.edgetpu`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.edgetpu.conftest import ROOT
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import compiled
from tests.edgetpu.session import session
from tests.tiny_models import model_bytes

COMMAND = [sys.executable, "-m", "tests.edgetpu"]


def test_a_command_runs_with_devices_in_its_environment(edgetpu: Emulator) -> None:
    tell = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('SMARTCAM_')}))"
    script = [*COMMAND, "--pci", "1", "--latency-ms", "2.5", "--", sys.executable, "-c", tell]

    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True)

    told = json.loads(done.stdout)
    assert Path(told["SMARTCAM_LIBEDGETPU"]) == edgetpu.library
    assert done.stderr == f"# {told['SMARTCAM_SYSFS']}/class/apex/apex_0\n"


def test_the_lines_that_it_prints_are_all_that_another_shell_needs(
    edgetpu: Emulator, tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    cpu, made, tree = tmp_path / "cpu.tflite", tmp_path / "tpu.tflite", tmp_path / "tree"
    cpu.write_bytes(model_bytes(echo=True))
    subprocess.run([*COMMAND, "--compile", cpu, made], cwd=ROOT, check=True)
    assert made.read_bytes() == compiled(cpu.read_bytes())

    with subprocess.Popen([*COMMAND, "--folder", tree], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            lines = [shlex.split(running.stdout.readline()) for _ in range(4)]
            environment = dict(words[1].split("=", 1) for words in lines if words[0] == "export")
            with session({**os.environ, **environment}, tmp_path / "stderr") as process:
                process.load_delegate(Path(environment["SMARTCAM_LIBEDGETPU"]))
                process.open(made)
                assert (process.invoke(picture)[0] == picture).all()
        finally:
            running.terminate()
    assert running.returncode == 0
