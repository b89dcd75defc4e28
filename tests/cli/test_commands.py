"""The real console entry, as people and programs call it: what it prints where, how it ends, and what it says to
bad input: one sentence each that tells what, where and what to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import pytest

from smartcam.data import Box
from smartcam.geometry import iou
from tests.brokers import Mosquitto, free_port, mosquitto
from tests.clips import clip
from tests.commands import ENTRY, GOOD, PERSON_XYXY, Ran, environment, furnish, smartcam
from tests.daemons import Running, daemon
from tests.real import default_model, footage, shared

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
LARGE = (640, 480)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def strict_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One that lets nobody in."""
    with mosquitto(tmp_path_factory.mktemp("broker"), "allow_anonymous false") as broker:
        yield broker


REFUSED = {
    "replay nowhere.mp4 -c good.toml": (1, "nowhere.mp4: no such file"),
    "replay text.mp4 -c good.toml": (1, "text.mp4: .*no video"),
    "replay empty.mp4 -c good.toml": (1, "empty.mp4: .*no video"),
    "replay damaged.mp4 -c good.toml": (1, "damaged.mp4: .*damaged"),
    "replay person.tflite -c good.toml": (1, "person.tflite: .*no video"),
    "replay clip.mp4 -c good.toml --tracks nowhere/rows": (1, "nowhere/rows cannot be written: No such file"),
    "replay clip.mp4 -c good.toml --json --save text.mp4": (1, "text.mp4/.*jpg cannot be written: Not a directory"),
    "replay clip.mp4 -c nowhere.toml": (78, "nowhere.toml: cannot read it .*config.example.toml"),
    "detect nowhere.png -m person.tflite": (1, "nowhere.png: no such file"),
    "detect text.png -m person.tflite": (1, "text.png: not a picture"),
    "detect picture.png -m person.tflite --draw text.mp4": (1, "text.mp4/picture.jpg cannot be written"),
    "detect picture.png -m nowhere.tflite": (78, "nowhere.tflite: there is no such model file"),
    "detect picture.png -m text.tflite": (78, "text.tflite is not a TFLite model"),
    "detect picture.png -m damaged.tflite": (78, ".*/damaged.tflite: .*cannot run this model"),
    "detect picture.png -m unknown.tflite": (78, "unknown: .*known layouts are"),
    "detect picture.png -m yolo.tflite --labels labels.txt": (78, "yolo: .*16 classes.*2 labels"),
    "detect picture.png -m person.tflite --labels nowhere.txt": (78, "nowhere.txt: there is no such label file"),
    "detect picture.png -m objectrom": (78, 'no model "objectrom".*smartcam models list'),
    "status": (69, "nobody answers at .*control.sock: is smartcam running?"),
    "watch --broker mqtt://127.0.0.1:1": (69, "127.0.0.1:1 refused the connection: is the broker running?"),
    "watch --broker broker": (78, "--broker: .*mqtt://HOST"),
}
"""Arguments → exit code, and the beginning of the sentence on stderr."""

WRONG_USAGE = [
    "replay clip.mp4 -c good.toml --camera bck",
    "replay clip.mp4 -c good.toml --at yesterday",
    "replay clip.mp4 -c good.toml --at 9999-12-31",
    "replay clip.mp4 -c good.toml --at 0001-01-01",
    "detect picture.png -m person.tflite --accelerator gpu",
    "detect picture.png --labels labels.txt",
    "detect",
    "watch n/#",
    "nonsense",
]

MISTAKES = {
    "unknown-key": (('source = "clip.mp4"', 'sorce = "clip.mp4"'), ["camera.front.sorce"]),
    "two": (("rotate = 180", 'rotate = "left"\nspeed = 3'), ["camera.back.rotate", "camera.back.speed"]),
    "wrong-type": (("rotate = 180", 'rotate = "left"'), ["camera.back.rotate"]),
    "name-with-slash": (("[rule.behind]", '[rule."a/b"]'), ['rule."a/b"']),
    "name-with-plus": (("[rule.behind]", '[rule."a+b"]'), ['rule."a+b"']),
    "name-with-hash": (('name = "ridge1"', 'name = "ridge#1"'), ["node.name"]),
    "unknown-label": (('see = "person"', 'see = "persn"'), ["rule.visitor.see"]),
    "no-model": (("person.tflite", "text.tflite"), ["model.tiny"]),
}
"""Name of a file → what is wrong in it, and the keys that are told."""

