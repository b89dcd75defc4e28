"""The two connections of a daemon, and what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartcam.config import Config
from smartcam.data import Scene
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.subscriber import subscribe
from smartcam.pipeline.uplink import Uplink
from tests.brokers import Mosquitto, mosquitto
from tests.mqtt.links import owe, texts, until


def config_for(broker: Mosquitto, *, mqtt: dict[str, Any] | None = None, **uplink: Any) -> Config:
    return Config.model_validate(
        {
            "node": {"name": "ridge1"},
            "mqtt": {"url": broker.url, **(mqtt or {})},
            "uplink": uplink,
            "camera": {"front": {"source": "clip.mp4"}},
            "model": {"default": {"file": "model.tflite", "labels": "labels.txt"}},
        }
    )


def scene_at(at: float) -> Scene:
    return Scene("front", at, 1_800_000_000.0 + at, (), True, None)


def test_its_status_counts_the_bytes_of_both_connections(tmp_path: Path) -> None:
    outbox = MemoryOutbox(2**20)
    with mosquitto(tmp_path) as broker:
        config = config_for(broker)
        with Uplink(config, outbox, on_set=lambda *_: None) as uplink:
            assert uplink.renew(config)
            owe(outbox, "t", b"x" * 5000, "alert")
            owe(outbox, "t", b"x" * 50_000, "clip")
            assert until(lambda: outbox.depth() == 0)
            assert until(lambda: uplink.status.sent_bytes > 55_000)
            assert uplink.allowance.spent["clip"] > 50_000


def test_a_budget_takes_effect_without_a_new_connection(tmp_path: Path) -> None:
    outbox = MemoryOutbox(2**20)
    with mosquitto(tmp_path) as broker:
        config = config_for(broker)
        with Uplink(config, outbox, on_set=lambda *_: None) as uplink:
            uplink.renew(config)
            assert until(lambda: uplink.status.connected)
            assert not uplink.renew(config_for(broker, rate="2KB/s", daily="2MB"))
            assert outbox.part_bytes == 60_000
            assert uplink.status.connects == 1


def test_on_a_metered_way_clips_wait_and_boxes_stay_here(tmp_path: Path) -> None:
    outbox = MemoryOutbox(2**20)
    with mosquitto(tmp_path) as broker, subscribe(broker.mqtt(), ["smartcam/ridge1/front/detections"]) as heard:
        boxes = {"detections": 10}
        config = config_for(broker, mqtt=boxes, metered=True)
        with Uplink(config, outbox, on_set=lambda *_: None) as uplink:
            uplink.renew(config)
            assert until(lambda: uplink.status.connected)
            assert uplink.clips_wait
            uplink.show(scene_at(1.0))
            uplink.renew(config_for(broker, mqtt=boxes))
            assert not uplink.clips_wait
            uplink.show(scene_at(2.0))
            assert ["02.000Z" in text for text in texts(heard, 1)] == [True]


def test_where_no_newer_picture_comes_any_more_the_last_one_goes_from_the_broker_once(tmp_path: Path) -> None:
    outbox = MemoryOutbox(2**20)
    latest = "smartcam-media/ridge1/front/latest"
    with mosquitto(tmp_path) as broker, subscribe(broker.mqtt(), ["smartcam-media/#"]) as heard:
        config, metered = config_for(broker), config_for(broker, metered=True)
        with Uplink(config, outbox, on_set=lambda *_: None) as uplink:
            uplink.renew(config)
            owe(outbox, latest, "a picture", "snapshot", retain=True)
            assert texts(heard, 1) == ["a picture"]
            uplink.renew(metered)
            assert texts(heard, 1) == [""]
            uplink.renew(metered)
            assert texts(heard, 1, 0.3) == []
        with subscribe(broker.mqtt(), ["smartcam-media/#"]) as late:
            assert texts(late, 1, 0.3) == []


ASKED = ["cmd/ping", "armed/set"]


@pytest.mark.parametrize(("control", "heard"), [("off", []), ("switches", ["armed/set"]), ("all", ASKED)])
def test_what_may_be_asked_is_what_is_listened_to(tmp_path: Path, control: str, heard: list[str]) -> None:
    said: list[str] = []
    outbox = MemoryOutbox(2**20)
    with mosquitto(tmp_path) as broker:
        config = config_for(broker, mqtt={"control": control})
        with Uplink(config, outbox, on_set=lambda topic, _: said.append(topic)) as uplink:
            uplink.renew(config)
            assert until(lambda: uplink.status.connected)
            for topic in ASKED:
                owe(outbox, f"smartcam/ridge1/{topic}")
            assert until(lambda: outbox.depth() == 0 and len(said) >= len(heard))
    assert said == [f"smartcam/ridge1/{topic}" for topic in heard]
