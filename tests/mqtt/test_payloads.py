from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from smartcam.data import Detections, Exhibit, Scene, Track
from smartcam.mqtt.form import rfc3339, xywh
from smartcam.mqtt.health import ConfigPayload, ConfigProblem, HealthPayload, InfoPayload, ModelInfo
from smartcam.mqtt.payloads import (
    MAX_BYTES,
    EventPayload,
    MediaPayload,
    ReplyPayload,
    detections_message,
    event_message,
    exhibit_message,
    snapshot_messages,
)
from smartcam.mqtt.topics import Topics
from tests.mqtt.events import PERSON, event

TOPICS = Topics("ridge1")
CLIP_TOPIC = "smartcam-media/ridge1/front/01J/clip"


def test_an_event_is_these_bytes() -> None:
    """Receivers and replays compare them: a change of order, rounding or spacing is a change of the contract."""
    message = event_message(TOPICS, event(), n=1042, clock_ok=True, model="objectron@sha256:ab12")

    assert message.payload.decode() == (
        '{"v":1,"id":"01JD8F7Z3M0000000000000000","seq":3,"n":1042,"phase":"end","event_type":"yard-intruder",'
        '"level":"alert","node":"ridge1","camera":"front","start":"2026-11-24T18:02:11.250Z",'
        '"end":"2026-11-24T18:02:25.450Z","clock_ok":true,"label":"person","score":0.87,"count":1,"zones":["yard"],'
        '"dwell_s":14.2,"tracks":[{"id":81,"label":"person","score":0.87,"box":[0.41,0.22,0.1,0.35]}],'
        '"media":["snapshot"],"model":"objectron@sha256:ab12","reasons":["person in yard for 14 s"]}'
    )
    assert (message.topic, message.kind, message.qos, message.retain) == (
        "smartcam/ridge1/front/event",
        "alert",
        1,
        False,
    )


def test_what_is_unknown_is_absent() -> None:
    told = json.loads(event_message(TOPICS, event(end=None, phase="start"), n=1, clock_ok=False).payload)
    assert "end" not in told
    assert "model" not in told


def test_an_event_says_its_message_and_that_it_is_a_test_only_where_there_is_something_to_say() -> None:
    said = event(message="ein Reh an der Tränke", test=True, label="")
    told = json.loads(event_message(TOPICS, said, n=1, clock_ok=True).payload)
    assert (told["message"], told["test"], "label" in told) == ("ein Reh an der Tränke", True, False)
    plain = json.loads(event_message(TOPICS, event(), n=1, clock_ok=True).payload)
    assert "message" not in plain
    assert "test" not in plain


@pytest.mark.parametrize(("level", "kind"), [("alert", "alert"), ("event", "event"), ("info", "event")])
def test_alerts_go_first_and_all_else_is_an_event(level: str, kind: str) -> None:
    assert event_message(TOPICS, event(level=level), n=1, clock_ok=True).kind == kind


def test_a_crowd_is_cut_and_still_counted() -> None:
    message = event_message(TOPICS, event(tracks=(PERSON,) * 400, count=400), n=1, clock_ok=True)
    told = json.loads(message.payload)
    assert (len(told["tracks"]), told["count"]) == (50, 400)
    assert len(message.payload) < MAX_BYTES


def test_no_label_and_no_reason_makes_an_event_too_long() -> None:
    wordy = Track(1, "鹿" * 10_000, PERSON.box, 0.5, 0, 0, 1, True)
    crowd = event(tracks=(wordy,) * 400, label="鹿" * 10_000, reasons=("鹿" * 10_000,) * 10, zones=("z" * 32,) * 40)
    assert len(event_message(TOPICS, crowd, n=1, clock_ok=True).payload) < MAX_BYTES


def test_a_box_is_cut_at_the_edges_of_the_frame() -> None:
    assert xywh((-0.1, 0.5, 1.2, 0.25)) == (0.0, 0.5, 1.0, 0.0)
    assert xywh((0.123456, 0, 0.223456, 1)) == (0.1235, 0.0, 0.1, 1.0)


def test_times_are_rounded_to_the_millisecond() -> None:
    assert rfc3339(0.9996) == "1970-01-01T00:00:01.000Z"
    assert rfc3339(946728000.0) == "2000-01-01T12:00:00.000Z"


