"""What people may ask of a running daemon: its verbs, and the `/set` topics over a real broker."""

from __future__ import annotations

import base64
import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from smartcam.config import Config, parse
from smartcam.data import Event, Frame
from smartcam.errors import SmartcamError
from smartcam.evidence.snapshots import Snapshots
from smartcam.geometry import MASKED
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.subscriber import Subscription, subscribe
from smartcam.pipeline.clerk import Clerk
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.switches import FRESH_S, Switches
from smartcam.pipeline.uplink import Uplink
from smartcam.rules import Engine, Ulids
from smartcam.workers import Worker
from tests.brokers import Mosquitto, mosquitto, tool
from tests.evidence.pictures import decoded, flat, frame
from tests.rules.scenes import person, scene

CONFIG = """
[node]
name = "ridge1"
[camera.front]
source = "front.mp4"
[camera.back]
source = "back.mp4"
[mode.home]
[mode.holiday]
[rule.visitor]
see = "person"
unless = "disarmed"
do = ["snapshot"]
"""


class World:
    """The rules at work, the switches, and the way to the broker if there is one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.events: list[Event] = []
        self.uplink = Uplink(config, MemoryOutbox(2**20), on_set=lambda *said: self.switches.on_set(*said))
        self.snapshots = Snapshots(config, lambda *_: None)
        self.clerk = Clerk(lambda _, **__: None, on_alarm=lambda *alarm: self.switches.say(*alarm))
        engine = Engine(config, Ulids(Random(0)))
        self.judge = Judge(engine, self.snapshots, self.events.append, note=self.clerk.note)
        self.switches = Switches(lambda: self.config, self.judge, self._latest, self.uplink)

    def _latest(self, camera: str) -> Frame | None:
        best = self.snapshots.album.best(camera, ())
        return best.frame if best else None

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return self.switches.verbs()[verb](arguments)


@contextmanager
def at_work(config: Config, *, connected: bool = False) -> Iterator[World]:
    world = World(config)
    with ExitStack() as stack:
        stack.enter_context(world.uplink)
        if connected:
            world.uplink.renew(config)
        stack.enter_context(Worker("judge", world.judge.run))
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with at_work(parse(CONFIG)) as world:
        yield world


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


def test_it_is_armed_and_disarmed_and_says_how_it_is_then(world: World) -> None:
    assert world.ask("mode") == {"armed": True, "mode": "home"}
    assert world.ask("disarm") == {"armed": False, "mode": "home"}
    assert world.ask("arm") == {"armed": True, "mode": "home"}
    assert world.ask("mode", name="holiday") == {"armed": True, "mode": "holiday"}


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("mode", {"name": "holyday"}, 'no mode "holyday" (did you mean "holiday"?)'),
        ("mode", {"name": 7}, 'it needs "name", a name'),
        ("fire", {}, 'it needs "rule", a name'),
        ("fire", {"rule": "visitr"}, 'no rule "visitr" (did you mean "visitor"?)'),
        ("fire", {"rule": "visitor", "camera": "side"}, 'not on camera "side": it is on front, back'),
        ("picture", {"camera": "fornt"}, 'no camera "fornt" (did you mean "front"?)'),
        ("picture", {"camera": "front"}, "camera front has given no picture yet"),
    ],
)
def test_what_cannot_be_is_a_sentence(world: World, verb: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SmartcamError) as refused:
        world.ask(verb, **arguments)
    assert sentence in str(refused.value)
    assert world.ask("mode") == {"armed": True, "mode": "home"}


def test_every_rule_says_how_it_stands_on_each_camera(world: World) -> None:
    world.judge.put(scene(1.0, person))
    answer = world.ask("rules")
    front, back = answer["rules"]
    assert (front["rule"], front["camera"], front["open"], front["fired"]) == ("visitor", "front", True, 1)
    assert (back["camera"], back["open"], back["fired"]) == ("back", False, 0)
    assert back["why_not"]
    assert (answer["armed"], answer["mode"], set(answer["still"])) == (True, "home", {"front", "back"})


def test_a_test_event_goes_the_whole_way_out_and_is_marked(world: World) -> None:
    world.judge.put(scene(1.0, person, camera="back"))
    answer = world.ask("fire", rule="visitor", camera="back")
    fired = [event for event in world.events if event.test]
    assert [(event.phase, event.camera) for event in fired] == [("start", "back"), ("end", "back")]
    assert answer == {"events": [fired[0].id], "camera": "back"}


def test_a_picture_is_the_latest_frame_as_jpeg(world: World) -> None:
    now = time.monotonic()
    for at in (now - 1, now):
        world.judge.put(scene(at))
    frame = scene(now).frame
    assert frame
    picture = decoded(base64.b64decode(world.ask("picture", camera="front")["jpeg"]))
    assert picture.shape[1::-1] == frame.picture.size


def test_a_picture_of_before_is_not_shown_as_one_of_now(world: World) -> None:
    world.judge.put(scene(time.monotonic() - FRESH_S - 25))
    with pytest.raises(SmartcamError, match=r"camera front has given no picture for 35 s: see `smartcam status`"):
        world.ask("picture", camera="front")


def test_the_picture_of_a_camera_that_gives_few_is_as_old_as_it_must_be(world: World) -> None:
    world.config = parse(CONFIG.replace('"front.mp4"', '"front.mp4"\nfps = 0.02'))
    world.judge.put(scene(time.monotonic() - 45))
    assert "jpeg" in world.ask("picture", camera="front")


def test_a_picture_is_masked_as_its_camera_is_now(world: World) -> None:
    """Though it was taken before."""
    now = time.monotonic()
    world.judge.put(replace(scene(now), frame=frame(now, flat(shade=7))))
    world.config = parse(CONFIG.replace('"front.mp4"', '"front.mp4"\nmask = [[[0, 0], [1, 0], [1, 0.5], [0, 0.5]]]'))
    masked = decoded(base64.b64decode(world.ask("picture", camera="front")["jpeg"]))

    assert np.abs(masked[:48].astype(int) - MASKED).max() <= 5
    assert np.abs(masked[72:].astype(int) - 7).max() <= 5


def publish(broker: Mosquitto, topic: str, payload: str, *more: str) -> None:
    subprocess.run(
        [tool("mosquitto_pub"), "-p", str(broker.port), "-q", "1", "-t", topic, "-m", payload, *more], check=True
    )


def hears(subscription: Subscription, topic: str, payload: str) -> bool:
    end = time.monotonic() + 5
    while received := subscription.receive(end - time.monotonic()):
        if (received.topic, received.payload.decode()) == (topic, payload):
            return True
    return False


def config_for(broker: Mosquitto, more: str = "", text: str = CONFIG) -> Config:
    return parse(f'[mqtt]\nurl = "{broker.url}"\n{more}\n{text}')


def connected(world: World) -> bool:
    end = time.monotonic() + 5
    while not world.uplink.status.connected and time.monotonic() < end:
        time.sleep(0.01)
    return world.uplink.status.connected


def test_switches_are_set_over_mqtt_and_tell_their_state(broker: Mosquitto) -> None:
    with subscribe(broker.mqtt(), ["smartcam/#"]) as ears, at_work(config_for(broker), connected=True) as world:
        assert hears(ears, "smartcam/ridge1/armed", "ON")
        assert hears(ears, "smartcam/ridge1/mode", "home")
        publish(broker, "smartcam/ridge1/armed/set", "OFF")
        assert hears(ears, "smartcam/ridge1/armed", "OFF")
        publish(broker, "smartcam/ridge1/mode/set", "holiday")
        assert hears(ears, "smartcam/ridge1/mode", "holiday")
        world.ask("arm")
        assert hears(ears, "smartcam/ridge1/armed", "ON")


def test_nonsense_changes_nothing_and_is_logged_once(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    with at_work(config_for(broker), connected=True) as world, caplog.at_level(logging.WARNING, "smartcam.pipeline"):
        assert connected(world)
        for payload in ("maybe", "maybe", "ON" + " " * 1000, "\x00"):
            world.switches.on_set("smartcam/ridge1/armed/set", payload.encode())
        world.switches.on_set("smartcam/ridge1/mode/set", b"\xff\xfe")
        assert world.ask("mode") == {"armed": True, "mode": "home"}
    told = [record.message for record in caplog.records if record.name == "smartcam.pipeline.switches"]
    assert len(told) == 4
    assert told[0] == 'smartcam/ridge1/armed/set: "maybe" is ignored; it knows ON, OFF'


def test_a_command_that_the_broker_kept_is_an_old_one(broker: Mosquitto) -> None:
    publish(broker, "smartcam/late/armed/set", "OFF", "-r")
    with at_work(config_for(broker, text=CONFIG.replace("ridge1", "late")), connected=True) as world:
        assert connected(world)
        time.sleep(0.3)
        assert world.ask("mode")["armed"]


def test_where_control_is_off_nobody_listens(broker: Mosquitto) -> None:
    """Also not to what the broker still sends because one listened before."""
    with at_work(config_for(broker), connected=True) as world:
        assert connected(world)
        time.sleep(0.2)
    with at_work(config_for(broker, 'control = "off"'), connected=True) as world:
        assert connected(world)
        publish(broker, "smartcam/ridge1/armed/set", "OFF")
        time.sleep(0.3)
        assert world.ask("mode")["armed"]


def test_a_mode_is_told_only_where_there_are_any(broker: Mosquitto) -> None:
    plain = config_for(broker, text=CONFIG.replace("[mode.home]\n[mode.holiday]\n", "").replace("ridge1", "plain"))
    with subscribe(broker.mqtt(), ["smartcam/plain/#"]) as ears, at_work(plain, connected=True):
        assert hears(ears, "smartcam/plain/armed", "ON")
        assert not any(received.topic.endswith("/mode") for received in ears.within(0.3))


def test_another_connection_goes_on_with_what_is_owed(broker: Mosquitto) -> None:
    """The node's name changed: the old one takes leave, the new one comes."""
    first, second = config_for(broker), config_for(broker, text=CONFIG.replace("ridge1", "ridge2"))
    with subscribe(broker.mqtt(), ["smartcam/#"]) as ears, at_work(first, connected=True) as world:
        assert hears(ears, "smartcam/ridge1/status", "online")
        assert not world.uplink.renew(first)
        assert world.uplink.renew(second)
        assert hears(ears, "smartcam/ridge1/status", "offline")
        assert hears(ears, "smartcam/ridge2/status", "online")
        assert not world.uplink.renew(second)


def test_what_no_connection_depends_on_changes_while_it_lasts(broker: Mosquitto) -> None:
    with at_work(config_for(broker), connected=True) as world:
        assert not world.uplink.renew(config_for(broker, "outbox = 1\ndetections = 5\nhealth_pause = 3"))
        assert world.uplink.renew(config_for(broker, "keepalive = 30"))
