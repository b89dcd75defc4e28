"""Scenes in, messages out, in their order."""

from __future__ import annotations

import json
from random import Random

from smartcam.data import Message, Scene
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.judge import Judge, Reporter
from smartcam.rules import Engine, Ulids
from smartcam.workers import Channel
from tests.rules.scenes import config, every, person, scene, walk

RULE = 'see = "person"\ncamera = "front"\nlevel = "alert"\ndo = ["snapshot"]'


class Told:
    """A judge, and what was sent."""

    def __init__(self, *rules: str) -> None:
        self.messages: list[Message] = []
        settings = config(*rules)
        reporter = Reporter(
            Topics("ridge1"), lambda camera: f"eyes of {camera}", self.messages.append, clock_ok=lambda: False
        )
        self.snapshots = Snapshots(settings, reporter.snapshot)
        self.judge = Judge(Engine(settings, Ulids(Random(0))), self.snapshots, reporter.event)

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(each.payload) for each in self.messages if each.topic.endswith("/event")]


def test_what_is_open_at_the_end_ends_with_the_last_scene() -> None:
    told = Told(RULE)
    for each in walk(person, at=every(0.2, 0, 2)):
        told.judge.judge(each)
    told.judge.finish()
    assert [(event["phase"], event["seq"]) for event in told.events] == [("start", 1), ("end", 2)]
    assert told.events[1]["end"] == "1970-01-12T13:46:42.000Z"


def test_without_a_scene_there_is_nothing_to_end() -> None:
    told = Told(RULE)
    told.judge.finish()
    assert told.messages == []


def test_the_nodes_messages_are_numbered_through_and_say_what_is_known_of_them() -> None:
    told = Told(RULE, RULE)
    for each in walk(person, at=every(0.2, 0, 1)):
        told.judge.judge(each)
    told.judge.finish()
    assert [event["n"] for event in told.events] == [1, 2, 3, 4]
    assert {event["model"] for event in told.events} == {"eyes of front"}
    assert {event["clock_ok"] for event in told.events} == {False}


def test_an_alert_sends_its_picture_at_once_and_then_the_word_that_it_is_there() -> None:
    told = Told(RULE)
    told.judge.judge(scene(0.0, person))
    told.snapshots.work()
    event, snapshot, latest = told.messages
    assert [each.topic.rsplit("/", 1)[-1] for each in told.messages] == ["event", "snapshot", "latest"]
    assert snapshot.payload == latest.payload
    assert snapshot.then
    assert json.loads(snapshot.then.payload)["topic"] == snapshot.topic
    assert json.loads(snapshot.then.payload)["event"] == json.loads(event.payload)["id"]


def test_the_loop_judges_what_waits_before_it_ends() -> None:
    told = Told(RULE)
    scenes: Channel[Scene] = Channel(16)
    for each in walk(person, at=every(0.2, 0, 1)):
        scenes.put(each)
    told.judge.run(scenes, lambda: False)
    assert len(scenes) == 0
    assert len(told.events) == 1
