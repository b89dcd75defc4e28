"""What may be asked over MQTT, and what is answered: never more than is allowed, and always a sentence."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smartcam import __version__
from smartcam.config import Mqtt, parse
from smartcam.data import Exhibit, Message
from smartcam.errors import SmartcamError
from smartcam.mqtt.assembly import Assembler
from smartcam.mqtt.connection import connect
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.payloads import MediaPayload, ReplyPayload
from smartcam.mqtt.subscriber import subscribe
from smartcam.pipeline.commands import Commands
from smartcam.workers import Worker
from tests.brokers import mosquitto
from tests.mqtt.links import link_to, running, until
from tests.store.outboxes import kept

CONFIG = """
[node]
name = "ridge1"
[mqtt]
control = "all"
[camera.front]
source = "front.mp4"
[camera.back]
source = "back.mp4"
[rule.yard]
see = "person"
camera = "back"
do = ["snapshot"]
blur = ["person"]
"""
JPEG = b"\xff\xd8 what it shows now"
CMD = "smartcam/ridge1/cmd"


def exhibit(kind: Any, number: int = 1, **changes: Any) -> Exhibit:
    values: dict[str, Any] = {
        "event": "01J",
        "kind": kind,
        "camera": "front",
        "rule": "yard",
        "level": "alert",
        "score": 0.9,
        "start": 1.0,
        "end": 2.0,
        "number": number,
        "file": f"media/01J/{kind}-{number}",
        "bytes": 1000 * number,
        "sha256": f"{number}" * 64,
    }
    return Exhibit(**values | changes)


class Keeping(MemoryOutbox):
    """An outbox that keeps something, and owes what it is given."""

    def __init__(self, *kept: Exhibit) -> None:
        super().__init__(2**20)
        self.owed: list[Message] = []
        self.has_room = True
        self._kept = kept

    def put(self, message: Message, *_: object) -> bool:
        if self.has_room or message.kind == "alert":
            self.owed.append(message)
        return self.has_room

    def exhibits(self, event: str) -> list[Exhibit]:
        return [each for each in self._kept if each.event == event]


class Node:
    """Commands, and what has come of them."""

    def __init__(self, *kept: Exhibit, config: str = CONFIG) -> None:
        self.outbox = Keeping(*kept)
        self.config = parse(config)
        self.now = 0.0
        self.reloads = 0
        local: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "reload": self.reload,
            "picture": self._picture,
            "disarm": self.reload,
        }
        self.commands = Commands(lambda: self.config, self.outbox, local, lambda _: "01K", clock=lambda: self.now)

    def reload(self, _: dict[str, Any]) -> dict[str, Any]:
        self.reloads += 1
        return {"asked": True}

    def _picture(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked != {"camera": "front"}:
            raise SmartcamError(f"no camera {asked}")
        return {"jpeg": base64.b64encode(JPEG).decode()}

    def ask(self, verb: str, payload: bytes | None = None, **asked: Any) -> list[Message]:
        """What is owed then."""
        self.commands.do(verb, json.dumps({"id": "7"} | asked).encode() if payload is None else payload)
        return self.owed()

    def owed(self) -> list[Message]:
        """Since it was last asked."""
        found, self.outbox.owed = self.outbox.owed, []
        return found


@pytest.fixture
def node() -> Node:
    return Node(exhibit("snapshot", 1), exhibit("clip", 3), exhibit("snapshot", 2), exhibit("clip", 1))


def said(messages: list[Message]) -> ReplyPayload:
    """The only reply."""
    [reply] = [message for message in messages if "/reply/" in message.topic]
    assert (reply.qos, reply.retain, reply.kind) == (1, False, "alert")
    return ReplyPayload.model_validate_json(reply.payload)


@pytest.mark.parametrize(("kind", "number"), [("snapshot", 2), ("clip", 1)])
def test_the_last_of_what_is_kept_of_an_event_is_sent_again(node: Node, kind: str, number: int) -> None:
    """Of a clip, that is the small one."""
    file, reply = node.ask(kind, event="01J")
    topic = f"smartcam-media/ridge1/front/01J/{kind}"
    assert reply.topic == f"smartcam/ridge1/reply/{kind}"
    assert json.loads(reply.payload) == {
        "v": 1,
        "id": "7",
        "status": "done",
        "data": {"event": "01J", "topic": topic, "bytes": 1000 * number, "sha256": f"{number}" * 64},
    }
    assert (file.topic, file.kind, file.file, file.file_bytes) == (
        topic,
        kind,
        f"media/01J/{kind}-{number}",
        1000 * number,
    )
    assert (file.rule, file.event) == ("yard", "01J")
    assert file.then
    assert MediaPayload.model_validate_json(file.then.payload).sha256 == f"{number}" * 64


def test_a_fresh_picture_leaves_under_an_id_of_its_own(node: Node) -> None:
    picture, reply = node.ask("snapshot", camera="front")
    assert (picture.topic, picture.payload, picture.rule) == (
        "smartcam-media/ridge1/front/01K/snapshot",
        JPEG,
        "cmd/snapshot",
    )
    told = json.loads(reply.payload)["data"]
    assert told == {
        "event": "01K",
        "topic": picture.topic,
        "bytes": len(JPEG),
        "sha256": hashlib.sha256(JPEG).hexdigest(),
    }
    assert picture.then


def test_it_answers_a_ping_and_reloads(node: Node) -> None:
    assert said(node.ask("ping")).data == {"version": __version__}
    assert said(node.ask("reload", id="8")).data == {"asked": True}
    assert node.reloads == 1


@pytest.mark.parametrize(
    ("verb", "asked", "sentence"),
    [
        ("clip", {"event": "01X"}, 'there is no clip of event "01X": it is unknown, or what was kept'),
        ("snapshot", {"event": "01C"}, 'there is no snapshot of event "01C", only a clip'),
        ("clip", {}, 'it needs "event", as a text'),
        ("clip", {"event": 7}, 'it needs "event", as a text'),
        ("clip", {"event": "../../etc"}, 'it needs "event", as a text'),
        ("clip", {"event": "\ud800"}, 'it needs "event", as a text'),
        ("snapshot", {}, 'it needs "camera", as a text'),
        ("snapshot", {"camera": "side"}, "no camera"),
        ("snapshot", {"camera": "back"}, "rule yard blurs person, and this would show them"),
        ("disarm", {}, 'there is no command "disarm"; there are clip, snapshot, ping, reload'),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(verb: str, asked: dict[str, Any], sentence: str) -> None:
    node = Node(exhibit("clip", event="01C"))
    reply = said(node.ask(verb, **asked))
    assert (reply.id, reply.status) == ("7", "refused")
    assert sentence in str(reply.error)
    assert node.reloads == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[" * 4096,
        b"NaN",
        b"\xff\xfe",
        b'"id"',
        b"{}",
        b'{"id": 7}',
        b'{"id": ""}',
        b'{"id": "a b"}',
        json.dumps({"id": "x" * 65}).encode(),
        b'{"id": "\\ud800"}',
        b'{"id": "1", "event": "' + b"x" * 5000 + b'"}',
        b"9" * 4097,
    ],
)
def test_what_is_no_command_is_refused_with_a_sentence(node: Node, payload: bytes) -> None:
    reply = said(node.ask("reload", payload))
    assert (reply.id, reply.status) == ("", "refused")
    assert reply.error
    assert node.reloads == 0


@pytest.mark.parametrize("verb", ["", "a/b", "réveil", "x" * 17, "#"])
def test_no_answer_goes_to_a_topic_of_a_strangers_choice(node: Node, verb: str) -> None:
    assert node.ask(verb) == []


def test_a_repeated_id_does_nothing(node: Node) -> None:
    assert len(node.ask("clip", event="01J")) == 2
    assert node.ask("clip", event="01J") == []
    assert node.ask("reload") == []
    assert node.reloads == 0


def test_an_outbox_without_room_is_told(node: Node) -> None:
    node.outbox.has_room = False
    reply = said(node.ask("snapshot", camera="front"))
    assert (reply.status, "no room" in str(reply.error)) == ("failed", True)


@pytest.fixture
def at_work(node: Node) -> Iterator[Node]:
    with Worker("commands", node.commands.run):
        yield node


def ping(number: int) -> bytes:
    return json.dumps({"id": str(number)}).encode()


def test_more_than_ten_a_minute_are_not_heard(at_work: Node, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "smartcam.pipeline.commands"):
        for number in range(1000):
            assert at_work.commands.take(f"{CMD}/ping", ping(number))
            time.sleep(0.001 if number < 20 else 0)
        assert until(lambda: len(at_work.outbox.owed) == 10)
        at_work.now = 61.0
        assert at_work.commands.take(f"{CMD}/ping", ping(2000))
        assert until(lambda: len(at_work.outbox.owed) == 11)
    assert len(caplog.records) == 1


def test_a_command_of_ten_megabytes_is_refused(at_work: Node) -> None:
    at_work.commands.take(f"{CMD}/reload", b'{"id": "1"}' + b" " * 10_000_000)
    assert until(lambda: at_work.outbox.owed)
    assert "at most 4096 bytes" in str(said(at_work.owed()).error)


def test_other_topics_are_left_to_others(node: Node) -> None:
    assert not node.commands.take("smartcam/ridge1/armed/set", b"ON")
    assert not node.commands.take("smartcam/other/cmd/ping", ping(1))


def test_without_control_of_all_nothing_is_done(at_work: Node) -> None:
    """Also where the broker still sends what was subscribed to before."""
    at_work.config = parse(CONFIG.replace('control = "all"', ""))
    assert at_work.commands.take(f"{CMD}/ping", ping(1))
    at_work.config = parse(CONFIG)
    at_work.commands.take(f"{CMD}/ping", ping(2))
    assert until(lambda: at_work.outbox.owed)
    assert said(at_work.owed()).id == "2"


def test_a_clip_is_fetched_later_over_a_real_broker(tmp_path: Path) -> None:
    """It was only kept. What the broker had kept of commands is older, and not heard."""
    data = b"\x00\x00" + bytes(range(256)) * 8
    sha256 = hashlib.sha256(data).hexdigest()
    file = tmp_path / "state/media/01J/clip.mp4"
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(tmp_path))
        publish(broker.mqtt(), f"{CMD}/reload", ping(1), retain=True)
        ears = stack.enter_context(subscribe(broker.mqtt(), ["smartcam/ridge1/#", "smartcam-media/ridge1/#"]))
        (tmp_path / "state").mkdir()
        outbox = stack.enter_context(kept(tmp_path / "state"))
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        outbox.keep(exhibit("clip", file="media/01J/clip.mp4", bytes=len(data), sha256=sha256))
        node = Node()

        def hear(topic: str, payload: bytes) -> None:
            commands.take(topic, payload)

        commands = Commands(lambda: node.config, outbox, {"reload": node.reload}, lambda _: "01K")
        stack.enter_context(Worker("commands", commands.run))
        link = link_to(broker.mqtt(), outbox, subscriptions=[f"{CMD}/+"], on_message=hear)
        stack.enter_context(running(link))
        assert until(lambda: link.status.connected and outbox.exhibits("01J"))
        publish(broker.mqtt(), f"{CMD}/clip", b'{"id": "a", "event": "01J"}')
        shelf, replies = Assembler(tmp_path / "kept"), []
        for received in ears.within(10):
            if "/reply/" in received.topic:
                replies.append(ReplyPayload.model_validate_json(received.payload))
            saved = shelf.take(received.topic, received.payload)
            if saved and saved.verified:
                break
    assert [(reply.id, reply.status) for reply in replies] == [("a", "done")]
    assert (tmp_path / "kept/ridge1/front/01J.mp4").read_bytes() == data
    assert node.reloads == 0


def publish(mqtt: Mqtt, topic: str, payload: bytes, *, retain: bool = False) -> None:
    connection = connect(mqtt, "other", lambda: True)
    connection.publish(topic, payload, qos=1, retain=retain)
    while not connection.acks:
        connection.turn(0.1)
    connection.disconnect()
