from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartcam.detect.interpreter import is_compiled, pycoral_impostor


def test_a_compiled_model_is_told_from_a_plain_one(write_model: Callable[..., Path]) -> None:
    plain, compiled = write_model(), write_model(custom_op="edgetpu-custom-op")

    assert (is_compiled(plain), is_compiled(compiled)) == (False, True)


def install(site: Path, summary: str, module: str) -> None:
    about = site / "pycoral-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pycoral\nVersion: 1.2.3\nSummary: {summary}\n")
    (about / "RECORD").write_text(f"{module},,\n")
    (site / module).parent.mkdir(parents=True, exist_ok=True)
    (site / module).touch()
    (site / "pycoral.py").write_text("raise AssertionError('it must not be imported')\n")


def test_the_unrelated_pycoral_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "Allen Coral Atlas tools", "pycoral/cli.py")

    sentence = pycoral_impostor()

    assert sentence is not None
    assert 'pycoral 1.2.3 ("Allen Coral Atlas tools")' in sentence
    assert "pip uninstall pycoral" in sentence


def test_googles_pycoral_is_no_impostor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "Coral Python API", "pycoral/utils/edgetpu.py")

    assert pycoral_impostor() is None


def opened(path: Path, device: str = "cpu", runtime: str = "auto") -> Any:
    """What opening says, asked in another process: the daemon's own never loads an interpreter."""
    script = (
        "import sys, json, pathlib\n"
        "from smartcam.detect.interpreter import open_model\n"
        "from smartcam.errors import SmartcamError\n"
        "try:\n"
        "    it = open_model(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], 1)\n"
        "    print(json.dumps([it.device, it.runtime, it.picture.shape, [o.shape for o in it.outputs]]))\n"
        "except SmartcamError as error:\n"
        "    print(json.dumps([error.exit_code, str(error)]))\n"
    )
    command = [sys.executable, "-c", script, str(path), device, runtime]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)


def test_an_opened_model_tells_its_tensors(write_model: Callable[..., Path]) -> None:
    device, runtime, picture, outputs = opened(write_model(size=(12, 8)))

    assert device == "cpu"
    assert runtime.split()[0] in ("ai-edge-litert", "tflite-runtime")
    assert (picture, outputs) == ([1, 8, 12, 3], [[1, 8, 12, 3]])


def test_a_compiled_model_without_an_edge_tpu_is_told_so(write_model: Callable[..., Path]) -> None:
    code, sentence = opened(write_model(custom_op="edgetpu-custom-op"))

    assert code == 78
    assert "is compiled for the Edge TPU" in sentence
    assert "use the CPU version of the model" in sentence


def test_a_missing_edge_tpu_library_is_told(write_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTCAM_LIBEDGETPU", "libedgetpu-that-is-not-there.so.1")
    code, sentence = opened(write_model(custom_op="edgetpu-custom-op"), "edgetpu:usb:0")

    assert code == 69
    assert "libedgetpu-that-is-not-there.so.1 cannot be loaded" in sentence


def test_a_model_for_the_cpu_is_not_given_to_the_edge_tpu(write_model: Callable[..., Path]) -> None:
    """The delegate would claim nothing of it, and the CPU would do the work without a word."""
    code, sentence = opened(write_model(), "edgetpu:usb:0")

    assert code == 78
    assert "is not compiled for the Edge TPU: compile it with edgetpu_compiler" in sentence


def test_a_missing_runtime_says_what_to_install(write_model: Callable[..., Path]) -> None:
    code, sentence = opened(write_model(), runtime="tflite")

    if code == "cpu":
        pytest.skip("tflite-runtime is installed here")
    assert code == 69
    assert "install tflite-runtime with pip" in sentence


def test_a_model_whose_input_is_no_picture_is_refused(write_model: Callable[..., Path]) -> None:
    code, sentence = opened(write_model(size=(1, 1)))

    assert code == 78
    assert "no input is a picture [1, height, width, 3] of a fixed size; its inputs are [1, 1, 1, 3]" in sentence


def test_a_damaged_model_is_told_in_one_line(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(write_model().read_bytes()[:200])

    code, sentence = opened(damaged)

    assert code == 78
    assert "cannot run this model on cpu" in sentence
    assert "\n" not in sentence
