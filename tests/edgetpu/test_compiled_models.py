from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.edgetpu.conftest import Start
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import PROGRAM_MARK, compiled, program_of
from tests.edgetpu.session import Failed, session
from tests.tiny_models import Canned, model_bytes


def noise(shape: list[int], dtype: str) -> NDArray[Any]:
    """A picture of which no two pixels are likely to be treated alike."""
    values = np.random.default_rng(7).integers(0, 256, shape)
    return (values / 255).astype(dtype) if dtype == "float32" else values.astype(np.uint8).view(dtype)


def test_a_compiled_style_model_gives_what_its_twin_gives(
    runtime: str, edgetpu: Emulator, start: Start, tiny: Path, picture: NDArray[np.uint8]
) -> None:
    edgetpu.sysfs.add_usb()
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(tiny)

    constant, echo = process.invoke(picture)

    assert constant.tolist() == [0, 1, 2, 3]
    assert (echo == picture).all()


def test_inputs_and_outputs_keep_their_names_shapes_and_quantisation(tmp_path: Path) -> None:
    """What reads a model's outputs must not see that they come from a chip."""
    cpu = model_bytes([Canned("scores", np.zeros((1, 5), np.uint8), 0.5, 3)], echo=True, dtype="int8", scale=1 / 128)
    (tmp_path / "cpu.tflite").write_bytes(cpu)
    (tmp_path / "twin.tflite").write_bytes(program_of(compiled(cpu))[len(PROGRAM_MARK) :])
    with session(os.environ, tmp_path / "stderr") as process:
        for name in ("cpu", "twin"):
            process.open(tmp_path / f"{name}.tflite", name, delegated=False)
        assert process.inputs("twin") == process.inputs("cpu")
        assert process.outputs("twin") == process.outputs("cpu")


def test_a_compiled_model_without_the_library_is_refused_by_its_custom_op(tmp_path: Path, tiny: Path) -> None:
    with session(os.environ, tmp_path / "stderr") as process, pytest.raises(Failed, match="edgetpu-custom-op"):
        process.open(tiny, delegated=False)


def test_a_model_with_nothing_for_the_chip_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left"):
        compiled(model_bytes(echo=True, custom_op="TFLite_Detection_PostProcess"))


def test_a_cpu_model_has_no_program() -> None:
    with pytest.raises(ValueError, match="not compiled"):
        program_of(model_bytes())


def test_googles_compiled_classifier_runs_with_its_twin(
    runtime: str, edgetpu: Emulator, start: Start, shared_models: Path
) -> None:
    """The real file, as the real compiler wrote it."""
    twin = shared_models / "mobilenet_v1_0.25_128_quant.tflite"
    real = shared_models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    edgetpu.sysfs.add_apex()
    edgetpu.pair(real, twin)
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(real, "tpu")
    process.open(twin, "cpu", delegated=False)
    picture = noise([1, 128, 128, 3], "uint8")

    [on_tpu], [on_cpu] = process.invoke(picture, "tpu"), process.invoke(picture, "cpu")

    assert on_tpu.max() > 0
    assert (on_tpu == on_cpu).all()


def test_a_detector_keeps_its_post_processing_on_the_cpu(
    runtime: str, edgetpu: Emulator, start: Start, shared_models: Path, tmp_path: Path
) -> None:
    twin = shared_models / "traffic_model.tflite"
    made = tmp_path / "traffic_edgetpu.tflite"
    made.write_bytes(compiled(twin.read_bytes()))
    edgetpu.sysfs.add_usb()
    process = start()
    process.load_delegate(edgetpu.library)
    process.open(made, "tpu")
    process.open(twin, "cpu", delegated=False)
    told = process.inputs("cpu")[0]
    picture = noise(told["shape"], told["dtype"])

    on_tpu, on_cpu = process.invoke(picture, "tpu"), process.invoke(picture, "cpu")

    assert b"TFLite_Detection_PostProcess" in made.read_bytes().replace(program_of(made.read_bytes()), b"")
    assert [each.shape for each in on_tpu] == [each.shape for each in on_cpu]
    assert all((tpu == cpu).all() for tpu, cpu in zip(on_tpu, on_cpu, strict=True))
    assert process.inputs("tpu") == process.inputs("cpu")
    assert [each["name"] for each in process.outputs("tpu")] == [each["name"] for each in process.outputs("cpu")]


def test_a_real_compiled_model_without_its_twin_says_where_it_is_looked_for(
    edgetpu: Emulator, start: Start, shared_models: Path
) -> None:
    edgetpu.sysfs.add_usb()
    process = start()
    process.load_delegate(edgetpu.library)

    with pytest.raises(Failed, match=r"its CPU version is wanted as .*/emulated/models/[0-9a-f]{64}\.tflite"):
        process.open(shared_models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")


def test_a_model_that_is_not_the_twin_is_noticed(
    edgetpu: Emulator, start: Start, shared_models: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(model_bytes())
    real = shared_models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    edgetpu.sysfs.add_usb()
    edgetpu.pair(real, other)
    process = start()
    process.load_delegate(edgetpu.library)

    with pytest.raises(Failed, match=r"takes 192 bytes and gives 192, the compiled model 49152 and 1001"):
        process.open(real)
