"""A detector and a classifier, both compiled, on one Edge TPU: the article's several models at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.edgetpu.conftest import Launch
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.models import compiled
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.world import Furniture, says, sees

BIRDS = 4
BATCH = 4
"""`smartcam.pipeline.cascade` has it so."""


@pytest.fixture
def species(furniture: Furniture) -> str:
    """[model.species], which says robin on the Edge TPU, and crow on the CPU: by that one tells where it ran.

    The one hardly and the other with conviction, so that a single look on the CPU changes the vote.
    """
    furniture.add("tiny_edgetpu.tflite", compiled(sees(BIRDS)))
    furniture.add("tiny.tflite", sees(BIRDS))
    furniture.add("labels.txt", b"bird\n")
    cpu = furniture.add("species.tflite", says([0.01, 0.01, 0.98]))
    tpu = furniture.add("species_edgetpu.tflite", compiled(says([0.05, 0.5, 0.45])))
    labels = furniture.add("species.txt", b"background\nrobin\ncrow\n")
    section = f'file = "{cpu}"\ncompiled = "{tpu}"\nlabels = "{labels}"\nthreads = 1\nruntime = "litert"\n'
    return f'[[model.tiny.then]]\nsee = "bird"\nmodel = "species"\nscore = 0.4\n[model.species]\n{section}'


def children(pid: int) -> list[int]:
    """Every thread's: the product starts each of its processes in a thread of its own."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def sublabels(detections: dict[str, Any]) -> set[str]:
    return {track.get("sublabel") for track in detections["tracks"]}


def test_they_share_a_child_and_a_device_and_run_in_batches(launch: Launch, stick: FakeDevice, species: str) -> None:
    """Each switch would load the other's parameters again, which takes longer than an inference."""
    world = launch(more=species)
    world.looks_on("edgetpu:usb:0")

    tracks = world.ears.until("front/detections", lambda told: sublabels(told) == {"robin"})["tracks"]
    looks, (invokes, switches) = world.model()["looks"], stick.counts()

    assert [track["label"] for track in tracks] == ["bird"] * BIRDS
    assert all(track["sublabel_score"] >= 0.4 for track in tracks)
    assert children(world.running.process.pid) == [stick.owner]
    second_looks = invokes - looks - 2
    assert second_looks >= BIRDS
    # There and back for a batch; and once more when both were opened.
    assert 1 <= switches <= 2 * (second_looks / BATCH + 1) + 1 < 2 * second_looks


def test_when_the_stick_is_unplugged_both_go_to_the_cpu(launch: Launch, stick: FakeDevice, species: str) -> None:
    world = launch(more=species)
    world.ears.until("front/detections", lambda told: "robin" in sublabels(told))

    stick.unplug()

    world.looks_on("cpu")
    world.ears.until("front/detections", lambda told: sublabels(told) == {"crow"})
    assert len(children(world.running.process.pid)) == 1


def test_events_carry_the_species(here: Emulator, stick: FakeDevice, species: str, furniture: Furniture) -> None:
    """In a replay, which looks at every frame: the other inferences are second looks, and switches can be counted."""
    config = furniture.add("smartcam.toml", furniture.config("mqtt://127.0.0.1", species, runtime="litert").encode())

    *_, last = replay(furniture.film, config)

    assert (last["label"], last["sublabel"], last["sublabel_score"]) == ("bird", "robin", 0.5)
    assert [track["sublabel"] for track in last["tracks"]] == ["robin"] * BIRDS
    invokes, switches = stick.counts()
    at_opening, frames = 2, 50
    batches = (invokes - frames - at_opening) / BATCH
    assert batches >= 2
    assert switches == at_opening + 2 * batches


def replay(film: Path, config: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "smartcam", "replay", str(film), "-c", str(config), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]
