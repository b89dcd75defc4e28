"""The real daemon beside an emulated Edge TPU, and somebody who listens to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from smartcam.errors import Unavailable
from tests.daemons import NODE, Hearing, Running
from tests.edgetpu.models import compiled
from tests.tiny_models import Canned, model_bytes

CONFIG = """\
[node]
name = "{node}"
[mqtt]
url = "{broker}"
health_pause = "100ms"
detections = 10
[camera.front]
source = "{film}"
motion = false
model = "tiny"
{models}
[rule.visitor]
see = "@any"
score = 0.5
"""
DEFAULTS = {
    "threads": 1,
    "open_timeout": "10s",
    "invoke_timeout": "1s",
    "retry_min": "300ms",
    "retry_max": "1s",
}


class Furniture:
    """What lies in a folder for a daemon: a film, a model that sees one person, compiled too, and labels."""

    def __init__(self, folder: Path, film: Path) -> None:
        self.folder = folder
        self.film = film
        self.cpu = self.add("tiny.tflite", sees())
        self.tpu = self.add("tiny_edgetpu.tflite", compiled(sees()))
        self.labels = self.add("labels.txt", b"person\n")

    def add(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content)
        return file

    def config(self, broker: str, more: str = "", **keys: Any) -> str:
        """A whole configuration; `keys` change those of [model.tiny], where None takes one away."""
        own = {"file": self.cpu, "compiled": self.tpu, "labels": self.labels}
        models = f"[model.tiny]\n{toml(own | DEFAULTS | keys)}{more}"
        return CONFIG.format(node=NODE, broker=broker, film=self.film, models=models)


def toml(keys: Mapping[str, Any]) -> str:
    values = {key: value if isinstance(value, int) else str(value) for key, value in keys.items() if value is not None}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def sees(boxes: int = 1, score: float = 0.9) -> bytes:
    """A detector for the CPU that sees things of class 0 side by side, always in the same places."""
    left = np.arange(boxes, dtype=np.float32) / boxes
    top, side = np.full(boxes, 0.2, np.float32), 0.6 / boxes
    return model_bytes(
        [
            Canned("boxes", np.stack([top, left + side / 4, top + 0.6, left + side], axis=1)[None].astype(np.float32)),
            Canned("ids", np.zeros((1, boxes), np.float32)),
            Canned("scores", np.full((1, boxes), score, np.float32)),
            Canned("count", np.array([boxes], np.float32)),
        ]
    )


def says(shares: list[float]) -> bytes:
    """A classifier for the CPU that always says the same, quantised to 1/200."""
    return model_bytes([Canned("probability", np.array([shares]).dot(200).round().astype(np.uint8), 1 / 200)])


class World:
    """A daemon that runs, and everything that was heard of it."""

    def __init__(self, running: Running, ears: Hearing) -> None:
        self.running = running
        self.ears = ears

    def until_it_answers(self) -> None:
        """On its socket."""
        end = time.monotonic() + 15
        while True:
            with suppress(Unavailable):
                self.running.status()
                return
            assert time.monotonic() < end, self.running.log()[-3000:]
            time.sleep(0.03)

    def until(self, holds: Callable[[dict[str, Any]], Any], *, within_s: float = 15.0) -> dict[str, Any]:
        """The model's health, once it `holds`: asked over the local socket, so that nothing is missed."""
        end = time.monotonic() + within_s
        while not holds(health := self.model()):
            assert time.monotonic() < end, f"{health}\n{self.running.log()[-3000:]}"
            time.sleep(0.03)
        return health

    def model(self) -> dict[str, Any]:
        told: dict[str, Any] = self.running.status()["models"]["tiny"]
        return told

    def looks_on(self, device: str, *, within_s: float = 15.0) -> None:
        """It looks at frames on this device."""
        before = self.until(lambda it: it["state"] == "ready" and device in str(it["device"]), within_s=within_s)
        self.until(lambda it: it["looks"] > before["looks"] + 1 and device in str(it["device"]))

    def complaint(self, *words: str, within_s: float = 15.0) -> str:
        """The first of its complaints that has these words."""
        end = time.monotonic() + within_s
        while not (found := _with(words, complaints := self.running.status()["degraded"])):
            assert time.monotonic() < end, f"{complaints}\n{self.running.log()[-3000:]}"
            time.sleep(0.03)
        return found[0]

    def publishes(self, *words: str, within_s: float = 15.0) -> str:
        """The first of its complaints with these words, as it comes on N/health."""
        health = self.ears.until("health", lambda it: bool(_with(words, it["degraded"])), within_s=within_s)
        return _with(words, health["degraded"])[0]

    def is_well(self) -> None:
        """It publishes that it has nothing to complain of."""

        def well(health: dict[str, Any]) -> bool:
            return not health["degraded"] and bool(health["models"]["tiny"]["state"] == "ready")

        self.ears.until("health", well)

    def looks_per_s(self, for_s: float = 0.8) -> float:
        before, began = self.model()["looks"], time.monotonic()
        time.sleep(for_s)
        return float((self.model()["looks"] - before) / (time.monotonic() - began))


def _with(words: tuple[str, ...], sentences: list[str]) -> list[str]:
    return [each for each in sentences if all(word in each for word in words)]


class Stopwatch:
    """What it measured is told at the end of the tests' run."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record
        self._began = time.monotonic()

    def start(self) -> None:
        self._began = time.monotonic()

    def lap(self, what: str) -> float:
        """Seconds since the start."""
        passed_s = time.monotonic() - self._began
        self._record(what, f"{passed_s:.2f} s")
        return passed_s
