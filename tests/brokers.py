"""Real brokers for tests: mosquitto as a process of its own, that can be stopped, killed and brought back."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from smartcam.config.sections import Mqtt


class Mosquitto:
    """One mosquitto on a loopback port that stays the same across restarts."""

    def __init__(self, program: str, folder: Path, port: int, lines: tuple[str, ...], scheme: str) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.log = folder / f"mosquitto-{port}.log"
        self._scheme = scheme
        self._program = program
        self._config = folder / f"mosquitto-{port}.conf"
        self._lines = lines
        self._process: subprocess.Popen[bytes] | None = None

    def mqtt(self, **keys: Any) -> Mqtt:
        """The [mqtt] section for this broker, with short times."""
        return Mqtt.model_validate(
            {"url": self.url, "keepalive": 5, "connect_timeout": 3, "retry_min": 0.05, "retry_max": 0.3} | keys
        )

    def start(self) -> None:
        """Run it, and return once it takes connections."""
        lines = [f"listener {self.port} 127.0.0.1", f"user {getpass.getuser()}"]
        if not any(line.startswith("allow_anonymous") for line in self._lines):
            lines.append("allow_anonymous true")
        self._config.write_text("\n".join([*lines, *self._lines, ""]))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-v", "-c", self._config], stdout=log, stderr=log)
        until = time.monotonic() + 10
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        self.stop()
        pytest.fail(f"mosquitto does not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End it in an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: nothing is said, nothing is kept."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It hangs: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
        self._process = None


def tool(name: str) -> str:
    """Where one of mosquitto's programs is; skips the test on a machine without."""
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install mosquitto)")
    return found


@contextmanager
def mosquitto(folder: Path, *lines: str, scheme: str = "mqtt") -> Iterator[Mosquitto]:
    """A running mosquitto with these further lines of configuration; its files are put into `folder`.

    Lines that come with a listener (certificates, say) belong to its only one, on loopback.
    """
    broker = Mosquitto(tool("mosquitto"), folder, free_port(), lines, scheme)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


AMQTT = """
import asyncio, sys
from amqtt.broker import Broker

async def serve():
    anyone = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": {"type": sys.argv[1], "bind": sys.argv[2]}}, "plugins": anyone})
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@contextmanager
def amqtt(scheme: str = "mqtt") -> Iterator[str]:
    """A running amqtt, which speaks MQTT 3.1.1 only; gives its URL. `scheme` is mqtt or ws.

    A process of its own: amqtt leaves the sockets open on which it was asked for MQTT 5.
    """
    pytest.importorskip("amqtt", reason="amqtt is not installed (pip install 'smartcam[test]')")
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-c", AMQTT, "tcp" if scheme == "mqtt" else "ws", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"ready\n"
            yield f"{scheme}://{address}"
        finally:
            process.kill()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