AS_DATA = ["two", "no-model"]
BAD_BEGINNINGS = ["run", "doctor", "replay clip.mp4"]


@pytest.fixture(scope="module")
def outcomes(place: Path) -> dict[str, Ran]:
    """What became of each bad command. They run side by side: each takes half a second to start."""
    for name, ((old, new), _) in MISTAKES.items():
        (place / f"{name}.toml").write_text(GOOD.replace(old, new, 1))
    commands = [
        *REFUSED,
        *WRONG_USAGE,
        *(f"check {name}.toml" for name in MISTAKES),
        *(f"check {name}.toml --json" for name in AS_DATA),
        *(f"{command} -c wrong-type.toml" for command in BAD_BEGINNINGS),
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(
            zip(commands, pool.map(lambda command: smartcam(*command.split(), at=place), commands), strict=True)
        )


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_cannot_be_used_gets_one_sentence(outcomes: dict[str, Ran], arguments: str) -> None:
    code, sentence = REFUSED[arguments]
    done = outcomes[arguments]
    assert len(done.sentences) == 1, done.err
    assert re.match(sentence, done.sentences[0]), done.err
    assert done.code == code
    assert done.out == "" or "--json" in arguments


@pytest.mark.parametrize("arguments", WRONG_USAGE)
def test_wrong_usage_is_explained(outcomes: dict[str, Ran], arguments: str) -> None:
    done = outcomes[arguments]
    assert (done.code, done.out) == (2, "")
    assert "Usage: smartcam" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_in_a_configuration_gets_one_sentence_with_its_place(outcomes: dict[str, Ran], name: str) -> None:
    _, keys = MISTAKES[name]
    done = outcomes[f"check {name}.toml"]
    assert (done.code, done.out) == (78, "")
    assert len(done.sentences) == len(keys), done.err
    assert all(line.startswith("smartcam: ") for line in done.err.splitlines()), "the second looks like the first"
    for key, sentence in zip(keys, done.sentences, strict=True):
        assert re.match(rf"({name}\.toml:\d+: )?{re.escape(key)}: .+", sentence)


@pytest.mark.parametrize("name", AS_DATA)
def test_programs_get_each_mistake_as_data(outcomes: dict[str, Ran], name: str) -> None:
    _, keys = MISTAKES[name]
    done = outcomes[f"check {name}.toml --json"]
    assert (done.code, done.err) == (78, "")
    assert [(line["ok"], line["file"]) for line in done.objects] == [(False, f"{name}.toml")] * len(keys)


@pytest.mark.parametrize("command", BAD_BEGINNINGS)
def test_no_command_begins_on_a_bad_configuration(outcomes: dict[str, Ran], command: str) -> None:
    done = outcomes[f"{command} -c wrong-type.toml"]
    assert (done.code, done.out) == (78, "")
    [sentence] = done.sentences
    assert sentence.startswith("wrong-type.toml:8: camera.back.rotate: ")


def test_a_model_that_was_not_fetched_tells_how_to_get_it(place: Path, tmp_path: Path) -> None:
    for command in (["replay", "clip.mp4"], ["detect", "picture.png"]):
        done = smartcam(*command, at=place, SMARTCAM_CACHE=str(tmp_path))
        assert (done.code, done.out) == (69, "")
        assert done.sentences == ["the model objectron is not here yet: run `smartcam models fetch objectron`"]


def test_a_good_configuration_is_called_good(place: Path) -> None:
    done = smartcam("check", "good.toml", at=place)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "good.toml: good: 2 cameras, 2 rules\n"
        "visitor: a person on any camera → alert, snapshot\n"
        "behind: a person on back → event\n"
        "cameras: front, back\n"
    )
    assert smartcam("check", "good.toml", "--json", at=place).objects[0]["ok"] is True


