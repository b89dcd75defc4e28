from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from smartcam.data import Detections, Scene, Track
from smartcam.mqtt.payloads import (
    MAX_BYTES,
    ConfigPayload,
    ConfigProblem,
    EventPayload,
    HealthPayload,
    InfoPayload,
    MediaPayload,
    ModelInfo,
    detections_message,
    event_message,
    rfc3339,
    snapshot_messages,
    xywh,
)
from smartcam.mqtt.topics import Topics
from tests.mqtt.events import PERSON, event

TOPICS = Topics("ridge1")


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
