"""The process behind an emulated Edge TPU: it runs the twin, for the CPU, of each model that is loaded onto the chip.

``python twins.py SYSFS [RUNTIME]`` listens on SYSFS/emulated/twins, says "ready", and serves until its input ends.
It needs nothing but numpy and an interpreter, so it also runs where the tests' own packages are not installed.

Each connection is one custom op of one interpreter. It begins with three 64-bit numbers, the sizes of the program and
of all inputs and all outputs together, and the program. Afterwards each request is the inputs, one after the other.
Each answer is a 32-bit number, the length of a complaint that follows, or 0; to a request the outputs follow.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.edgetpu.models import PROGRAM_MARK

RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}
SIZES = struct.Struct("=QQQ")
COMPLAINT = struct.Struct("=I")
LONGEST_COMPLAINT = 500
START_S = 30.0


class Refused(Exception):
    """The library cannot be served. The message is for the interpreter's own complaint."""


class Twin:
    """The CPU model that gives what the chip would give."""

    def __init__(self, model: bytes, runtime: str) -> None:
        interpreter = importlib.import_module(RUNTIMES[runtime]).Interpreter
        try:
            self._interpreter = interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise Refused(f"the twin does not load: {error}") from error
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        self.input_bytes = sum(_bytes_of(each) for each in self._inputs)
        self.output_bytes = sum(_bytes_of(each) for each in self._outputs)

    def answer(self, inputs: memoryview) -> list[Any]:
        """The outputs, copied. Raises Refused."""
        for each in self._inputs:
            size = _bytes_of(each)
            values = np.frombuffer(inputs[:size], each["dtype"]).reshape(each["shape"])
            self._interpreter.set_tensor(each["index"], values)
            inputs = inputs[size:]
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise Refused(f"the twin fails: {error}") from error
        return [self._interpreter.get_tensor(each["index"]) for each in self._outputs]


class Server(socketserver.ThreadingUnixStreamServer):
    """One thread for each custom op that is loaded."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, models: Path, runtime: str) -> None:
        self.models = models
        self.runtime = runtime
        super().__init__(address, Connection)


class Connection(socketserver.BaseRequestHandler):
    server: Server
    request: socket.socket

    def handle(self) -> None:
        try:
            self._serve()
        except Refused as refusal:
            words = str(refusal).encode()[:LONGEST_COMPLAINT]
            self.request.sendall(COMPLAINT.pack(len(words)) + words)
        except (EOFError, ConnectionError):
            pass

    def _serve(self) -> None:
        program_bytes, input_bytes, output_bytes = SIZES.unpack(self._receive(SIZES.size))
        model = twin_for(bytes(self._receive(program_bytes)), self.server.models)
        twin = Twin(model, self.server.runtime)
        if (twin.input_bytes, twin.output_bytes) != (input_bytes, output_bytes):
            raise Refused(
                f"the twin takes {twin.input_bytes} bytes and gives {twin.output_bytes}, "
                f"the compiled model {input_bytes} and {output_bytes}: it is not its twin"
            )
        self.request.sendall(COMPLAINT.pack(0))
        inputs = memoryview(bytearray(input_bytes))
        while True:
            self._fill(inputs)
            outputs = twin.answer(inputs)
            self.request.sendmsg([COMPLAINT.pack(0)])
            for output in outputs:
                self.request.sendall(np.ascontiguousarray(output).data)

    def _receive(self, size: int) -> bytearray:
        received = bytearray(size)
        self._fill(memoryview(received))
        return received

    def _fill(self, view: memoryview) -> None:
        while view:
            if not (size := self.request.recv_into(view)):
                raise EOFError
            view = view[size:]


def twin_for(program: bytes, models: Path) -> bytes:
    """The twin is in a compiled-style model itself; that of Google's lies in `models`. Raises Refused."""
    if program.startswith(PROGRAM_MARK):
        return program[len(PROGRAM_MARK) :]
    file = models / file_name(program)
    try:
        return file.read_bytes()
    except OSError:
        raise Refused(f"no twin for this model: its CPU version is wanted as {file}") from None


def file_name(program: bytes) -> str:
    """What the file with the twin of this program is called."""
    return f"{hashlib.sha256(program).hexdigest()}.tflite"


def _bytes_of(detail: Any) -> int:
    return math.prod(map(int, detail["shape"])) * int(np.dtype(detail["dtype"]).itemsize)


@contextmanager
def twin_server(sysfs: Path, *, python: str = sys.executable, runtime: str = "litert") -> Iterator[None]:
    """The server as a process, until the block is left. Raises RuntimeError when it does not start."""
    command = [python, "-m", "tests.edgetpu.twins", str(sysfs), runtime]
    here = Path(__file__).resolve().parents[2]
    pipe = subprocess.PIPE
    # In a session of its own: Ctrl-C is for what uses the twins, which may need them to come to its end.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=here, text=True, start_new_session=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the twin server does not start with {python}")
            yield
        finally:
            process.kill()


def main() -> None:
    sysfs = Path(sys.argv[1])
    runtime = sys.argv[2] if len(sys.argv) > 2 else "litert"
    importlib.import_module(RUNTIMES[runtime])
    folder = sysfs / "emulated"
    (folder / "twins").unlink(missing_ok=True)
    # By way of the folder's descriptor, since an address is no longer than 107 bytes.
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    with Server(f"/proc/self/fd/{handle}/twins", folder / "models", runtime) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        # Whoever started it holds the other end, and lets go of it however it ends.
        sys.stdin.read()


if __name__ == "__main__":
    main()
