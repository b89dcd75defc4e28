"""Nothing leaves that nobody asked for: canaries in the picture, and everything that a daemon sends and writes.

The film has three patterns of colours that are nowhere else in it: one that lies under the mask of one of the cameras,
one where a person stands, and one beside both, by which each picture proves that it could have shown them.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from smartcam.data import Box, Rgb
from tests.brokers import mosquitto, tool
from tests.clips import drawing
from tests.daemons import NODE, Hearing, daemon, hearing
from tests.tiny_models import Canned, model_bytes

SIZE, LARGE = (320, 180), (640, 360)
FPS = 10
SQUARE_PX = 8
"""Of a chequer: large enough for its colours to be themselves after any coding, and smaller than what blurs them."""


@dataclass(frozen=True)
class Canary:
    """A chequer of two strong colours."""

    box: Box
    colours: tuple[tuple[int, int, int], tuple[int, int, int]]

    def paint(self, rgb: Rgb) -> None:
        height, width = rgb.shape[:2]
        x1, y1, x2, y2 = self.box
        down, across = np.mgrid[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)]
        which = (down // SQUARE_PX + across // SQUARE_PX) % 2
        rgb[down, across] = np.array(self.colours, np.uint8)[which]

    def is_in(self, rgb: Rgb) -> bool:
        """Whether both colours are to be seen, in a few squares' size; their mean is a grey."""
        near = [(cv2.absdiff(rgb, np.full_like(rgb, colour)) < 70).all(axis=2) for colour in self.colours]
        return all(float(each.mean()) > 0.002 for each in near)


SECRET = Canary((0.05, 0.1, 0.25, 0.6), ((255, 0, 255), (0, 255, 0)))
FACE = Canary((0.35, 0.25, 0.55, 0.85), ((255, 0, 0), (0, 255, 255)))
CONTROL = Canary((0.7, 0.1, 0.95, 0.6), ((0, 0, 255), (255, 255, 0)))
PERSON = (0.2, 0.3, 0.9, 0.6)
"""As models say it: y1, x1, y2, x2."""
MASK = "mask = [[[0.04, 0.08], [0.26, 0.08], [0.26, 0.62], [0.04, 0.62]]]"

CONFIG = """
[node]
name = "{node}"
[mqtt]
url = "{broker}"
control = "all"
connect_timeout = "3s"
[camera.front]
source = "{film}"
pace = "real-time"
repeat = true
{mask}
{record}
[model.tiny]
file = "{model}"
labels = "{labels}"
accelerator = "cpu"
threads = 1
"""

RULE = """
[rule.{name}]
see = "person"
level = "alert"
do = ["snapshot", "clip"]
clip = {{ before = "1s", after = "1s", at_most = "2s" }}
"""
RULES = RULE.format(name="open") + RULE.format(name="blurred") + 'blur = ["person"]\n'


