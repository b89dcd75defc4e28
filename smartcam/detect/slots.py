"""The memory that the daemon and the child share: two slots, each with a model's picture and its outputs."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcam.detect.layouts import TensorInfo

SLOTS = 2
"""One that the accelerator works on, one that is being filled or read meanwhile."""
ALIGNMENT = 64
"""Bytes: a cache line, and what vector instructions like."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """Views of the shared memory, shaped like the model's tensors."""

    picture: NDArray[Any]
    outputs: tuple[NDArray[Any], ...]


def create(picture: TensorInfo, outputs: Sequence[TensorInfo]) -> int:
    """A descriptor of anonymous memory, large enough for the slots; the kernel frees it with its last user.

    A memfd and not `SharedMemory`, whose resource tracker warns and leaks when a process is killed.
    """
    descriptor = os.memfd_create("smartcam-tensors", os.MFD_CLOEXEC)
    os.truncate(descriptor, SLOTS * _slot_bytes([picture, *outputs]))
    return descriptor


def attach(descriptor: int, picture: TensorInfo, outputs: Sequence[TensorInfo]) -> tuple[Slot, ...]:
    """The slots in the memory behind `descriptor`, which may be closed afterwards."""
    tensors = [picture, *outputs]
    size = _slot_bytes(tensors)
    memory = mmap.mmap(descriptor, SLOTS * size)
    slots = []
    for number in range(SLOTS):
        offsets = [number * size + offset for offset in _offsets(tensors)]
        views = [
            np.ndarray(tensor.shape, tensor.dtype, memory, offset)
            for tensor, offset in zip(tensors, offsets, strict=True)
        ]
        slots.append(Slot(views[0], tuple(views[1:])))
    return tuple(slots)


def _padded_bytes(tensor: TensorInfo) -> int:
    size = math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize
    return -(-size // ALIGNMENT) * ALIGNMENT


def _offsets(tensors: Sequence[TensorInfo]) -> list[int]:
    return [sum(map(_padded_bytes, tensors[:place])) for place in range(len(tensors))]


def _slot_bytes(tensors: Sequence[TensorInfo]) -> int:
    return sum(map(_padded_bytes, tensors))
