from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.mqtt.topics import Part, Topics, media_announced, media_file, part_of, part_topic, setter, slug

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
    assert [CAMERA.latest, CAMERA.snapshot("01J"), CAMERA.clip("01J")] == [
        f"smartcam-media/ridge1/front/{rest}" for rest in ("latest", "01J/snapshot", "01J/clip")
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
    ],
)
def test_media_are_kept_under_their_own_names(topic: str, path: str) -> None:
    assert media_file(topic) == PurePosixPath(path)


@pytest.mark.parametrize("name", ["..", ".", "", "a\0b", "-rf", "~", "a b", "a\\b", "x" * 65, "é"])
def test_no_name_of_a_stranger_leads_out_of_the_folder(name: str) -> None:
    assert media_file(f"smartcam-media/{name}/front/latest") is None
    assert media_file(f"smartcam-media/ridge1/front/{name}/snapshot") is None
    assert part_of(f"smartcam-media/{name}/front/01J/clip/1-of-2") is None
    assert part_of(f"smartcam-media/ridge1/front/{name}/clip/1-of-2") is None


@given(st.text())
def test_whatever_comes_on_a_topic_stays_below_the_folder(rest: str) -> None:
    path = media_file(f"smartcam-media/{rest}")
    assert path is None or (not path.is_absolute() and ".." not in path.parts)


def test_readable_topics_are_no_media() -> None:
    assert media_file(CAMERA.event) is None
    assert media_file("smartcam-media/ridge1/front/01J/other") is None


@pytest.mark.parametrize("whole", [CAMERA.clip("01J"), CAMERA.snapshot("01J")])
def test_a_part_tells_of_which_whole_it_is(whole: str) -> None:
    topic = part_topic(whole, 2, 3)
    assert topic == f"{whole}/2-of-3"
    assert part_of(topic) == Part(whole, 2, 3)
    assert media_file(topic) is None


@pytest.mark.parametrize(
    "last", ["0-of-3", "4-of-3", "1-of-0", "02-of-3", "1-of-100000", "²-of-3", "1-of-3 ", "-of-", "clip"]
)
def test_what_counts_wrongly_is_no_part(last: str) -> None:
    assert part_of(f"{CAMERA.clip('01J')}/{last}") is None


def test_only_events_have_parts() -> None:
    assert part_of(f"{CAMERA.latest}/1-of-2") is None
    assert part_of(f"{CAMERA.event}/1-of-2") is None


def test_nobody_announces_the_media_of_another_camera() -> None:
    assert media_announced(CAMERA.media) == "smartcam-media/ridge1/front/"
    assert media_announced(CAMERA.event) is None
    assert media_announced("other/ridge1/front/media") is None
