"""A command whose stdout is video, as a file that the demultiplexer reads."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, Self

from smartcam.config.secrets import masked
from smartcam.errors import Unavailable
from smartcam.workers import Alive

log = logging.getLogger(__name__)

KEPT_BYTES = 4096
"""Of the end of stderr, for the reason when it fails."""
LEAVE_S = 1.0
"""What a command gets to put its camera down before it is killed, and then to be gone."""
ASK_S = 0.5
"""How often a reader that waits asks whether it still should."""


class Child:
    """Runs a command from `with` until the block is left, then ends it and its whole process group.

    `read` gives what is there, as a file object does, and raises TimeoutError at the deadline that
    `expect` set: neither a silent command nor a blocked one can hang the reader. Once `alive` ends there is
    nothing more to read. Should this process be killed, a command ends at what it writes next: nobody reads the pipe.
    """

    def __init__(self, command: Sequence[str], alive: Alive) -> None:
        self._command = command
        self._alive = alive
        self._deadline = 0.0
        self._said = b""

    def __enter__(self) -> Self:
        program = self._command[0]
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(
                f"exec: cannot run {program!r}: {error.strerror}; install it or correct the path"
            ) from None
        self._selector = selectors.DefaultSelector()
        for pipe in self._pipes():
            self._selector.register(pipe, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for pipe in self._pipes():
            pipe.close()
        self._signal(signal.SIGTERM)
        self._wait()
        # Also when it has ended: what it started may live on in its group.
        self._signal(signal.SIGKILL)
        if not self._wait():
            # It hangs in the kernel, or is another user's (sudo).
            log.error("exec: %s (process %d) cannot be killed; leaving it behind", self._command[0], self._process.pid)

    def expect(self, seconds: float) -> None:
        """The next bytes are due within so many seconds."""
        self._deadline = time.monotonic() + seconds

    def read(self, size: int) -> bytes:
        """At least one byte and at most `size`; none at the end."""
        video, _ = self._pipes()
        while self._alive():
            if (left_s := self._deadline - time.monotonic()) <= 0:
                raise TimeoutError
            ready = self._selector.select(min(left_s, ASK_S))
            if any(key.fileobj is video for key, _ in ready):
                return os.read(video.fileno(), size)
            if ready:
                self._listen()
        return b""

    def ended(self) -> str | None:
        """How it ended, with the last line of what it said; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        status = self._process.poll()
        if status is None:
            return None
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"the command {how}{self.last_words()}"

    def last_words(self) -> str:
        """``: LINE``, the last line on its stderr, or nothing."""
        _, messages = self._pipes()
        os.set_blocking(messages.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while self._listen():
                pass
        lines = masked(self._said.decode(errors="replace")).split("\n")
        return next((f": {line.strip()[:200]}" for line in reversed(lines) if line.strip()), "")

    def _listen(self) -> bool:
        """Take in what it says on stderr, so that it never blocks there; false once that is closed."""
        _, messages = self._pipes()
        text = os.read(messages.fileno(), KEPT_BYTES)
        if not text and messages in self._selector.get_map():
            self._selector.unregister(messages)
        self._said = (self._said + text)[-KEPT_BYTES:]
        return bool(text)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        video, messages = self._process.stdout, self._process.stderr
        assert video is not None
        assert messages is not None
        return video, messages

    def _wait(self) -> bool:
        """Whether it is gone within its time."""
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
