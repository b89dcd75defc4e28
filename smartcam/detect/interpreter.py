"""The TFLite interpreter, on the CPU or with an Edge TPU. Only the child process opens one."""

from __future__ import annotations

import importlib
import importlib.metadata
import mmap
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smartcam.detect.layouts import TensorInfo
from smartcam.errors import BadConfig, SmartcamError, Unavailable

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite": ("tflite_runtime.interpreter", "tflite-runtime"),
}
"""Module and package of each, the preferred one first: it is the same interpreter under its new name."""

EDGETPU_LIBRARY = "libedgetpu.so.1"
EDGETPU_OP = b"edgetpu-custom-op"
EDGETPU_USB = frozenset({("1a6e", "089a"), ("18d1", "9302")})
"""Vendor and product of a USB stick before and after it was first opened."""


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


def open_model(path: Path, device: str, runtime: str, threads: int) -> Opened:
    """Open a model and run it once, so that memory is allocated and the outputs' true shapes are known.

    Raises Unavailable where a library or a device is missing, BadConfig where the model cannot be used.
    """
    module, package = _runtime(runtime)
    device = resolve_device(device, path)
    delegates = [_edgetpu(module, device)] if device != "cpu" else []
    try:
        interpreter = module.Interpreter(
            model_path=str(path), experimental_delegates=delegates or None, num_threads=threads
        )
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
        raise _refused(path, package, device, error) from error
    except SystemError as error:
        # How a runtime that was built for numpy 1 fails beside numpy 2.
        raise Unavailable(
            f"{package} does not work with numpy {np.__version__}: install ai-edge-litert, or numpy<2 beside it"
        ) from error


def resolve_device(device: str, path: Path, sysfs: Path = Path("/sys")) -> str:
    """What "auto" means for this model on this machine: an Edge TPU for a compiled model, where there is one."""
    if device != "auto":
        return device
    return "edgetpu" if is_compiled(path) and edge_tpus(sysfs) else "cpu"


def is_compiled(path: Path) -> bool:
    """Whether the model was compiled for the Edge TPU: the file names the op that only its delegate knows."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(EDGETPU_OP) >= 0


def edge_tpus(sysfs: Path = Path("/sys")) -> list[str]:
    """The Edge TPUs that the kernel sees, as "pci" or "usb", without opening any: that would disturb its user."""
    cards = ["pci" for _ in sysfs.glob("class/apex/apex_*")]
    sticks = [
        "usb"
        for vendor in sysfs.glob("bus/usb/devices/*/idVendor")
        if (_word(vendor), _word(vendor.with_name("idProduct"))) in EDGETPU_USB
    ]
    return cards + sticks


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


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # unplugged while we looked
        return ""


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


def _edgetpu(module: Any, device: str) -> Any:
    """The delegate for "edgetpu[:DEVICE]", DEVICE being N, usb, usb:N, pci or pci:N."""
    which = device.partition(":")[2]
    options = {"device": f":{which}" if which.isdecimal() else which} if which else {}
    load: Callable[..., Any] = module.load_delegate
    try:
        return load(EDGETPU_LIBRARY, options)
    except OSError as error:
        raise Unavailable(
            f"accelerator = {device}: {EDGETPU_LIBRARY} cannot be loaded ({error}): "
            'install the Edge TPU runtime, or use accelerator = "cpu" with a CPU model'
        ) from error
    except ValueError as error:
        seen = ", ".join(edge_tpus()) or "none"
        raise Unavailable(
            f"accelerator = {device}: the Edge TPU does not open (in sight: {seen}): plug it in, "
            "check the device's name and the permissions, and that no other process uses it"
        ) from error


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


def _refused(path: Path, package: str, device: str, error: Exception) -> SmartcamError:
    """The runtime's complaint as a sentence."""
    complaint = re.sub(r"\s+", " ", str(error)).strip()[:300]
    if EDGETPU_OP.decode() in complaint:
        return BadConfig(
            f"{path} is compiled for the Edge TPU, and accelerator = {device} is none: "
            'use the CPU version of the model, or accelerator = "edgetpu"'
        )
    return BadConfig(f"{path}: {package} cannot run this model on {device}: {complaint}")