def test_numpy_numbers_do_not_break_a_strict_model() -> None:
    box: Any = tuple(np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    score: Any = np.float32(0.5)
    odd = Track(1, "cat", box, score, 0, 0, 1, True)
    event_message(TOPICS, event(tracks=(odd,), score=score), n=1, clock_ok=True)


def test_the_word_of_a_picture_follows_it_and_the_latest_has_none() -> None:
    jpeg = b"\xff\xd8 picture"
    picture, latest = snapshot_messages(TOPICS, event(), jpeg)
    word = picture.then

    assert picture.topic == "smartcam-media/ridge1/front/01JD8F7Z3M0000000000000000/snapshot"
    assert (picture.payload, picture.qos, picture.retain) == (jpeg, 1, False)
    assert (latest.topic, latest.qos, latest.retain) == ("smartcam-media/ridge1/front/latest", 0, True)
    assert word is not None
    assert (word.topic, word.kind, latest.then) == ("smartcam/ridge1/front/media", picture.kind, None)
    assert MediaPayload.model_validate_json(word.payload) == MediaPayload(
        event="01JD8F7Z3M0000000000000000",
        kind="snapshot",
        topic=picture.topic,
        bytes=len(jpeg),
        sha256=hashlib.sha256(jpeg).hexdigest(),
    )


CLIP = Exhibit(
    event="01J",
    kind="clip",
    camera="front",
    rule="yard",
    level="alert",
    score=0.9,
    start=1795543326.25,
    end=1795543355.45,
    reasons=("person in yard",),
    file="media/01J/clip.mp4",
    bytes=3_000_000,
    sha256="ab" * 32,
)


def test_a_clip_leaves_from_its_file_and_its_word_tells_when_it_plays() -> None:
    message = exhibit_message(TOPICS, CLIP, codec="h264")
    assert (message.topic, message.kind, message.payload) == ("smartcam-media/ridge1/front/01J/clip", "clip", b"")
    assert (message.file, message.file_bytes) == ("media/01J/clip.mp4", 3_000_000)
    word = message.then
    assert word
    assert (word.topic, word.kind) == ("smartcam/ridge1/front/media", "clip")
    assert word.payload.decode() == (
        '{"v":1,"event":"01J","kind":"clip","topic":"smartcam-media/ridge1/front/01J/clip","bytes":3000000,'
        f'"sha256":"{"ab" * 32}","parts":1,"start":"2026-11-24T18:02:06.250Z","end":"2026-11-24T18:02:35.450Z",'
        '"codec":"h264"}'
    )


def test_a_kept_picture_and_a_sample_leave_as_snapshots() -> None:
    kept = exhibit_message(TOPICS, replace(CLIP, kind="snapshot", file="media/01J/x.jpg"))
    assert (kept.topic, kept.kind, kept.file) == (CLIP_TOPIC.replace("clip", "snapshot"), "snapshot", "media/01J/x.jpg")
    sample = exhibit_message(TOPICS, replace(CLIP, kind="sample", file=""), jpeg=b"\xff\xd8")
    assert (sample.kind, sample.payload, sample.file) == ("snapshot", b"\xff\xd8", "")
    assert sample.then
    told = json.loads(sample.then.payload)
    assert (told["kind"], told["reasons"], "start" in told) == ("sample", ["person in yard"], False)


def test_whatever_leaves_says_by_which_rule_and_for_which_event() -> None:
    """`smartcam sent` tells it."""
    messages = [event_message(TOPICS, event(), n=1, clock_ok=True), *snapshot_messages(TOPICS, event(), b"x")]
    messages += [exhibit_message(TOPICS, replace(CLIP, event=event().id, rule=event().rule))]
    messages += [message.then for message in messages if message.then]
    assert len(messages) == 6
    assert {(each.rule, each.event) for each in messages} == {("yard-intruder", "01JD8F7Z3M0000000000000000")}


def test_a_reply_says_only_what_there_is() -> None:
    assert (
        ReplyPayload(id="a", status="done", data={"n": 1}).encode()
        == b'{"v":1,"id":"a","status":"done","data":{"n":1}}'
    )
    assert (
        ReplyPayload(id="", status="refused", error="no").encode() == b'{"v":1,"id":"","status":"refused","error":"no"}'
    )


def test_detections_tell_what_the_model_saw_and_what_is_followed() -> None:
    seen = Detections(
        np.array([[0, 0, 0.5, 0.5], [0.1, 0.1, 0.2, 0.2]], np.float32),
        np.array([0.4, 0.9], np.float32),
        np.array([0, 1], np.int32),
        ("cat", "dog"),
    )
    message = detections_message(TOPICS, Scene("front", 1.0, 0.0, (PERSON,), True, None, seen))
    told = json.loads(message.payload)
    assert [row["label"] for row in told["detections"]] == ["dog", "cat"]
    assert [row["id"] for row in told["tracks"]] == [81]
    assert (message.topic, message.qos) == ("smartcam/ridge1/front/detections", 0)
    assert message.expiry_s


@pytest.mark.parametrize("looked", [True, False])
def test_detections_tell_whether_anyone_looked(looked: bool) -> None:
    """An empty list alone would read as if nothing were there."""
    told = json.loads(detections_message(TOPICS, Scene("front", 1.0, 0.0, (PERSON,), looked, None)).payload)
    assert (told["detections"], told["looked"]) == ([], looked)


def test_payloads_read_back_as_what_they_were() -> None:
    config = ConfigPayload(ok=False, errors=(ConfigProblem(file="a.toml", line=7, key="rule.x", message="no"),))
    info = InfoPayload(node="n", version="1", models=(ModelInfo(name="m"),), cameras=("c",), labels=("cat",))
    health = HealthPayload(
        node="n",
        version="1",
        uptime_s=1.0,
        clock_ok=True,
        degraded=("the camera is away",),
        cameras={},
        models={},
        near_misses={"herd": 3},
    )
    for payload in (config, info, health):
        assert type(payload).model_validate_json(payload.encode()) == payload


def test_a_reader_takes_later_additions_and_refuses_wrong_types() -> None:
    told = json.loads(event_message(TOPICS, event(), n=1, clock_ok=True).payload)
    EventPayload.model_validate_json(json.dumps(told | {"later": 1}))
    with pytest.raises(ValidationError):
        EventPayload.model_validate_json(json.dumps(told | {"seq": "3"}))
