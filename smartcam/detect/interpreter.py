"""The TFLite interpreter, on the CPU or with an Edge TPU. Only the child process opens one."""

from __future__ import annotations

import importlib
import importlib.metadata
import mmap
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smartcam.detect.layouts import TensorInfo
from smartcam.detect.versions import library_name
from smartcam.errors import BadConfig, SmartcamError, Unavailable

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite": ("tflite_runtime.interpreter", "tflite-runtime"),
}
"""Module and package of each, the preferred one first: it is the same interpreter under its new name."""

EDGETPU_OP = b"edgetpu-custom-op"
"""The op of compiled models, which only the Edge TPU's delegate knows."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is ready to be invoked. Inputs beside the picture stay at zero: no picture knows of another."""

    interpreter: Any
    picture_index: int
    output_indices: tuple[int, ...]
    picture: TensorInfo
    outputs: tuple[TensorInfo, ...]
    runtime: str
    """Package and version."""
    device: str


def open_model(path: Path, device: str, runtime: str, threads: int, options: Mapping[str, str] | None = None) -> Opened:
    """Open a model and run it once, so that memory is allocated and the outputs' true shapes are known.

    `device` is "cpu", or "edgetpu:" and what libedgetpu calls the device; `options` are the delegate's own.
    Raises Unavailable where a library or a device is missing, BadConfig where the model cannot be used.
    """
    if device != "cpu" and not is_compiled(path):
        raise BadConfig(
            f"{path} is not compiled for the Edge TPU: compile it with edgetpu_compiler and name the result as "
            'compiled, or use accelerator = "cpu"'
        )
    try:
        interpreter, package = _interpreter(path, device, runtime, threads, options or {})
        interpreter.allocate_tensors()
        inputs = interpreter.get_input_details()
        picture = inputs[_picture(path, [_describe(detail) for detail in inputs])]
        _reset(interpreter, inputs)
        interpreter.invoke()
        indices = tuple(detail["index"] for detail in interpreter.get_output_details())
        shapes = [interpreter.get_tensor(index).shape for index in indices]
        outputs = map(_describe, interpreter.get_output_details(), shapes)
        return Opened(interpreter, picture["index"], indices, _describe(picture), tuple(outputs), package, device)
    except (ValueError, RuntimeError) as error:
        raise _refused(path, runtime, device, error) from error
    except SystemError as error:
        # How a runtime that was built for numpy 1 fails beside numpy 2.
        raise Unavailable(
            f"the interpreter does not work with numpy {np.__version__}: "
            "install ai-edge-litert, or numpy<2 beside tflite-runtime"
        ) from error


def is_compiled(path: Path) -> bool:
    """Whether the model was compiled for the Edge TPU: the file names the op that only its delegate knows."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(EDGETPU_OP) >= 0


def pycoral_impostor() -> str | None:
    """A sentence about the unrelated package of the name "pycoral", if that is the one installed. Imports nothing."""
    try:
        found = importlib.metadata.distribution("pycoral")
    except importlib.metadata.PackageNotFoundError:
        return None
    if any(str(file) == "pycoral/utils/edgetpu.py" for file in found.files or ()):
        return None
    return (
        f'the installed package pycoral {found.version} ("{found.metadata["Summary"]}") is not Google\'s Coral '
        "library but another of the same name: remove it with `pip uninstall pycoral`; smartcam needs neither"
    )


def _interpreter(path: Path, device: str, runtime: str, threads: int, options: Mapping[str, str]) -> tuple[Any, str]:
    """The model's interpreter, and its package with its version."""
    if device != "cpu" and runtime == "pycoral":
        return _by_pycoral(path, device)
    # On the CPU pycoral's interpreter is tflite-runtime's.
    module, package = _runtime("auto" if runtime == "pycoral" else runtime)
    delegates = [_delegate(module, device, options)] if device != "cpu" else None
    return module.Interpreter(model_path=str(path), experimental_delegates=delegates, num_threads=threads), package


