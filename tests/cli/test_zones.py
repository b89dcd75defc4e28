"""`smartcam zones`: whose picture is drawn on, and which rules use what."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from smartcam.errors import SmartcamError
from smartcam.evidence.snapshot import encode
from tests.cli.answers import always, answering, call, told
from tests.clips import clip
from tests.evidence.pictures import decoded, flat

CONFIG = """
[camera.front]
source = "{folder}/front.mp4"
[camera.gate]
source = "{folder}/nowhere.mp4"
[zone.yard]
camera = "front"
points = [[0.05, 0.3], [0.95, 0.3], [0.95, 0.9], [0.05, 0.9]]
[line.fence]
camera = "gate"
points = [[0.1, 0.5], [0.9, 0.5]]
[rule.intruder]
see = "person"
zone = "yard"
[rule.into-paddock]
see = "person"
crosses = "fence"
[rule.out-of-paddock]
see = "person"
crosses = "fence"
toward = "out"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, which is the runtime folder and the working folder too."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smartcam.toml").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


def draw(place: Path, *arguments: str | Path) -> str:
    return told("zones", "draw", *arguments, "-c", place / "smartcam.toml")


def shade(drawing: Path) -> int:
    """How bright the picture is where nothing is drawn."""
    pixels = decoded(drawing.read_bytes())
    height, width = pixels.shape[:2]
    return int(np.median(pixels[height * 12 // 100 : height * 18 // 100, width * 12 // 100 : width * 18 // 100]))


def picture(brightness: int) -> dict[str, Any]:
    return {"jpeg": base64.b64encode(encode(flat(640, 360, brightness).pixels, 95)).decode()}


def test_the_running_daemon_gives_the_picture(place: Path) -> None:
    """It holds the camera: a second opening may fail, or disturb."""
    with answering(place, {"picture": always(picture(200))}):
        assert draw(place, "front") == "front-zones.jpg: 640x360, zone yard\n"
    assert shade(place / "front-zones.jpg") == pytest.approx(200, abs=3)


def test_the_daemons_picture_lies_in_no_temporary_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "nowhere"))
    with answering(place, {"picture": always({"jpeg": base64.b64encode(encode(flat(shade=90).rgb(), 90)).decode()})}):
        draw(place, "front")
    assert shade(place / "front-zones.jpg") == pytest.approx(90, abs=3)


def test_a_picture_that_was_given_is_taken(place: Path) -> None:
    cv2.imwrite(str(place / "given.png"), flat(640, 360, 60).pixels)
    with answering(place, {"picture": always(picture(200))}):
        draw(place, "front", "--image", "given.png", "--out", "here.jpg")
    assert shade(place / "here.jpg") == pytest.approx(60, abs=3)


def test_without_a_daemon_the_camera_is_opened(place: Path) -> None:
    clip(place / "front.mp4", 3)

    assert draw(place, "front") == "front-zones.jpg: 480x360, zone yard\n"
    assert isinstance(call("zones", "draw", "gate", "-c", "smartcam.toml").exception, SmartcamError)


def test_a_daemon_that_has_no_picture_is_not_the_last_word(place: Path) -> None:
    clip(place / "front.mp4", 3)

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise SmartcamError("camera front has given no picture yet")

    with answering(place, {"picture": refuse}):
        assert draw(place, "front") == "front-zones.jpg: 480x360, zone yard\n"


def test_what_the_daemon_has_learned_to_stand_still_is_drawn(place: Path) -> None:
    car = {"id": 1, "label": "car", "box": [0.12, 0.12, 0.28, 0.28], "since_wall": 0.0, "seen_wall": 0.0}
    still: dict[str, Any] = {"rules": [], "still": {"front": [car], "gate": []}, "armed": True, "mode": ""}
    with answering(place, {"picture": always(picture(100))}):
        draw(place, "front", "--out", "without.jpg")
    with answering(place, {"picture": always(picture(100)), "rules": always(still)}):
        draw(place, "front", "--out", "with.jpg")

    changed = decoded((place / "with.jpg").read_bytes()).astype(int) - decoded((place / "without.jpg").read_bytes())
    ys, xs = np.nonzero(np.abs(changed).max(axis=-1) > 60)
    assert 0.05 < xs.min() / 640 < 0.13
    assert 0.27 < ys.max() / 360 < 0.30


def test_a_camera_without_zones_gets_the_grid(place: Path) -> None:
    with answering(place, {"picture": always(picture(200))}):
        assert draw(place, "gate") == "gate-zones.jpg: 640x360, line fence\n"
    (place / "smartcam.toml").write_text('[camera.front]\nsource = "front.mp4"\n')
    with answering(place, {"picture": always(picture(200))}):
        assert "no zone or line yet" in draw(place, "front")


def test_an_unknown_camera_is_wrong_usage(place: Path) -> None:
    result = call("zones", "draw", "frnt", "-c", "smartcam.toml")
    assert result.exit_code == 2
    assert 'no camera frnt (did you mean "front"?); there is front, gate' in " ".join(
        result.stderr.replace("│", " ").split()
    )


def test_a_place_that_cannot_be_written_to_is_said(place: Path) -> None:
    with answering(place, {"picture": always(picture(200))}):
        error = call("zones", "draw", "front", "-c", "smartcam.toml", "--out", "nowhere/a.jpg").exception
    assert str(error) == "nowhere/a.jpg cannot be written: No such file or directory; choose another with --out"


@pytest.mark.parametrize("name", ["x.png2", "x.png", "x", "jpg"])
def test_a_name_that_promises_something_else_than_a_jpeg_is_refused(place: Path, name: str) -> None:
    with answering(place, {"picture": always(picture(200))}):
        result = call("zones", "draw", "front", "-c", "smartcam.toml", "--out", name)
        assert draw(place, "front", "--out", "x.JPEG") == "x.JPEG: 640x360, zone yard\n"
    assert result.exit_code == 2
    assert f"the picture is a JPEG: {name} must end in .jpg" in " ".join(result.stderr.replace("│", " ").split())
    assert not (place / name).exists()


def test_zones_and_lines_are_listed_with_the_rules_that_use_them(place: Path) -> None:
    lines = told("zones", "list", "-c", "smartcam.toml").splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["yard", "zone", "front", "4", "intruder"],
        ["fence", "line", "gate", "2", "into-paddock,", "out-of-paddock"],
    ]
    first, _ = map(json.loads, told("zones", "list", "-c", "smartcam.toml", "--json").splitlines())
    assert (first["name"], first["kind"], first["rules"]) == ("yard", "zone", ["intruder"])
    assert first["points"][0] == [0.05, 0.3]


def test_where_there_are_none_it_is_said_how_to_find_points(place: Path) -> None:
    (place / "smartcam.toml").write_text('[camera.front]\nsource = "front.mp4"\n')

    assert "zones draw CAMERA" in told("zones", "list", "-c", "smartcam.toml")
