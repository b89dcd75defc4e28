"""A real daemon as the subject of a measurement: a process of its own, asked over its socket."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartcam.errors import Unavailable

READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the daemon has done up to a moment."""

    at: float
    looks: int
    frames: int
    cpu_s: float
    """Of daemon and child together."""
    resident_mib: float
    published: int


class Subject:
    """A running daemon."""

    def __init__(self, process: subprocess.Popen[bytes], socket: Path) -> None:
        self._process = process
        self._socket = socket

    def sample(self) -> Sample:
        """As it stands now."""
        health = self.health()
        [camera], [model] = health["cameras"].values(), health["models"].values()
        pids = [self._process.pid, model["pid"]]
        return Sample(
            at=time.perf_counter(),
            looks=model["looks"],
            frames=camera["frames"],
            cpu_s=sum(map(_cpu_s, pids)),
            resident_mib=health["memory_mib"],
            published=health["mqtt"]["published"],
        )

    def health(self) -> dict[str, Any]:
        from smartcam.service.control import ask

        return ask(self._socket, "status")

    def wait_until_it_looks(self) -> None:
        """Raises Unavailable if it does not within a minute."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if self.sample().looks:
                    return
            except (Unavailable, ValueError, TypeError):
                pass  # It is still starting.
            time.sleep(0.2)
        raise Unavailable(f"the daemon does not begin to look; it ended with {self._process.poll()}")


@contextmanager
def daemon(config: str) -> Iterator[Subject]:
    """`smartcam run` with this configuration, looking at frames, until the block is left."""
    from smartcam.service.control import socket_path

    with tempfile.TemporaryDirectory(prefix="smartcam-bench-") as folder:
        file = Path(folder) / "smartcam.toml"
        file.write_text(config)
        command = [sys.executable, "-m", "smartcam", "run", "-c", str(file)]
        with subprocess.Popen(
            command, env={**os.environ, "RUNTIME_DIRECTORY": folder, "STATE_DIRECTORY": folder}
        ) as process:
            try:
                subject = Subject(process, socket_path(folder))
                subject.wait_until_it_looks()
                yield subject
            finally:
                process.terminate()


def _cpu_s(pid: int) -> float:
    """User and system time of a process and its threads, from /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
