"""Real brokers for tests: mosquitto as a process of its own, that can be stopped, killed and brought back."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

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


class Uplink:
    """A slow way to a broker: what a client sends crawls at `bytes_per_s`, what it gets does not.

    `room` is the most that the way takes at once before it crawls; by default, all that the system has room for.
    """

    STEP_S = 0.05

    def __init__(self, port: int, bytes_per_s: float, room: int | None = None) -> None:
        self.bytes_per_s = bytes_per_s
        """0 is a way on which everything is lost."""
        self.carried = 0
        """Bytes that have crawled so far."""
        self._broker = ("127.0.0.1", port)
        self._server = socket.socket()
        if room:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for sock in (self._server, *self._sockets):
            with suppress(OSError):  # It has ended already.
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._server, *self._sockets):
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):  # Shut down: the test is over.
            while True:
                client, _ = self._server.accept()
                broker = socket.create_connection(self._broker)
                self._sockets += [client, broker]
                ways = ((self._crawl, client, broker), (self._run, broker, client))
                for way, source, target in ways:
                    self._threads.append(threading.Thread(target=self._carry, args=(way, source, target)))
                    self._threads[-1].start()

    def _carry(self, way: Callable[..., None], source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            way(source, target)
        with suppress(OSError):  # What the other way still has to tell is told.
            target.shutdown(socket.SHUT_WR)

    def _crawl(self, source: socket.socket, target: socket.socket) -> None:
        while not self._over.wait(self.STEP_S):
            if self.bytes_per_s:
                if not (some := source.recv(max(1, round(self.bytes_per_s * self.STEP_S)))):
                    return
                target.sendall(some)
                self.carried += len(some)

    def _run(self, source: socket.socket, target: socket.socket) -> None:
        while some := source.recv(65536):
            target.sendall(some)


class Breaking(Uplink):
    """A way to a broker that breaks: a connection carries `length()` bytes of what a client sends, and then is gone."""

    def __init__(self, port: int, length: Callable[[], int]) -> None:
        super().__init__(port, 0)
        self.length = length
        self.breaks = 0

    def _crawl(self, source: socket.socket, target: socket.socket) -> None:
        left = self.length()
        while some := source.recv(min(left, 65536)):
            target.sendall(some)
            self.carried += len(some)
            left -= len(some)
            if not left:
                self.breaks += 1
                for end in (source, target):
                    end.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
