"""Scenes in, messages out, in their order; and what is done between two scenes."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from random import Random

import pytest

from smartcam.data import Event, Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.reporter import Reporter
from smartcam.rules import Engine, Ulids
from smartcam.workers import Worker
from tests.rules.scenes import config, every, person, scene, walk

RULE = 'see = "person"\ncamera = "front"\nlevel = "alert"\ndo = ["snapshot"]'


class Told:
    """A judge, and what was sent."""

    def __init__(self, *rules: str) -> None:
        self.messages: list[Message] = []
        settings = config(*rules)
        reporter = Reporter(
            Topics("ridge1"),
            lambda camera: f"eyes of {camera}",
            lambda message, *_: self.messages.append(message),
            clock_ok=lambda: False,
        )
        self.snapshots = Snapshots(settings, reporter.snapshot)
        self.noted: list[tuple[list[str], int]] = []
        """The phases of each turn's events, and how many messages there were before."""
        self.judge = Judge(Engine(settings, Ulids(Random(0))), self.snapshots, reporter.event, note=self._note)

    def _note(self, _: Engine, events: Sequence[Event], _at: float, _wall: float) -> None:
        self.noted.append(([event.phase for event in events], len(self.messages)))

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
    for each in walk(person, at=every(0.2, 0, 1)):
        told.judge.put(each)
    told.judge.run(lambda: False)
    assert len(told.events) == 1


def test_what_is_to_be_kept_is_noted_before_it_goes_out() -> None:
    """So that a power cut forgets as little as can be of what was told."""
    told = Told(RULE)
    told.judge.judge(scene(0.0, person))
    assert told.noted == [(["start"], 0)]


def test_what_is_asked_for_is_done_between_two_scenes_by_its_own_thread() -> None:
    told = Told(RULE)
    with Worker("judge", told.judge.run):
        for each in walk(person, at=every(0.2, 0, 1)):
            told.judge.put(each)
        thread, seen = told.judge.do(lambda: (threading.current_thread().name, told.judge.now[0]))
    assert (thread, seen) == ("judge", 1.0)


def test_a_refusal_comes_back_to_whoever_asked() -> None:
    def refuse() -> None:
        raise SmartcamError("no such rule")

    told = Told(RULE)
    with Worker("judge", told.judge.run), pytest.raises(SmartcamError, match="no such rule"):
        told.judge.do(refuse)


def test_what_fails_is_told_to_whoever_asked_and_the_judge_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise KeyError("a mistake of ours")

    told = Told(RULE)
    with Worker("judge", told.judge.run, retry_s=0.01):
        with pytest.raises(Unavailable, match="it failed: see smartcam's log"):
            told.judge.do(fail)
        assert told.judge.do(lambda: "still here") == "still here"
    assert "a mistake of ours" in caplog.text


def test_a_judge_that_does_not_come_to_it_is_waited_for_only_so_long() -> None:
    with pytest.raises(Unavailable, match="do not answer within"):
        Told(RULE).judge.do(lambda: None, timeout_s=0.05)


def test_other_rules_end_what_is_no_more_and_keep_what_is_the_same() -> None:
    told = Told(RULE, RULE)
    told.judge.judge(scene(0.0, person))
    told.judge.renew(config(RULE))
    told.judge.judge(scene(0.2, person))
    assert [(event["event_type"], event["phase"]) for event in told.events] == [
        ("r0", "start"),
        ("r1", "start"),
        ("r1", "end"),
    ]


def test_an_open_event_that_wants_no_picture_any_more_holds_none() -> None:
    told = Told(RULE)
    told.judge.judge(scene(0.0, person))
    event = str(told.events[0]["id"])
    assert told.snapshots.album.held("front", event)
    told.judge.renew(config(RULE.replace('do = ["snapshot"]', "")))
    assert not told.snapshots.album.held("front", event)
    told.judge.judge(scene(0.2, person))
    told.judge.finish()
    assert [each["phase"] for each in told.events] == ["start", "end"]


def test_scenes_of_a_camera_that_was_removed_meanwhile_are_passed_over() -> None:
    told = Told('see = "person"')
    told.judge.renew(config('see = "person"'))
    told.judge.judge(scene(0.0, person, camera="gone"))
    assert told.events == []