def test_a_broker_that_refuses_is_told_with_what_to_do(place: Path, strict_broker: Mosquitto) -> None:
    done = smartcam("watch", "--broker", strict_broker.url, at=place)
    assert (done.code, done.out) == (69, "")
    [sentence] = done.sentences
    assert re.match(rf"127\.0\.0\.1:{strict_broker.port} refuses the connection: not authori[sz]ed.*password", sentence)


def test_doctor_tells_each_finding_and_fails_when_one_does(place: Path, strict_broker: Mosquitto) -> None:
    (place / "doctor.toml").write_text(f'{GOOD}\n[mqtt]\nurl = "{strict_broker.url}"\n')
    done = smartcam("doctor", "-c", "doctor.toml", "--json", at=place)
    assert (done.code, done.err) == (1, "")
    states = {finding["what"]: finding["state"] for finding in done.objects}
    assert states["broker"] == "failed"
    assert states["model tiny"] == states["camera front"] == "ok"


def test_a_reader_that_leaves_early_ends_it_quietly(place: Path) -> None:
    for command in ("models list --json", "replay clip.mp4 -c good.toml --json", "detect -m person.tflite picture.png"):
        piped = f"{ENTRY} {command} | head -c 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", piped], cwd=place, env=environment(place), capture_output=True, text=True, timeout=60
        )
        assert (len(done.stdout), done.stderr) == (1, "")
        assert done.returncode in (0, 1)


def test_what_a_model_sees_is_data(place: Path) -> None:
    x1, y1, x2, y2 = PERSON_XYXY
    done = smartcam("detect", "-m", "person.tflite", "--labels", "labels.txt", "--json", "picture.png", at=place)
    assert done.err == ""
    [seen] = done.objects
    assert seen["image"] == "picture.png"
    [thing] = seen["detections"]
    assert (thing["label"], thing["score"]) == ("person", 0.9)
    assert thing["box"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-3)


def test_brackets_in_a_files_name_are_no_markup(place: Path) -> None:
    shutil.copy(place / "picture.png", place / "[bold]yard.png")
    done = smartcam("detect", "-m", "person.tflite", "[bold]yard.png", at=place)
    assert done.out.splitlines()[0] == "[bold]yard.png"


def test_boxes_are_drawn_where_one_asks(place: Path, tmp_path: Path) -> None:
    smartcam("detect", "-m", "person.tflite", "--draw", tmp_path / "drawn", "picture.png", at=place)
    assert (tmp_path / "drawn" / "picture.jpg").read_bytes().startswith(b"\xff\xd8")


DRAWN_BY_HAND: dict[str, tuple[str, Box]] = {
    "cat.bmp": ("cat", (0.10, 0.11, 0.71, 1.0)),
    "grace_hopper.bmp": ("person", (0.03, 0.03, 1.0, 1.0)),
    "cameratrapai__human.jpg": ("person", (0.71, 0.495, 0.775, 0.735)),
    "cameratrapai__domestic_dog.jpg": ("dog", (0.235, 0.09, 0.755, 0.73)),
    "cameratrapai__vehicle.jpg": ("car", (0.0, 0.02, 1.0, 0.70)),
}


def test_the_default_model_sees_in_real_pictures_what_a_person_would_draw(place: Path) -> None:
    default_model()
    images = [shared(f"images/{name}") for name in [*DRAWN_BY_HAND, "cameratrapai__blank.jpg"]]
    *seen, blank = smartcam("detect", "--json", *images, at=place).objects
    for told, (label, box) in zip(seen, DRAWN_BY_HAND.values(), strict=True):
        [thing] = told["detections"]
        assert thing["label"] == label
        assert overlap(thing["box"], box) > 0.7, told["image"]
    assert blank["detections"] == []


def overlap(xywh: list[float], drawn: Box) -> float:
    import numpy as np

    x, y, width, height = xywh
    return float(iou(np.array([[x, y, x + width, y + height]]), np.array([drawn]))[0, 0])


