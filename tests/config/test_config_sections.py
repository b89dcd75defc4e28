"""The sections: their defaults, and what they refuse by themselves."""

from __future__ import annotations

import re
import socket

import pytest
from pydantic import ValidationError

from smartcam.config import Camera, Config, Model, Mqtt, Rule, Zone, parse
from smartcam.config.sections import own_name
from smartcam.config.values import NAME
from smartcam.errors import BadConfig

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


@pytest.mark.parametrize(
    ("section", "words"),
    [
        # a file that another one needs
        ('[mqtt]\npassword_file = "p"', "2: mqtt.password_file: a password without a user: give username too"),
        (
            '[mqtt]\nurl = "mqtts://b"\nclient_cert_file = "c"',
            "3: mqtt.client_cert_file: give client_key_file too; it may be the same file, where one holds both",
        ),
        ('[mqtt]\nurl = "mqtts://b"\nclient_key_file = "k"', "3: mqtt.client_key_file: give client_cert_file too"),
        ('[mqtt]\nca_file = "c"', "2: mqtt.ca_file: it is for TLS, and the url is without: use mqtts:// or wss://"),
        ('[camera.c]\nsource = "rtsp://cam/"\npassword_file = "p"', "3: camera.c.password_file: a password without"),
        (
            '[camera.c]\nsource = "rtsp://bob@cam/"\nrecord = "rtsp://cam/"\npassword_file = "p"',
            "4: camera.c.password_file: a password without a user for record: give username too",
        ),
        # a stream that can be none
        ('[camera.c]\nsource = "ftp://cam/"', '2: camera.c.source: "ftp" is no kind of source; use rtsp://'),
        ('[camera.c]\nsource = "x"\nrecord = "ftp://cam/"', '3: camera.c.record: "ftp" is no kind of source'),
        ('[camera.c]\nsource = "exec:x"\nformat = "i420"', '3: camera.c.format: "i420" has no size of its own'),
        # pauses that would be none, or shrink
        ("[mqtt]\nretry_min = 0", "2: mqtt.retry_min: it should be from 50ms to 1d, but it is 0 s"),
        ('[camera.c]\nsource = "x"\nretry_min = "0s"', "3: camera.c.retry_min: it should be from 50ms to 1d"),
        ('[camera.c]\nsource = "x"\nretry_max = "49ms"', "3: camera.c.retry_max: it should be from 50ms to 1d"),
        ('[model.m]\nuse = "x"\nretry_min = 0', "3: model.m.retry_min: it should be from 50ms to 1d"),
        (
            '[mqtt]\nretry_min = "20s"',
            "2: mqtt.retry_min: 20 s is longer than retry_max, 10 s: shorten it, or raise retry_max",
        ),
        ('[camera.c]\nsource = "x"\nretry_min = "6s"', "3: camera.c.retry_min: 6 s is longer than retry_max, 5 s"),
        ('[model.m]\nuse = "x"\nretry_min = 9\nretry_max = 8', "3: model.m.retry_min: 9 s is longer than retry_max"),
        # time-outs that would outlast the watchdog, or never be met
        ('[mqtt]\nconnect_timeout = "16s"', "2: mqtt.connect_timeout: it should be from 50ms to 15s, but it is 16 s"),
        ("[mqtt]\nconnect_timeout = 0", "2: mqtt.connect_timeout: it should be from 50ms to 15s"),
        ('[model.m]\nuse = "x"\ninvoke_timeout = "1m"', "3: model.m.invoke_timeout: it should be from 50ms to 50s"),
        ('[model.m]\nuse = "x"\nopen_timeout = 0', "3: model.m.open_timeout: it should be from 50ms to 1h"),
        ('[camera.c]\nsource = "exec:x"\nopen_timeout = "31s"', "3: camera.c.open_timeout: it should be from 50ms to"),
        (
            '[camera.c]\nsource = "rtsp://cam/"\nread_timeout = "11s"',
            "3: camera.c.read_timeout: longer than 10 s is for commands (exec:…) alone; shorten it",
        ),
        (
            '[camera.c]\nsource = "exec:x"\nrecord = "rtsp://cam/"\nopen_timeout = "11s"',
            "4: camera.c.open_timeout: longer than 10 s is for commands (exec:…) alone",
        ),
        # what would have no effect, or holds always
        (
            '[rule.r]\nsee = "person"\nsnapshot = { boxes = true }',
            '3: rule.r.snapshot: no picture is sent: add do = ["snapshot"], or take this out',
        ),
        ('[rule.r]\nsee = "person"\ncount = 0', '3: rule.r.count: ">= 0" always holds: did you mean "== 0"?'),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_line(section: str, words: str) -> None:
    camera = "" if "[camera." in section else '\n[camera.front]\nsource = "x"\n'
    with pytest.raises(BadConfig) as refused:
        parse(section + camera, "smartcam.toml")
    (line,) = str(refused.value).split("\n")
    assert line.startswith(f"smartcam.toml:{words}")


@pytest.mark.parametrize(
    "section",
    [
        '[mqtt]\nurl = "mqtts://b"\nca_file = "c"\nclient_cert_file = "c"\nclient_key_file = "k"',
        '[mqtt]\nusername = "bob"\npassword_file = "p"\nretry_min = "50ms"\nretry_max = "50ms"',
        '[camera.c]\nsource = "rtsp://bob@cam/"\npassword_file = "p"',
        '[camera.c]\nsource = "exec:x"\nopen_timeout = "30s"\nread_timeout = "30s"',
        '[camera.c]\nsource = "exec:x"\nformat = "i420"\nsize = "640x480"',
        '[model.m]\nuse = "x"\nopen_timeout = "10m"\ninvoke_timeout = "50s"',
        '[rule.r]\nsee = "person"\ndo = ["snapshot"]\nsnapshot = { boxes = true }\ncount = "== 0"',
    ],
)
def test_what_goes_together_is_taken(section: str) -> None:
    parse(section + ("" if "[camera." in section else '\n[camera.front]\nsource = "x"\n'))


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
