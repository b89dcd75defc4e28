"""The real daemon as a process of its own, and what a subscriber hears of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smartcam.config import Mqtt
from smartcam.errors import Unavailable
from smartcam.mqtt.subscriber import Received, Subscription, subscribe
from smartcam.service.control import SOCKET, ask

NODE = "ridge1"


class Hearing:
    """Everything that came in so far, and waiting for what is to come."""

    def __init__(self, subscription: Subscription) -> None:
        self.all: list[Received] = []
        self._subscription = subscription

    def until(self, topic: str, holds: Callable[[Any], bool] = lambda _: True, *, within_s: float = 15.0) -> Any:
        """The next payload on `smartcam/NODE/topic` that `holds`: JSON as it is, else text."""
        end = time.monotonic() + within_s
        while (left_s := end - time.monotonic()) > 0:
            if (received := self._subscription.receive(left_s)) is None:
                continue
            self.all.append(received)
            if received.topic == f"smartcam/{NODE}/{topic}" and holds(value := meaning(received)):
                return value
        told = [f"{each.topic} {each.payload[:200]!r}" for each in self.all[-12:]]
        raise AssertionError(f"nothing fitting came on {topic} within {within_s} s; the last were\n" + "\n".join(told))

    def media(self) -> dict[str, bytes]:
        """The pictures so far, by topic."""
        return {each.topic: each.payload for each in self.all if each.topic.startswith("smartcam-media/")}


def meaning(received: Received) -> Any:
    text = received.payload.decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


class Running:
    """A daemon that runs."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def ask(self, verb: str, /, **arguments: object) -> dict[str, Any]:
        return ask(self._folder / SOCKET, verb, **arguments)

    def until_it_answers(self) -> None:
        """On its socket."""
        end = time.monotonic() + 15
        while True:
            with suppress(Unavailable):
                self.status()
                return
            assert time.monotonic() < end, self.log()[-3000:]
            assert self.process.poll() is None, self.log()[-3000:]
            time.sleep(0.03)

    def until(self, verb: str, holds: Callable[[dict[str, Any]], Any], *, within_s: float = 15.0) -> dict[str, Any]:
        """What it answers, once that `holds`."""
        end = time.monotonic() + within_s
        while not holds(answer := self.ask(verb)):
            assert time.monotonic() < end, f"{answer}\n{self.log()[-3000:]}"
            time.sleep(0.03)
        return answer

    def child(self) -> int:
        """The process that owns the accelerator."""
        [model] = self.status()["models"].values()
        return int(model["pid"])

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def end(self) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def daemon(
    folder: Path, config: str | None, environment: Mapping[str, str] | None = None, *, python: str = sys.executable
) -> Iterator[Running]:
    """`smartcam run` with this configuration, or the one that is there; what it keeps and logs is in `folder`."""
    file = folder / "smartcam.toml"
    if config is not None:
        file.write_text(config)
    command = [python, "-m", "smartcam", "run", "-c", str(file)]
    (folder / "state").mkdir(exist_ok=True)
    own = {"RUNTIME_DIRECTORY": str(folder), "STATE_DIRECTORY": str(folder / "state")}
    environment = {**os.environ, **(environment or {}), **own}
    with (folder / "log").open("ab") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            yield Running(process, folder)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def hearing(mqtt: Mqtt) -> Iterator[Hearing]:
    with subscribe(mqtt, [f"smartcam/{NODE}/#", f"smartcam-media/{NODE}/#"]) as subscription:
        yield Hearing(subscription)