@dataclass
class Heap:
    """All bytes that came to light: payloads and files, each with where it was found."""

    things: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, data: bytes) -> None:
        self.things.append((where, data))

    def add_files(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add(str(path.relative_to(folder)), path.read_bytes())
                if path.suffix == ".db":
                    for n, value in enumerate(blobs_in(path)):
                        self.add(f"{path.name}, value {n}", value)

    def pictures(self) -> Iterator[tuple[str, Rgb]]:
        for where, data in self.things:
            for rgb in pictures_in(data):
                yield where, rgb

    def where(self, needle: bytes) -> list[str]:
        return [where for where, data in self.things if needle in data]


def blobs_in(database: Path) -> Iterator[bytes]:
    """Large values lie in pieces in the file itself."""
    with closing(sqlite3.connect(database)) as opened:
        tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in opened.execute(f"SELECT * FROM {table}"):
                yield from (value for value in row if isinstance(value, bytes))


def pictures_in(data: bytes) -> Iterator[Rgb]:
    """Of JPEGs, wherever they begin in it, and of a film that it is."""
    if b"ftyp" in data[:16]:
        yield from film_in(data)
        return
    for found in re.finditer(b"\xff\xd8\xff", data):
        bgr = cv2.imdecode(np.frombuffer(data[found.start() :], np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            yield np.asarray(bgr[:, :, ::-1], np.uint8)


def film_in(data: bytes) -> Iterator[Rgb]:
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def film(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """Four seconds in which a bar wanders, so that something moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "10", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for n in range(4 * FPS):
            rgb = np.asarray(drawing(4 * n, size) // 4 + 60, np.uint8)
            for canary in (SECRET, FACE, CONTROL):
                canary.paint(rgb)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode())
    return path


def compressed_pieces(path: Path) -> list[bytes]:
    """From the middle of the film's key frames: who passes the film on as it is passes these on."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.is_keyframe]
    return [data[len(data) // 2 :][:48] for data in packets if len(data) > 200]


def raw_pieces(path: Path) -> list[bytes]:
    """Rows of the secret as they lie in a decoder's planes, and in a picture of red, green and blue."""
    pieces = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            row, left = round(frame.height * 0.3), round(frame.width * SECRET.box[0])
            planes = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
            luma, u, v = planes
            pieces += [luma[row, left:][:64].tobytes(), u[row // 2, left // 2 :][:48].tobytes()]
            pieces += [v[row // 2, left // 2 :][:48].tobytes()]
            pieces.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)[row, left:][:24].tobytes())
    return list(dict.fromkeys(pieces))


def person_model(path: Path) -> Path:
    """Sees one person, always in the same place."""
    answers = [
        Canned("boxes", np.array([[PERSON]], np.float32)),
        Canned("ids", np.array([[0.0]], np.float32)),
        Canned("scores", np.array([[0.9]], np.float32)),
        Canned("count", np.array([1.0], np.float32)),
    ]
    path.write_bytes(model_bytes(answers))
    return path


@dataclass
class Ran:
    """A daemon's life from its first event to its orderly end."""

    heap: Heap
    films: list[Path]
    media: list[tuple[str, bytes]]
    """Topic and payload of every picture and clip that was sent."""
    rule_of: dict[str, str]
    """By event."""
    manifests: list[dict[str, object]]
    kept: list[str]
    """Files below the state folder."""

    def pictures(self, rule: str, kind: str) -> list[Rgb]:
        """All that were sent of a rule's events."""
        return [
            rgb
            for topic, data in self.media
            if topic.endswith(f"/{kind}") and self.rule_of.get(topic.split("/")[-2]) == rule
            for rgb in pictures_in(data)
        ]


def run(base: Path, rules: str, *, mask: str = "", large: bool = False, waits_for: int = 0, more: bool = False) -> Ran:
    """Run a daemon by these rules until so much was sent; with `more`, ask it for all that it can show."""
    world, source = base / "world", base / "source"
    for folder in (world / "tmp", world / "cache", source):
        folder.mkdir(parents=True)
    places = {"TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "CACHE_DIRECTORY": "cache", "HOME": ""}
    environment = {name: str(world / place) for name, place in places.items()}
    clip = film(source / "film.mp4")
    labels = source / "labels.txt"
    labels.write_text("person\n")
    with mosquitto(base) as broker:
        config = CONFIG.format(
            node=NODE,
            broker=broker.url,
            film=clip,
            mask=mask,
            record=f'record = "{film(source / "large.mp4", LARGE)}"' if large else "",
            model=person_model(source / "person.tflite"),
            labels=labels,
        )
        with hearing(broker.mqtt()) as ears:
            with daemon(world, config + rules, environment) as running:
                for _ in range(waits_for):
                    ears.until("front/media", within_s=20)
                if not waits_for:
                    ears.until("front/event", within_s=20)
                    time.sleep(1)
                if more:
                    draw(world, environment, "daemon.jpg")
                    assert "jpeg" in running.ask("picture", camera="front")
                assert running.end() == 0, running.log()[-3000:]
            ears.until("status", lambda status: status == "offline")
            if more:
                draw(world, environment, "camera.jpg")
            heap = Heap()
            heap.add_files(world)
            for each in ears.all:
                heap.add(each.topic, each.payload)
    kept = [str(each) for each in (world / "state").rglob("*") if each.is_file()]
    return Ran(heap, list(source.glob("*.mp4")), *told(ears), kept)


def told(ears: Hearing) -> tuple[list[tuple[str, bytes]], dict[str, str], list[dict[str, object]]]:
    media = [(each.topic, each.payload) for each in ears.all if each.topic.startswith("smartcam-media/")]
    events = [json.loads(each.payload) for each in ears.all if each.topic.endswith("/event")]
    manifests = [json.loads(each.payload) for each in ears.all if each.topic.endswith("/front/media")]
    return media, {event["id"]: event["event_type"] for event in events}, manifests


def draw(world: Path, environment: Mapping[str, str], name: str) -> None:
    """What a person sees who draws zones: the daemon's picture, or one of the camera itself."""
    command = [sys.executable, "-m", "smartcam", "zones", "draw", "front"]
    command += ["-c", str(world / "smartcam.toml"), "--out", str(world / name)]
    own = {"RUNTIME_DIRECTORY": str(world)}
    subprocess.run(command, env={**os.environ, **environment, **own}, check=True, capture_output=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The positive control: nothing lies under a mask."""
    return run(tmp_path_factory.mktemp("bare"), RULES, waits_for=4, more=True)


@pytest.fixture(scope="module", params=[False, True], ids=["", "with a record stream"])
def masked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(
        tmp_path_factory.mktemp("masked"), RULES, mask=MASK, large=request.param, waits_for=4, more=request.param
    )


def test_without_a_mask_the_canary_is_in_every_picture(bare: Ran) -> None:
    """Else a test that finds it nowhere would prove nothing."""
    pictures = list(bare.heap.pictures())

    assert {where for where, _ in pictures} >= {"daemon.jpg", "camera.jpg"}
    assert len(bare.pictures("open", "clip")) > FPS
    assert all(SECRET.is_in(rgb) for rule in ("open", "blurred") for rgb in bare.pictures(rule, "snapshot"))
    assert all(SECRET.is_in(rgb) for rgb in bare.pictures("open", "clip"))
    assert any(bare.heap.where(piece) for piece in compressed_pieces(bare.films[0])), "the clip is the film as it came"


def test_what_lies_under_a_mask_is_in_no_payload_and_no_file(masked: Ran) -> None:
    pictures = list(masked.heap.pictures())

    assert len(masked.pictures("open", "clip")) > FPS
    assert [where for where, rgb in pictures if SECRET.is_in(rgb)] == []
    assert all(CONTROL.is_in(rgb) for kind in ("snapshot", "clip") for rgb in masked.pictures("open", kind))
    assert_none_of(masked)


def assert_none_of(ran: Ran) -> None:
    """Neither the film as it came nor a decoder's memory."""
    pieces = [piece for each in ran.films for piece in (*compressed_pieces(each), *raw_pieces(each))]
    assert len(pieces) > 10
    assert [where for piece in pieces for where in ran.heap.where(piece)] == []


@pytest.mark.parametrize("kind", ["snapshot", "clip"])
def test_a_rule_that_blurs_persons_shows_none_and_another_does(masked: Ran, kind: str) -> None:
    shown, hidden = masked.pictures("open", kind), masked.pictures("blurred", kind)

    assert shown
    assert hidden
    assert all(FACE.is_in(rgb) for rgb in shown)
    assert not any(FACE.is_in(rgb) for rgb in hidden)
    # Where nobody looked all is blurred; but somebody did, most of the time.
    assert sum(CONTROL.is_in(rgb) for rgb in hidden) > len(hidden) / 2


def test_a_rule_that_asks_for_nothing_sends_no_picture_and_keeps_none(tmp_path: Path) -> None:
    ran = run(tmp_path, '[rule.open]\nsee = "person"\nlevel = "alert"\n')

    assert "open" in ran.rule_of.values()
    assert ran.media == []
    assert ran.manifests == []
    assert [where for where, _ in ran.heap.pictures()] == []
    assert [name for name in ran.kept if re.search(r"\.(jpe?g|mp4|part)$", name)] == []
    assert_none_of(ran)


def test_a_mask_that_comes_with_a_reload_holds_for_what_was_filmed_before_it(tmp_path: Path) -> None:
    """The camera is away from then on: every picture that leaves is one of before."""
    labels = tmp_path / "labels.txt"
    labels.write_text("person\n")
    rule = '[rule.open]\nsee = "person"\ndo = ["snapshot"]\n'  # Its first picture goes 5 s after it began.
    with mosquitto(tmp_path) as broker, hearing(broker.mqtt()) as ears:
        config = CONFIG.format(
            node=NODE,
            broker=broker.url,
            film=film(tmp_path / "film.mp4"),
            mask="",
            record="",
            model=person_model(tmp_path / "person.tflite"),
            labels=labels,
        )
        with daemon(tmp_path, config + rule) as running:
            ears.until("front/event", within_s=20)
            before = base64.b64decode(running.ask("picture", camera="front")["jpeg"])
            masked = config.replace(str(tmp_path / "film.mp4"), "rtsp://127.0.0.1:1/away").replace(
                "repeat", MASK + "\nrepeat"
            )
            (tmp_path / "smartcam.toml").write_text(masked + rule)
            running.process.send_signal(signal.SIGHUP)
            ears.until("config", lambda told: told["hash"] == running.ask("config")["hash"] != "")
            assert [each for each in ears.media() if each.endswith("/snapshot")] == []
            after = base64.b64decode(running.ask("picture", camera="front")["jpeg"])
            command = ["mosquitto_pub", "-p", str(broker.port), "-t", f"smartcam/{NODE}/cmd/snapshot"]
            subprocess.run([tool(command[0]), *command[1:], "-m", '{"id": "1", "camera": "front"}'], check=True)
            asked_for = ears.until("reply/snapshot")["data"]["event"]
            ears.until("front/media", lambda told: told["event"] != asked_for, within_s=20)
        ears.until("status", lambda status: status == "offline")

    sent = {topic: list(pictures_in(data)) for topic, data in ears.media().items()}
    assert {topic.split("/")[-1] for topic in sent} == {"snapshot", "latest"}
    assert len(sent) == 3
    [plain], [burned] = list(pictures_in(before)), list(pictures_in(after))
    assert SECRET.is_in(plain)
    for where, (shown,) in {**sent, "control socket": [burned]}.items():
        assert CONTROL.is_in(shown), where
        assert not SECRET.is_in(shown), where
