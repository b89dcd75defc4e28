from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from smartcam.cli.watch import Lines, add_to, broker_of, show_json, watch
from smartcam.config.sections import Mqtt
from smartcam.errors import BadConfig, SmartcamError, Unavailable
from smartcam.mqtt.assembly import Assembler
from smartcam.mqtt.connection import connect
from smartcam.mqtt.subscriber import Received
from tests.brokers import Mosquitto, free_port, mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that has kept an event, a state and a picture."""
    with mosquitto(tmp_path) as running:
        kept_by(running, KEPT)
        yield running


def kept_by(broker: Mosquitto, messages: list[tuple[str, bytes]]) -> None:
    connection = connect(broker.mqtt(), "node", lambda: True)
    for topic, payload in messages:
        connection.publish(topic, payload, qos=1, retain=True)
    while len(connection.acks) < len(messages):
        connection.turn(0.1)
    connection.disconnect()


EVENT = {"event_type": "yard", "phase": "start", "level": "alert", "node": "n", "camera": "c", "label": "cat"}
KEPT = [
    ("smartcam/n/c/event", json.dumps(EVENT | {"count": 1, "score": 0.9, "zones": ["lawn"]}).encode()),
    ("smartcam/n/status", b"online"),
    ("smartcam/other/status", b"on\x1b[31mline"),
    ("smartcam-media/n/c/01J/snapshot", b"\xff\xd8 jpeg"),
]
CLIP = [b"\x00\x00 begin", b"end"]
TOLD = {"event": "01K", "kind": "clip", "topic": "smartcam-media/n/c/01K/clip", "parts": 2}
IN_PARTS = [
    ("smartcam-media/n/c/01K/clip/1-of-2", CLIP[0]),
    ("smartcam-media/n/c/01K/clip/2-of-2", CLIP[1]),
    (
        "smartcam/n/c/media",
        json.dumps(TOLD | {"bytes": 11, "sha256": hashlib.sha256(b"".join(CLIP)).hexdigest()}).encode(),
    ),
]


def test_people_get_a_line_for_each_message(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    watch(broker.mqtt(), node="n", count=2)
    lines = sorted(line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines())
    assert lines == ["n/c yard start: 1 cat 0.9 in lawn", "smartcam/n/status: online"]


def test_programs_get_an_object_for_each_message(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    watch(broker.mqtt(), node="n", count=2, as_json=True)
    told = {line["topic"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told["smartcam/n/status"]["payload"] == "online"
    assert told["smartcam/n/c/event"]["payload"]["label"] == "cat"
    assert set(told["smartcam/n/status"]) == {"topic", "payload", "retained", "at"}
    assert told["smartcam/n/status"]["retained"] is True


def test_strangers_do_not_steer_the_terminal(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    watch(broker.mqtt(), node="other", count=1)
    assert "smartcam/other/status: on·[31mline" in capsys.readouterr().out


def test_media_are_kept_where_one_asks(broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch(broker.mqtt(), node="n", count=3, save=tmp_path / "kept")
    picture = tmp_path / "kept/n/c/01J.jpg"
    assert picture.read_bytes() == b"\xff\xd8 jpeg"
    assert f"saved as {picture}" in capsys.readouterr().out.replace("\n", "")
    assert [path.name for path in picture.parent.iterdir()] == ["01J.jpg"]


def test_a_clip_in_parts_is_put_together_and_verified(
    broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept_by(broker, IN_PARTS)
    watch(broker.mqtt(), node="n", count=6, save=tmp_path / "kept", as_json=True)
    clip = tmp_path / "kept/n/c/01K.mp4"
    assert clip.read_bytes() == b"".join(CLIP)
    [told] = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line.get("verified")]
    assert told["file"] == str(clip)


def test_people_are_told_what_is_missing_what_is_wrong_and_what_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf, lines = Assembler(tmp_path), Lines()
    first, second, word = IN_PARTS
    for topic, payload in (first, word, (second[0], b"bad"), word, first, second):
        lines(Received(topic, payload, False, 0.0), shelf.take(topic, payload))
    out = capsys.readouterr().out.replace("\n", "")
    words = [
        "01K/clip/1-of-2: parts missing so far: 1",
        "1 of its 2 parts did not come so far; if nothing follows, ask for it again on smartcam/n/cmd/clip",
        "it is not what was announced",
        "what came is not what was announced, and is not kept",
        f"saved as {tmp_path}/n/c/01K.mp4 (verified)",
    ]
    places = [out.replace(" ", "").find(each.replace(" ", "")) for each in words]
    assert -1 not in places
    assert places == sorted(places)


def test_it_ends_after_the_time_that_is_given(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    watch(broker.mqtt(), node="nobody", for_s=0.1)
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_written_is_a_sentence(broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SmartcamError, match=r"01J\.jpg cannot be written: Not a directory"):
        watch(broker.mqtt(), node="n", save=tmp_path / "file", for_s=5)


@pytest.mark.parametrize("payload", [b'"\\ud800"', b"[" * 10_000, b"\xff", b"NaN", b""])
def test_no_payload_ends_it(payload: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    for show in (show_json, Lines()):
        show(Received("smartcam/n/c/event", payload, False, 0.0), None)
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_a_broker_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(Unavailable, match="is the broker running") as refused:
        watch(Mqtt(url=f"mqtt://127.0.0.1:{free_port()}"))
    assert refused.value.exit_code == 69


def test_a_url_that_is_none_is_a_sentence() -> None:
    with pytest.raises(BadConfig, match=r'--broker: .*"broker".*write mqtt://HOST'):
        broker_of(None, "broker")


def test_a_node_that_cannot_be_one_is_a_mistake_in_usage() -> None:
    asked = CliRunner().invoke(app(), ["n/#"])
    assert asked.exit_code == 2
    assert "is not the name of a node" in asked.output


def app() -> typer.Typer:
    alone = typer.Typer()
    add_to(alone)
    return alone
