"""The child process: owns an accelerator's interpreters, so that their aborts, segfaults and hangs end nothing else.

``python -m smartcam.detect.child SOCKET PARENT`` with an inherited socket and the parent's process id.
Each message is one packet, of which the first byte says what it is.

- in: the job, as JSON; then two bytes for each picture: which model, and the number of the slot that it lies in.
- out: ``H`` and JSON once the models are open, with the descriptor of each one's shared memory; ``D``, model, slot and
  milliseconds when an invoke is done; ``E`` and JSON before giving up, with a sentence for a person.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from smartcam.detect import slots
from smartcam.detect.claim import claimed
from smartcam.detect.interpreter import Opened, open_model
from smartcam.detect.model import check_model
from smartcam.detect.standin import PREFIX, open_standin
from smartcam.errors import BadConfig, SmartcamError, Unavailable

HELLO, DONE, ERROR = b"H", b"D", b"E"
DONE_FORMAT = struct.Struct("<cBBf")
MAX_MESSAGE_BYTES = 1 << 16
PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until the parent closes its end. Exit code 1 says that the reason was told."""
    descriptor, parent_pid = map(int, sys.argv[1:])
    _die_with(parent_pid)
    with socket.socket(fileno=descriptor) as parent:
        try:
            if job := parent.recv(MAX_MESSAGE_BYTES):
                _serve(parent, json.loads(job))
        except SmartcamError as error:
            told = {"message": str(error), "bad_config": isinstance(error, BadConfig)}
            parent.send(ERROR + json.dumps(told).encode())
            return 1
        except (BrokenPipeError, ConnectionResetError):
            return 0
    return 0


def _die_with(parent_pid: int) -> None:
    """Killed as soon as the thread that spawned us ends, however that happens; other signals are the parent's affair.

    At a stop of the service everyone gets SIGTERM, but the parent still has frames to finish with.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _serve(parent: socket.socket, job: dict[str, Any]) -> None:
    with claimed(job["device"], reset=job["reset"]) as claim:
        with claim.opening() as device:
            opened = [_open(model, device, job) for model in job["models"]]
        _answer(parent, opened)


def _answer(parent: socket.socket, opened: list[Opened]) -> None:
    memories = [slots.create(each.picture, each.outputs) for each in opened]
    shared = [slots.attach(fd, each.picture, each.outputs) for fd, each in zip(memories, opened, strict=True)]
    hello = [
        {
            "picture": asdict(each.picture),
            "outputs": [asdict(tensor) for tensor in each.outputs],
            "runtime": each.runtime,
            "device": each.device,
        }
        for each in opened
    ]
    socket.send_fds(parent, [HELLO + json.dumps(hello).encode()], memories)
    for memory in memories:
        os.close(memory)
    while request := parent.recv(2):
        model, slot = request
        ms = _invoke(opened[model], shared[model][slot])
        parent.send(DONE_FORMAT.pack(DONE, model, slot, ms))


def _open(model: dict[str, str | None], device: str, job: dict[str, Any]) -> Opened:
    path = Path(str(model["path"]))
    check_model(path, model["sha256"])
    if device.startswith(PREFIX):
        return open_standin(device)
    return open_model(path, device, job["runtime"], job["threads"], job["options"])


def _invoke(opened: Opened, slot: slots.Slot) -> float:
    """One inference from the slot into the slot; milliseconds. Raises Unavailable when the accelerator fails."""
    interpreter = opened.interpreter
    interpreter.set_tensor(opened.picture_index, slot.picture)
    before = time.perf_counter()
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise Unavailable(f"{opened.device}: the inference failed: {' '.join(str(error).split())[:300]}") from error
    ms = (time.perf_counter() - before) * 1000
    _copy_outputs([interpreter.get_tensor(index) for index in opened.output_indices], slot)
    return ms


def _copy_outputs(tensors: Sequence[np.ndarray], slot: slots.Slot) -> None:
    for tensor, place in zip(tensors, slot.outputs, strict=True):
        if tensor.shape != place.shape:
            raise BadConfig(
                f"the model's output changed from {list(place.shape)} to {list(tensor.shape)}: not supported"
            )
        np.copyto(place, tensor)


if __name__ == "__main__":
    sys.exit(main())