def test_a_model_that_ends_in_googles_postprocessing_runs(place: Path) -> None:
    model, image = shared("models/traffic_model.tflite"), shared("images/cameratrapai__vehicle.jpg")
    done = smartcam("detect", "-m", model, "--score", "0", "--json", image, at=place)
    assert (done.code, done.err) == (0, "")
    [seen] = done.objects
    assert 0 < len(seen["detections"]) <= 100
    assert all(0 <= side <= 1 for thing in seen["detections"] for side in thing["box"])


@pytest.fixture(scope="module")
def limping(
    tmp_path_factory: pytest.TempPathFactory, place: Path, strict_broker: Mosquitto
) -> Iterator[tuple[Running, Path]]:
    """A daemon with a camera that is there and one that is not, and a broker that refuses; and its folder."""
    folder = tmp_path_factory.mktemp("limping")
    text = (
        GOOD.replace('"clip.mp4"', f'"{place}/clip.mp4"', 1)
        .replace('"clip.mp4"', f'"rtsp://viewer:hidden@127.0.0.1:{free_port()}/[x]"')
        .replace("person.tflite", f"{place}/person.tflite")
        .replace("labels.txt", f"{place}/labels.txt")
    )
    with daemon(folder, f'{text}\n[mqtt]\nurl = "{strict_broker.url}"\n') as running:
        until = time.monotonic() + 15
        while not has_settled(folder):
            assert time.monotonic() < until, running.log()
            time.sleep(0.1)
        yield running, folder


def has_settled(folder: Path) -> bool:
    told = smartcam("status", "--json", at=folder)
    if told.code:
        return False
    [health] = told.objects
    owes_an_event = health["outbox"]["depth"] > 0
    has_tried = "not opened yet" not in health["cameras"]["back"]["reason"]
    return owes_an_event and has_tried and "refuses" in health["mqtt"]["reason"]


def test_status_says_how_everything_is(limping: tuple[Running, Path]) -> None:
    _, folder = limping
    done = smartcam("status", at=folder)
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^ridge1 smartcam \S+, up \d+ s$", done.out, re.MULTILINE)
    assert re.search(r"^  camera front: online, [\d.]+ frames/s, \d+ dropped$", done.out, re.MULTILINE)
    assert re.search(r"^  camera back: offline: rtsp://.*/\[x\]: .*, 0 dropped$", done.out, re.MULTILINE)
    assert re.search(r"^  model tiny: ready on cpu, [\d.]+ ms$", done.out, re.MULTILINE)
    assert re.search(r"^  mqtt: not connected: .* refuses the connection.*, outbox [1-9]\d*$", done.out, re.MULTILINE)
    assert re.search(r"^  degraded: camera back: ", done.out, re.MULTILINE)


def test_status_is_data_and_holds_no_password(limping: tuple[Running, Path]) -> None:
    running, folder = limping
    done = smartcam("status", "--json", at=folder)
    [health] = done.objects
    assert len(health["degraded"]) == 2
    assert health["models"]["tiny"]["looks"] > 0
    assert "hidden" not in done.out + running.log()


def test_colours_are_for_terminals_of_people_who_want_them(limping: tuple[Running, Path]) -> None:
    _, folder = limping
    assert COLOUR.search(on_terminal("status", at=folder))
    assert not COLOUR.search(on_terminal("status", at=folder, NO_COLOR="1"))
    assert "\x1b" not in smartcam("status", at=folder).out


def test_neither_camera_nor_broker_ended_the_daemon_and_it_ends_well(limping: tuple[Running, Path]) -> None:
    """The last test with it."""
    running, folder = limping
    assert running.end() == 0
    assert "Traceback" not in running.log()
    assert running.log().count("camera back: offline") == 1
    assert smartcam("status", at=folder).code == 69


