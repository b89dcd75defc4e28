from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.mqtt.topics import Topics, media_file, setter, slug

TOPICS = Topics("ridge1")
CAMERA = TOPICS.camera("front")


def test_the_topics_are_those_of_the_contract() -> None:
    assert [TOPICS.status, TOPICS.info, TOPICS.health, TOPICS.config, TOPICS.armed, TOPICS.mode] == [
        f"smartcam/ridge1/{name}" for name in ("status", "info", "health", "config", "armed", "mode")
    ]
    assert (TOPICS.command("ping"), TOPICS.reply("ping")) == ("smartcam/ridge1/cmd/ping", "smartcam/ridge1/reply/ping")
    assert [CAMERA.status, CAMERA.detect, CAMERA.event, CAMERA.detections, CAMERA.media] == [
        f"smartcam/ridge1/front/{name}" for name in ("status", "detect", "event", "detections", "media")
    ]
    assert CAMERA.rule_state("herd") == "smartcam/ridge1/front/rule/herd/state"
    assert setter(CAMERA.rule_enabled("herd")) == "smartcam/ridge1/front/rule/herd/enabled/set"
    assert CAMERA.zone_occupied("yard") == "smartcam/ridge1/front/zone/yard/occupied"
    assert CAMERA.count("Teddy bear") == "smartcam/ridge1/front/count/teddy-bear"


def test_bytes_live_under_a_root_of_their_own() -> None:
    assert [CAMERA.latest, CAMERA.snapshot("01J"), CAMERA.clip("01J"), CAMERA.clip_part("01J", 2, 3)] == [
        f"smartcam-media/ridge1/front/{rest}" for rest in ("latest", "01J/snapshot", "01J/clip", "01J/clip/2-of-3")
    ]


@given(st.text())
def test_any_label_becomes_one_level_of_a_topic(label: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", slug(label))


def test_labels_of_another_script_do_not_meet() -> None:
    assert slug("鹿") != slug("熊")
    assert slug("Élan") == "elan"


@pytest.mark.parametrize(
    ("topic", "path"),
    [
        (CAMERA.latest, "ridge1/front/latest.jpg"),
        (CAMERA.snapshot("01J"), "ridge1/front/01J.jpg"),
        (CAMERA.clip("01J"), "ridge1/front/01J.mp4"),
        (CAMERA.clip_part("01J", 2, 3), "ridge1/front/01J.2-of-3.mp4"),
    ],
)
def test_media_are_kept_under_their_own_names(topic: str, path: str) -> None:
    assert media_file(topic) == PurePosixPath(path)


@pytest.mark.parametrize("name", ["..", ".", "", "a\0b", "-rf", "~", "a b", "a\\b", "x" * 65, "é"])
def test_no_name_of_a_stranger_leads_out_of_the_folder(name: str) -> None:
    assert media_file(f"smartcam-media/{name}/front/latest") is None
    assert media_file(f"smartcam-media/ridge1/front/{name}/snapshot") is None
    assert media_file(f"smartcam-media/ridge1/front/01J/clip/{name}") is None


@given(st.text())
def test_whatever_comes_on_a_topic_stays_below_the_folder(rest: str) -> None:
    path = media_file(f"smartcam-media/{rest}")
    assert path is None or (not path.is_absolute() and ".." not in path.parts)


def test_readable_topics_are_no_media() -> None:
    assert media_file(CAMERA.event) is None
    assert media_file("smartcam-media/ridge1/front/01J/other") is None
