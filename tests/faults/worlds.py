"""A daemon in full, with a camera that never ends, for whatever is done to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from smartcam.data import Box
from tests.brokers import Mosquitto
from tests.clips import clip
from tests.daemons import NODE, Hearing, Running, daemon, hearing
from tests.tiny_models import Canned, model_bytes

CONFIG = """
[node]
name = "{node}"
[mqtt]
url = "{broker}"
keepalive = "5s"
connect_timeout = "500ms"
retry_min = "100ms"
retry_max = "300ms"
health_pause = "200ms"
[keep]
free = "0MB"
[camera.front]
source = "{camera}"
motion = false
[model.tiny]
file = "{model}"
labels = "{labels}"
accelerator = "cpu"
threads = 1
"""
RULES = """
[rule.visitor]
see = "person"
[rule.portrait]
see = "person"
do = ["snapshot"]
"""
NOBODY = (0.0, 0.0, 0.0, 0.0)


def configuration(folder: Path, broker: str, rules: str = RULES, *, person: Box = NOBODY) -> str:
    """The model sees a person there, or nobody: then rules fire when they are asked to. It looks at every frame."""
    model, labels, film = folder / "tiny.tflite", folder / "labels.txt", folder / "film.mp4"
    labels.write_text("person\n")
    x1, y1, x2, y2 = person
    seen = {"boxes": [[[y1, x1, y2, x2]]], "ids": [[0]], "scores": [[0.9 if any(person) else 0.0]], "count": [1]}
    model.write_bytes(model_bytes([Canned(name, np.array(value, np.float32)) for name, value in seen.items()]))
    clip(film, frames=100, size=(320, 240))
    return CONFIG.format(node=NODE, broker=broker, camera=film, model=model, labels=labels) + rules


def listening(broker: Mosquitto) -> AbstractContextManager[Hearing]:
    """With the patience to be paused, or not to listen for a while."""
    return hearing(broker.mqtt(keepalive=300))


@contextmanager
def watching(folder: Path, config: str | None, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A daemon that looks already."""
    with daemon(folder, config, environment) as running:
        running.until_it_answers()
        running.until("status", lambda health: health["models"]["tiny"]["looks"])
        yield running


def fire(running: Running, count: int, rule: str = "visitor") -> list[str]:
    """The ids of the events that come of it."""
    return [event for _ in range(count) for event in running.ask("fire", rule=rule)["events"]]


def looks(running: Running) -> int:
    """At how many frames the model has looked."""
    return int(running.status()["models"]["tiny"]["looks"] or 0)


def events(ears: Hearing) -> list[dict[str, Any]]:
    """That were heard so far."""
    return [json.loads(each.payload) for each in ears.all if each.topic.endswith("/event")]


def until_ended(ears: Hearing, ids: Sequence[str], *, within_s: float = 15.0) -> None:
    """The end of the last one of these events was heard."""
    ears.until("front/event", lambda told: told["id"] == ids[-1] and told["phase"] == "end", within_s=within_s)
