"""A process of its own that uses the library by way of the real interpreter, step by step, as a test tells it.

Run as a program it is that process: it needs numpy and one of the two interpreters, nothing else. Arrays cross as
(type, shape, bytes), because two versions of numpy cannot read each other's pickles.
"""

from __future__ import annotations

import importlib
import pickle
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

MODULES = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}


Values: TypeAlias = tuple[str, tuple[int, ...], bytes]
"""An array."""


class Failed(Exception):
    """The step raised: `type: message`."""


class Session:
    """One such process. A step that it does not survive raises EOFError; `words` has what it said last."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self._errors = errors

    def load_delegate(self, library: Path, options: Mapping[str, str] | None = None) -> None:
        self.begin_loading(library, options)
        self.end_loading()

    def begin_loading(self, library: Path, options: Mapping[str, str] | None = None) -> None:
        self._tell("load_delegate", str(library), dict(options or {}))

    def end_loading(self) -> None:
        self._hear()

    def unload_delegate(self) -> None:
        self._ask("unload_delegate")

    def open(self, model: Path, name: str = "model", *, delegated: bool = True) -> None:
        """Make an interpreter, allocate its tensors, and set its inputs to zeros."""
        self._ask("open", str(model), name, delegated)

    def inputs(self, name: str = "model") -> list[dict[str, Any]]:
        """Name, shape, type and quantisation of each."""
        told: list[dict[str, Any]] = self._ask("describe", name, "get_input_details")
        return told

    def outputs(self, name: str = "model") -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self._ask("describe", name, "get_output_details")
        return told

    def invoke(self, picture: NDArray[Any], name: str = "model") -> list[NDArray[Any]]:
        """The outputs for this value of the first input."""
        self.begin_invoke(picture, name)
        return self.end_invoke()

    def begin_invoke(self, picture: NDArray[Any], name: str = "model") -> None:
        self._tell("invoke", name, (picture.dtype.name, picture.shape, picture.tobytes()))

    def end_invoke(self) -> list[NDArray[Any]]:
        return [np.frombuffer(content, kind).reshape(shape) for kind, shape, content in self._hear()]

    def time_invokes(self, count: int, name: str = "model") -> list[float]:
        """Milliseconds of each."""
        told: list[float] = self._ask("time_invokes", name, count)
        return told

    def version(self, library: Path) -> str:
        return str(self._ask("version", str(library)))

    def hangs(self, for_s: float = 0.3) -> bool:
        """Whether the step that was begun neither ends nor kills the process for so long."""
        assert self.process.stdout
        return not select.select([self.process.stdout], [], [], for_s)[0] and self.process.poll() is None

    @property
    def words(self) -> str:
        return self._errors.read_text()

    def _ask(self, *step: Any) -> Any:
        self._tell(*step)
        return self._hear()

    def _tell(self, *step: Any) -> None:
        assert self.process.stdin
        pickle.dump(step, self.process.stdin)
        self.process.stdin.flush()

    def _hear(self) -> Any:
        assert self.process.stdout
        good, answer = pickle.load(self.process.stdout)
        if not good:
            raise Failed(answer)
        return answer


@contextmanager
def session(
    environment: Mapping[str, str], errors: Path, *, python: str = sys.executable, runtime: str = "litert"
) -> Iterator[Session]:
    """A process with this environment; what it says to stderr goes into the file `errors`."""
    pipe = subprocess.PIPE
    command: Sequence[str] = [python, str(Path(__file__)), runtime]
    with (
        errors.open("wb") as file,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=file, env=dict(environment)) as process,
    ):
        try:
            yield Session(process, errors)
        finally:
            process.kill()


class Steps:
    """The process's side: one method for each step."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._delegate: Any = None
        self._interpreters: dict[str, Any] = {}

    def load_delegate(self, library: str, options: dict[str, str]) -> None:
        self._delegate = self._module.load_delegate(library, options)

    def unload_delegate(self) -> None:
        self._interpreters.clear()
        self._delegate = None

    def open(self, model: str, name: str, delegated: bool) -> None:
        delegates = [self._delegate] if delegated else None
        interpreter = self._module.Interpreter(model_path=model, experimental_delegates=delegates, num_threads=1)
        interpreter.allocate_tensors()
        for each in interpreter.get_input_details():
            interpreter.set_tensor(each["index"], np.zeros(each["shape"], each["dtype"]))
        self._interpreters[name] = interpreter

    def describe(self, name: str, which: str) -> list[dict[str, Any]]:
        return [
            {
                "name": each["name"],
                "shape": each["shape"].tolist(),
                "dtype": np.dtype(each["dtype"]).name,
                "quantization": (float(each["quantization"][0]), int(each["quantization"][1])),
            }
            for each in getattr(self._interpreters[name], which)()
        ]

    def invoke(self, name: str, picture: Values) -> list[Values]:
        interpreter = self._interpreters[name]
        kind, shape, content = picture
        values = np.frombuffer(content, kind).reshape(shape)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        outputs = [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]
        return [(output.dtype.name, output.shape, output.tobytes()) for output in outputs]

    def time_invokes(self, name: str, count: int) -> list[float]:
        import time

        interpreter = self._interpreters[name]
        times = []
        for _ in range(count):
            before = time.perf_counter()
            interpreter.invoke()
            times.append((time.perf_counter() - before) * 1000)
        return times

    def version(self, library: str) -> str:
        import ctypes

        function = ctypes.CDLL(library).edgetpu_version
        function.restype = ctypes.c_char_p
        words: bytes = function()
        return words.decode()


def serve(steps: Steps, asked: BinaryIO, answers: BinaryIO) -> None:
    while True:
        try:
            name, *arguments = pickle.load(asked)
        except EOFError:
            return
        try:
            answer = True, getattr(steps, name)(*arguments)
        except (ValueError, RuntimeError, OSError, SystemError) as error:
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(Steps(importlib.import_module(MODULES[sys.argv[1]])), sys.stdin.buffer, sys.stdout.buffer)