def _runtime(name: str) -> tuple[Any, str]:
    """The interpreter's module, and its package with its version."""
    wanted = RUNTIMES if name == "auto" else {name: RUNTIMES[name]}
    problems = []
    for module, package in wanted.values():
        try:
            return importlib.import_module(module), f"{package} {importlib.metadata.version(package)}"
        except ImportError as error:
            problems.append(f"{package}: {error}")
    packages = " or ".join(package for _, package in wanted.values())
    raise Unavailable(f"no TFLite interpreter: install {packages} with pip ({'; '.join(problems)})")


def _by_pycoral(path: Path, device: str) -> tuple[Any, str]:
    """Google's pycoral makes the interpreter itself; there are community builds of it for newer Pythons."""
    if impostor := pycoral_impostor():
        raise Unavailable(f"runtime = pycoral: {impostor}")
    try:
        edgetpu = importlib.import_module("pycoral.utils.edgetpu")
    except ImportError as error:
        raise Unavailable(
            f'runtime = pycoral: Google\'s pycoral cannot be imported ({error}): install it, or use runtime = "auto", '
            "which does without it"
        ) from error
    version = importlib.metadata.version("pycoral")
    try:
        return edgetpu.make_interpreter(str(path), device=device.partition(":")[2]), f"pycoral {version}"
    except (OSError, ValueError) as error:
        raise _does_not_open(device, error) from error


def _delegate(module: Any, device: str, options: Mapping[str, str]) -> Any:
    """libedgetpu's delegate for "edgetpu:DEVICE"; its other options count only beside a device with a number."""
    load: Callable[..., Any] = module.load_delegate
    try:
        return load(library_name(), {"device": device.partition(":")[2], **options})
    except (OSError, ValueError) as error:
        raise _does_not_open(device, error) from error


def _does_not_open(device: str, error: Exception) -> Unavailable:
    """The delegate's failure as a sentence: a library that is not there raises OSError, a device ValueError."""
    if isinstance(error, OSError):
        return Unavailable(
            f"{library_name()} cannot be loaded ({error}): "
            'install the Edge TPU runtime, or use accelerator = "cpu" with a CPU model'
        )
    return Unavailable(
        f"{device} does not open, though the kernel shows it: check the permissions of its device file, that no "
        "other process uses it, its power supply and its cable"
    )


def _picture(path: Path, inputs: Sequence[TensorInfo]) -> int:
    """Which input takes the picture."""
    for place, tensor in enumerate(inputs):
        if len(tensor.shape) == 4 and tensor.shape[0] == 1 and tensor.shape[3] == 3 and min(tensor.shape[1:3]) > 1:
            return place
    shapes = ", ".join(map(str, inputs))
    raise BadConfig(f"{path}: no input is a picture [1, height, width, 3] of a fixed size; its inputs are {shapes}")


def _reset(interpreter: Any, details: Sequence[dict[str, Any]]) -> None:
    """Every input at its zero: a recurrent model's state as it is before the first picture."""
    for detail in details:
        zero = np.full(detail["shape"], detail["quantization"][1], detail["dtype"])
        interpreter.set_tensor(detail["index"], zero)


def _describe(detail: dict[str, Any], shape: Sequence[int] | None = None) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    sizes = detail["shape"] if shape is None else shape
    return TensorInfo(
        str(detail["name"]),
        tuple(int(size) for size in sizes),
        str(detail["dtype"].__name__),
        float(scale),
        int(zero_point),
    )


def _refused(path: Path, runtime: str, device: str, error: Exception) -> SmartcamError:
    """The runtime's complaint as a sentence."""
    complaint = re.sub(r"\s+", " ", str(error)).strip()[:300]
    if EDGETPU_OP.decode() in complaint:
        return BadConfig(
            f"{path} is compiled for the Edge TPU, and accelerator = {device} is none: "
            'use the CPU version of the model, or accelerator = "edgetpu"'
        )
    return BadConfig(f"{path}: the interpreter (runtime = {runtime}) cannot run this model on {device}: {complaint}")