def on_terminal(*arguments: str, at: Path, **variables: str) -> str:
    """What a command writes to stdout when that is a terminal."""
    ours, theirs = pty.openpty()
    variables["TERM"] = "xterm-256color"
    with subprocess.Popen([ENTRY, *arguments], cwd=at, env=environment(at, **variables), stdout=theirs):
        os.close(theirs)
        chunks = []
        with suppress(OSError):  # EIO: the last who could write has gone
            while chunk := os.read(ours, 4096):
                chunks.append(chunk)
    os.close(ours)
    return b"".join(chunks).decode()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, place: Path) -> tuple[list[dict[str, Any]], Path]:
    """What `smartcam watch --json --save` printed from a daemon's first word to its last, and where it kept pictures.

    The camera has a small stream that is looked at, and a large one that is recorded.
    """
    folder = tmp_path_factory.mktemp("watched")
    large = clip(folder / "large.mp4", 50, size=LARGE)
    with mosquitto(folder) as broker:
        text = (
            GOOD.replace('source = "clip.mp4"', f'source = "{place}/clip.mp4"\nrecord = "{large}"', 1)
            .replace('"clip.mp4"', f'"{folder}/nowhere.mp4"')
            .replace("person.tflite", f"{place}/person.tflite")
            .replace("labels.txt", f"{place}/labels.txt")
        )
        with watching(broker, folder) as lines:
            with daemon(folder, f'{text}\n[mqtt]\nurl = "{broker.url}"\n'):
                told = list(up_to(lines, "smartcam/ridge1/front/media"))
            told += up_to(lines, "smartcam/ridge1/status")
    return told, folder / "kept"


def up_to(lines: Iterator[str], topic: str) -> Iterator[dict[str, Any]]:
    for line in map(json.loads, lines):
        yield line
        if line["topic"] == topic:
            return
    raise AssertionError(f"nothing came on {topic}")


@contextmanager
def watching(broker: Mosquitto, folder: Path) -> Iterator[Iterator[str]]:
    """The lines of `smartcam watch`, which has subscribed."""
    command = [ENTRY, "watch", "ridge1", "--broker", broker.url, "--save", "kept", "--json", "--for", "30"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline().startswith("listening to ")
        try:
            yield iter(process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""


def test_watch_keeps_the_picture_that_was_announced(watched: tuple[list[dict[str, Any]], Path]) -> None:
    told, kept = watched
    media = [line["payload"] for line in told if line["topic"].endswith("/media")][-1]
    picture = [line for line in told if line["topic"] == media["topic"]][-1]
    assert Path(picture["file"]) == Path("kept") / "ridge1" / "front" / f"{media['event']}.jpg"
    data = (kept.parent / picture["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == media["sha256"]
    assert len(data) == media["bytes"] == picture["payload"]["bytes"]


def test_the_daemons_last_word_is_offline(watched: tuple[list[dict[str, Any]], Path]) -> None:
    """All that it owes comes before, pictures too."""
    told, _ = watched
    assert told[-1]["payload"] == "offline"
    assert [line["payload"]["phase"] for line in told if line["topic"].endswith("/event")] == ["start", "end"]


def test_the_larger_stream_gives_the_picture(watched: tuple[list[dict[str, Any]], Path]) -> None:
    """What is looked at is 160 pixels wide."""
    _, kept = watched
    [file] = [file for file in (kept / "ridge1" / "front").iterdir() if file.name != "latest.jpg"]
    picture = cv2.imread(str(file))
    assert picture is not None
    assert picture.shape[1::-1] == LARGE


def test_the_demo_runs_to_its_end_and_leaves_nothing_running(tmp_path: Path) -> None:
    """In a session of its own: whoever is left in it can be found."""
    pytest.importorskip("amqtt", reason="amqtt is not installed (pip install 'smartcam[demo]')")
    default_model()
    footage()
    with subprocess.Popen(
        [ENTRY, "demo", "--out", "pictures", "--json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    events = [line["payload"] for line in lines if line["topic"].endswith("/event")]
    assert {event["label"] for event in events if event["phase"] == "start"} == {"person", "bicycle", "car"}
    pictures = {line["file"] for line in lines if line["topic"].endswith("/snapshot")}
    assert len(pictures) >= 3
    assert all((tmp_path / picture).stat().st_size > 5000 for picture in pictures)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
