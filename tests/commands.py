"""The commands as a person or a program calls them: the real console entry, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.clips import clip, picture
from tests.tiny_models import Canned, model_bytes

ENTRY = str(Path(sys.executable).with_name("smartcam"))
PERSON_XYXY = (0.3, 0.2, 0.6, 0.9)
"""Where the model in `furnish` sees its one person, always."""

GOOD = """
[node]
name = "ridge1"
[camera.front]
source = "clip.mp4"
[camera.back]
source = "clip.mp4"
rotate = 180
[model.tiny]
file = "person.tflite"
labels = "labels.txt"
accelerator = "cpu"
threads = 1
[rule.visitor]
see = "person"
level = "alert"
do = ["snapshot"]
[rule.behind]
see = "person"
camera = "back"
"""


class Ran(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each line of stdout, which is one JSON object."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentences(self) -> list[str]:
        """What stderr says, without the name of the program before each line."""
        assert "Traceback" not in self.err
        assert self.err.startswith("smartcam: ") or not self.err
        return [line.removeprefix("smartcam: ") for line in self.err.splitlines()]


def smartcam(*arguments: str | Path, at: Path, **variables: str) -> Ran:
    """Run `smartcam ARGUMENTS` in the folder `at`, with these further environment variables."""
    done = subprocess.run(
        [ENTRY, *arguments], cwd=at, env=environment(at, **variables), capture_output=True, text=True, timeout=60
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def environment(at: Path, **variables: str) -> dict[str, str]:
    """In which `at` holds all that is kept, so that no daemon of this machine answers or is disturbed."""
    return {**os.environ, "RUNTIME_DIRECTORY": str(at), "STATE_DIRECTORY": str(at / "state"), **variables}


def furnish(folder: Path) -> Path:
    """Put there what a command may be pointed at: clips, pictures, models, labels and a configuration."""
    clip(folder / "clip.mp4", 50)
    whole = clip(folder / "whole.mkv", 50).read_bytes()
    (folder / "short.mkv").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:2000])
    (folder / "text.mp4").write_text("no video\n" * 100)
    (folder / "empty.mp4").touch()
    picture(folder / "picture.png")
    (folder / "text.png").write_text("no picture\n")
    person = person_model()
    (folder / "person.tflite").write_bytes(person)
    (folder / "damaged.tflite").write_bytes(person[:400])
    (folder / "text.tflite").write_text("no model, but long enough to be one\n")
    (folder / "unknown.tflite").write_bytes(model_bytes(echo=True))
    yolo = [Canned("out", np.zeros((1, 84, 21), np.float32))]
    (folder / "yolo.tflite").write_bytes(model_bytes(yolo, size=(32, 32), dtype="float32"))
    (folder / "labels.txt").write_text("person\ncar\n")
    (folder / "good.toml").write_text(GOOD)
    return folder


def person_model(score: float = 0.9) -> bytes:
    """A model that sees one person, always in the same place."""
    x1, y1, x2, y2 = PERSON_XYXY
    return model_bytes(
        [
            Canned("boxes", np.array([[[y1, x1, y2, x2]]], np.float32)),
            Canned("ids", np.array([[0.0]], np.float32)),
            Canned("scores", np.array([[score]], np.float32)),
            Canned("count", np.array([1.0], np.float32)),
        ]
    )
