"""The sections: their defaults, and what they refuse by themselves."""

from __future__ import annotations

import re
import socket

import pytest
from pydantic import ValidationError

from smartcam.config import Camera, Config, Model, Mqtt, Rule, Zone, parse
from smartcam.config.sections import own_name
from smartcam.config.values import NAME

TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1", "mqtt://localhost:1884", "mqtt://[::1]:1883", "ws://127.0.0.1/m"])
def test_a_broker_on_this_machine_may_be_spoken_to_in_the_clear(url: str) -> None:
    assert not Mqtt(url=url).tls


def test_a_broker_elsewhere_needs_tls_or_the_word_plaintext() -> None:
    assert Mqtt(url="mqtts://broker.lan").tls
    assert Mqtt(url="wss://broker.lan/mqtt").tls
    assert not Mqtt(url="mqtt://broker.lan", plaintext=True).tls
    with pytest.raises(ValidationError, match=r"broker\.lan would be spoken to without encryption: use mqtts://"):
        Mqtt(url="mqtt://broker.lan")


@pytest.mark.parametrize(
    "url", ["", "broker", "broker:1883", "http://broker", "mqtts://", "mqtts://h:0", "mqtts://h:x"]
)
def test_a_url_that_is_none_is_told_how_to_write_one(url: str) -> None:
    with pytest.raises(ValidationError, match=r"write mqtt://HOST\[:PORT\]"):
        Mqtt(url=url)


@pytest.mark.parametrize("url", ["mqtts://h:99999", "mqtts://[::1", "mqtts://[zz]:1"])
def test_a_url_that_python_cannot_take_apart_is_told_the_same(url: str) -> None:
    with pytest.raises(ValidationError, match=r"write mqtt://HOST\[:PORT\]"):
        Mqtt(url=url)


def test_who_logs_in_stands_beside_the_url() -> None:
    with pytest.raises(ValidationError, match="the password in a password_file, not in the URL"):
        Mqtt(url="mqtts://joe:secret@broker")


@pytest.mark.parametrize("given", [{}, {"use": "objectron", "file": "x.tflite"}])
def test_a_model_comes_from_one_place(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give either use"):
        Model.model_validate(given)


@pytest.mark.parametrize("accelerator", ["auto", "cpu", "edgetpu", "edgetpu:usb:0"])
def test_accelerators(accelerator: str) -> None:
    assert Model(use="objectron", accelerator=accelerator).accelerator == accelerator


@pytest.mark.parametrize("accelerator", ["gpu", "edgetpu:", "cpu:1", ""])
def test_unknown_accelerators_are_refused(accelerator: str) -> None:
    with pytest.raises(ValidationError):
        Model(use="objectron", accelerator=accelerator)


def test_a_rule_runs_on_its_camera_or_its_zones_or_on_each() -> None:
    config = parse(
        '[camera.front]\nsource = "x"\n[camera.back]\nsource = "y"\n'
        '[zone.yard]\ncamera = "back"\npoints = [[0, 0], [1, 0], [0, 1]]\n'
        '[rule.a]\nsee = "person"\n[rule.b]\nsee = "person"\nzone = "yard"\n'
        '[rule.c]\nsee = "person"\ncamera = "front"\n'
    )
    assert {name: config.cameras_of(rule) for name, rule in config.rule.items()} == {
        "a": ["front", "back"],
        "b": ["back"],
        "c": ["front"],
    }


def test_a_camera_is_looked_at_by_its_own_model_or_the_first() -> None:
    config = parse(
        '[camera.front]\nsource = "x"\n[camera.back]\nsource = "y"\nmodel = "birds"\n'
        '[model.coco]\nuse = "objectron"\n[model.birds]\nfile = "birds.tflite"\n'
    )
    assert [config.model_of(camera) for camera in config.camera] == ["coco", "birds"]


def test_equal_sections_are_equal_and_can_be_keys() -> None:
    """A reload keeps the parts whose piece of the configuration stayed equal."""
    assert Camera(source="x", size="640x480") == Camera(source="x", size="640x480")  # type: ignore[arg-type]  # as TOML has it
    assert len({Camera(source="x"), Camera(source="x"), Camera(source="y")}) == 2
    assert len({Zone(camera="a", points=TRIANGLE), Zone(camera="a", points=TRIANGLE)}) == 1
    assert len({Rule.model_validate({"see": "a", "count": ">= 2"}), Rule.model_validate({"see": "a", "count": 2})}) == 1


def test_nothing_changes_after_loading() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Camera(source="x").source = "y"


@pytest.mark.parametrize("host", ["Ridge1.local", "_x_", "büro", "", "a" * 80, "---"])
def test_a_nodes_own_name_can_stand_in_a_topic(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert NAME.fullmatch(own_name())


def test_every_duration_of_a_camera_can_be_shortened() -> None:
    """Tests of recovery wait for these."""
    durations = {key for key in Camera.model_fields if re.search("timeout|retry|look_again", key)}
    assert durations == {"look_again", "open_timeout", "read_timeout", "retry_min", "retry_max"}


def test_a_configuration_needs_no_file() -> None:
    assert Config(camera={"front": Camera(source="x")}).model["default"].use == "objectron"
