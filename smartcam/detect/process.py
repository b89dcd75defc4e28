"""One child process as its parent sees it: spawned, listened to, and ended for good. See `child` for what is said."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, TypeAlias

from smartcam.detect import slots
from smartcam.detect.child import DONE, DONE_FORMAT, ERROR, HELLO, MAX_MESSAGE_BYTES
from smartcam.detect.layouts import TensorInfo
from smartcam.errors import BadConfig, SmartcamError, Unavailable

log = logging.getLogger(__name__)

MAX_MODELS = 16
"""On one accelerator."""
LAST_WORDS = 20
"""Lines of the child's stderr that are kept, to be quoted when it dies."""
MAX_WORDS_BYTES = 300
OBITUARY_S = 1.0
"""How long a child that hung up may take until its exit code is known."""
KILL_S = 2.0
"""How long a killed child may take to go; one that is stuck in the kernel never does."""


class Gone(Exception):
    """The child is no use any more. `reason` is for a person; `crashed` says that it could not tell it itself."""

    def __init__(self, reason: SmartcamError, *, crashed: bool = False) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.crashed = crashed


@dataclass(frozen=True, slots=True, eq=False)
class Hello:
    """The model is open."""

    picture: TensorInfo
    outputs: tuple[TensorInfo, ...]
    slots: tuple[slots.Slot, ...]
    runtime: str
    device: str


@dataclass(frozen=True, slots=True)
class Done:
    """An invoke has ended; its outputs lie in its slot."""

    model: int
    slot: int
    ms: float


Greeting: TypeAlias = tuple[Hello, ...]
"""Of all its models, in the order of the job."""


class ChildProcess:
    """A running child. For one thread at a time; nothing here waits for it without a limit."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self._process = process
        self._socket = connection
        self._poll = select.poll()
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._unfinished = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, model: int, slot: int) -> None:
        """Have this model work on the picture in its slot. Raises Gone."""
        try:
            self._socket.send(bytes([model, slot]))
        except OSError:
            # What it said before it went is told by receive().
            self.receive(OBITUARY_S)
            raise Gone(self._obituary(), crashed=True) from None

    def receive(self, timeout_s: float) -> Greeting | Done | None:
        """Its next message, or None after `timeout_s` without one. Raises Gone when it gave up or died."""
        until = time.monotonic() + timeout_s
        while True:
            ready = self._poll.poll(max(0.0, until - time.monotonic()) * 1000)
            self._listen()
            if any(descriptor == self._socket.fileno() for descriptor, _ in ready):
                return self._message()
            if time.monotonic() >= until:
                return None

    def end(self, grace_s: float = 0.0) -> None:
        """Ask it to go, kill it after `grace_s`. One that cannot be killed is left behind, never waited for."""
        self._socket.close()
        if not self._gone_within(grace_s):
            self._process.kill()
            if not self._gone_within(KILL_S):
                log.error("the inference process %d cannot be killed; leaving it behind", self.pid)
        if self._process.stderr:
            self._process.stderr.close()

    def listen_to(self) -> None:
        """Begin to listen, right after it was spawned."""
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        self._socket.setblocking(False)
        self._poll.register(self._process.stderr, select.POLLIN)
        self._poll.register(self._socket, select.POLLIN)

    def _message(self) -> Greeting | Done:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._socket, MAX_MESSAGE_BYTES, MAX_MODELS)
        except ConnectionResetError:
            packet, descriptors = b"", []
        kind = packet[:1]
        if kind == DONE:
            _, model, slot, ms = DONE_FORMAT.unpack(packet)
            return Done(model, slot, ms)
        if kind == HELLO:
            told = json.loads(packet[1:])
            return tuple(_hello(each, memory) for each, memory in zip(told, descriptors, strict=True))
        if kind == ERROR:
            told = json.loads(packet[1:])
            raise Gone(BadConfig(told["message"]) if told["bad_config"] else Unavailable(told["message"]))
        raise Gone(self._obituary(), crashed=True)

    def _listen(self) -> None:
        """Take in what it wrote to stderr, so that it never waits for us, and keep the last lines."""
        stderr = self._process.stderr
        while stderr and not stderr.closed:
            try:
                heard = os.read(stderr.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not heard:
                self._poll.unregister(stderr)
                stderr.close()
            *lines, self._unfinished = (self._unfinished + heard).split(b"\n")
            self._unfinished = self._unfinished[:MAX_WORDS_BYTES]
            for line in lines:
                self._words.append(line[:MAX_WORDS_BYTES].decode(errors="replace").strip())

    def _obituary(self) -> SmartcamError:
        gone = self._gone_within(OBITUARY_S)
        self._listen()
        telling = [words for words in self._words if words and not words.startswith(("INFO", "W0000", "I0000"))]
        quote = f'; its last words: "{telling[-1]}"' if telling else ""
        if not gone:
            return Unavailable(f"the inference process hung up{quote}")
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return Unavailable(f"the inference process {how}{quote}")

    def _gone_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def spawn(job: dict[str, Any]) -> ChildProcess:
    """Start a child on its job. It lives no longer than the calling thread. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # -P: whatever lies in the current folder must not be taken for a library.
        command = [sys.executable, "-P", "-m", "smartcam.detect.child", str(theirs.fileno()), str(os.getpid())]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=[theirs.fileno()],
            )
        except OSError:
            ours.close()
            raise
    ours.send(json.dumps(job).encode())
    child = ChildProcess(process, ours)
    child.listen_to()
    return child


def _hello(told: dict[str, Any], memory: int) -> Hello:
    picture, *outputs = (
        TensorInfo(**{**tensor, "shape": tuple(tensor["shape"])}) for tensor in [told["picture"], *told["outputs"]]
    )
    shared = slots.attach(memory, picture, outputs)
    os.close(memory)
    return Hello(picture, tuple(outputs), shared, told["runtime"], told["device"])
