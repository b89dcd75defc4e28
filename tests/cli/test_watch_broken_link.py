"""A clip in parts over a way that breaks again and again, from the store of one process to the folder of another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import IO

from smartcam.config.sections import Mqtt
from smartcam.mqtt.connection import connect
from smartcam.store import open_to_read
from tests.brokers import Breaking, mosquitto
from tests.mqtt.links import until

EVENT = "01JD8F7Z3M0000000000000000"
CLIP = Random(5).randbytes(3_000_000)
KEPT = f"kept/ridge1/front/{EVENT}.mp4"
PARTS = 12
"""Of 256 KiB."""
NODE = """
import hashlib, sys
from pathlib import Path
from smartcam.config.sections import Mqtt
from smartcam.data import Exhibit
from smartcam.mqtt.payloads import exhibit_message
from smartcam.mqtt.topics import Topics
from tests.mqtt.links import link_to, running
from tests.store.outboxes import kept, until_written

folder, mqtt, file = Path(sys.argv[1]), Mqtt.model_validate_json(sys.argv[2]), sys.argv[3]
with kept(folder) as outbox:
    if not outbox.depth():
        # Only now: what no row names is removed at the start.
        data = sys.stdin.buffer.read(int(sys.argv[4]))
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_bytes(data)
        it_is = {"file": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        clip = Exhibit("EVENT", "clip", "front", "yard", "alert", 0.9, 1.0, 2.0, **it_is)
        outbox.put(exhibit_message(Topics("ridge1"), clip), None, clip)
        until_written(outbox)
    with running(link_to(mqtt, outbox)):
        sys.stdin.buffer.read()
""".replace("EVENT", EVENT)


@contextmanager
def watching(mqtt: Mqtt, folder: Path) -> Iterator[IO[str]]:
    """`smartcam watch --save` as a process of its own; gives what it prints."""
    command = [sys.executable, "-m", "smartcam", "watch", "--broker", mqtt.url, "--save", str(folder), "--json"]
    command += ["--for", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert "listening to" in process.stderr.readline()
        try:
            yield process.stdout
        finally:
            process.kill()


@contextmanager
def sending(mqtt: Mqtt, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node that owes the clip, or goes on with it."""
    state.mkdir(exist_ok=True)
    file = f"media/{EVENT}/clip.mp4"
    command = [sys.executable, "-c", NODE, str(state), mqtt.model_dump_json(), file, str(len(CLIP))]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        with suppress(BrokenPipeError):
            process.stdin.write(CLIP if not (state / file).exists() else b"")
            process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def hears(lines: IO[str], *, parts: int = 1000) -> list[str]:
    """What comes until the clip is there and verified, or so many parts: the last levels of topics."""
    heard = []
    for line in lines:
        told = json.loads(line)
        heard.append(told["topic"].rsplit("/", 1)[-1])
        if told.get("verified") or sum("-of-" in each for each in heard) == parts:
            break
    return heard


def lengths() -> Callable[[], int]:
    """More than a part and its envelope, so that each connection brings something home."""
    random = Random(7)
    return lambda: random.randrange(280_000, 500_000)


def parts_sent(state: Path) -> int:
    """As far as a power cut would remember."""
    with closing(open_to_read(state)) as db:
        row = db.execute("SELECT parts_sent FROM outbox WHERE file NOT NULL").fetchone()
        return int(row[0]) if row else 0


def test_a_clip_arrives_whole_over_a_way_that_breaks_every_few_hundred_kilobytes(tmp_path: Path) -> None:
    """No more than the part that was under way goes twice."""
    with (
        mosquitto(tmp_path) as broker,
        Breaking(broker.port, lengths()) as way,
        watching(broker.mqtt(), tmp_path / "kept") as lines,
        sending(broker.mqtt(url=way.url), tmp_path / "state"),
    ):
        heard = hears(lines)
    assert (tmp_path / KEPT).read_bytes() == CLIP
    assert {f"{part}-of-{PARTS}" for part in range(1, PARTS + 1)} <= set(heard)
    assert way.breaks >= 5
    assert len(heard) <= PARTS + 1 + way.breaks
    assert way.carried < len(CLIP) + (way.breaks + 1) * 300_000


def test_however_often_it_breaks_within_one_part_nothing_is_given_up(tmp_path: Path) -> None:
    """What the broker takes was known when the part was cut: it is the way that breaks."""
    short = iter([300_000, *[100_000] * 8])
    with (
        mosquitto(tmp_path) as broker,
        Breaking(broker.port, lambda: next(short, 10**9)) as way,
        watching(broker.mqtt(), tmp_path / "kept") as lines,
        sending(broker.mqtt(url=way.url), tmp_path / "state"),
    ):
        hears(lines)
    assert (tmp_path / KEPT).read_bytes() == CLIP
    assert way.breaks == 9


def test_a_sender_that_is_killed_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        Breaking(broker.port, lengths()) as way,
        watching(broker.mqtt(), tmp_path / "kept") as lines,
    ):
        with sending(broker.mqtt(url=way.url), tmp_path / "state"):
            before = hears(lines, parts=5)
            way.length = lambda: 1000
            assert until(lambda: parts_sent(tmp_path / "state") >= 4)
        way.length = lengths()
        with sending(broker.mqtt(url=way.url), tmp_path / "state"):
            after = hears(lines)
    assert (tmp_path / KEPT).read_bytes() == CLIP
    assert before[0] == f"1-of-{PARTS}"
    assert int(after[0].split("-")[0]) >= 5


def test_a_watch_that_is_killed_in_the_middle_goes_on_with_what_it_has(tmp_path: Path) -> None:
    """What is sent while nobody listens is missed: so it is killed while the node is away."""
    with mosquitto(tmp_path) as broker, Breaking(broker.port, lengths()) as way:
        mqtt = broker.mqtt(url=way.url)
        with watching(broker.mqtt(), tmp_path / "kept") as lines:
            with sending(mqtt, tmp_path / "state"):
                hears(lines, parts=5)
                way.length = lambda: 1000
                assert until(lambda: parts_sent(tmp_path / "state") >= 4)
            publish(broker.mqtt(), "smartcam/ridge1/last")
            assert any("ridge1/last" in line for line in lines)
        way.length = lengths()
        with watching(broker.mqtt(), tmp_path / "kept") as lines, sending(mqtt, tmp_path / "state"):
            after = hears(lines)
    assert (tmp_path / KEPT).read_bytes() == CLIP
    assert int(after[0].split("-")[0]) >= 5


def publish(mqtt: Mqtt, topic: str) -> None:
    connection = connect(mqtt, "other", lambda: True)
    connection.publish(topic, b"x", qos=1)
    while not connection.acks:
        connection.turn(0.1)
    connection.disconnect()
