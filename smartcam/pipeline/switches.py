"""What people may ask of the running daemon: the verbs of the control socket, and the `/set` topics."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from smartcam.config import Config
from smartcam.config.values import closest, shown
from smartcam.data import Frame
from smartcam.errors import SmartcamError
from smartcam.evidence.snapshot import jpeg
from smartcam.mqtt.topics import setter
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.uplink import Uplink
from smartcam.service.control import Answer

log = logging.getLogger(__name__)

MAX_BYTES = 64
"""Of a switch's payload."""
FRESH_S = 10.0
"""A picture that is older, beyond its camera's own pause between two, shows nobody what is there now."""
MOST_TOLD = 20
"""Wrong payloads that are logged: whoever sends them may send many."""


class Switches:
    """Arm, disarm, choose a mode; look at the rules; send a test event; take a picture.

    Whatever touches the rules is done by the judge's thread, between two scenes; there `latest` gives what a camera
    showed last.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        judge: Judge,
        latest: Callable[[str], Frame | None],
        uplink: Uplink,
    ) -> None:
        self._config = config
        self._judge = judge
        self._latest = latest
        self._uplink = uplink
        self._said_mode = False
        self._told: set[tuple[str, bytes]] = set()

    def verbs(self) -> dict[str, Answer]:
        """For the control socket."""
        return {
            "rules": self._rules,
            "arm": lambda _: self._do(lambda: self._judge.engine.alarm.arm(True)),
            "disarm": lambda _: self._do(lambda: self._judge.engine.alarm.arm(False)),
            "mode": self._mode,
            "fire": self._fire,
            "picture": self._picture,
        }

    def say(self, armed: bool, mode: str) -> None:
        """The state of the switches, for everybody. A mode is told only where there are any."""
        topics = self._uplink.topics
        self._uplink.publish_state(topics.armed, "ON" if armed else "OFF")
        if mode or self._said_mode:
            self._uplink.publish_state(topics.mode, mode)
            self._said_mode = True

    def on_set(self, topic: str, payload: bytes) -> None:
        """What came on a `/set` topic. Nonsense changes nothing."""
        topics = self._uplink.topics
        word = payload.decode(errors="replace").strip() if len(payload) <= MAX_BYTES else ""
        try:
            if topic == setter(topics.armed) and word.upper() in ("ON", "OFF"):
                self._do(lambda: self._judge.engine.alarm.arm(word.upper() == "ON"))
            elif topic == setter(topics.mode) and word.lower() in self._config().mode:
                self._do(lambda: self._judge.engine.alarm.set_mode(word.lower()))
            else:
                self._refuse(topic, payload)
        except SmartcamError as error:
            log.error("%s: %s", topic, error)

    def _refuse(self, topic: str, payload: bytes) -> None:
        asked = topic, payload[:MAX_BYTES]
        if asked not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(asked)
            known = "ON, OFF" if topic == setter(self._uplink.topics.armed) else _listed(self._config().mode)
            log.warning("%s: %s is ignored; it knows %s", topic, shown(asked[1].decode(errors="replace")), known)

    def _do(self, change: Callable[[], None]) -> dict[str, Any]:
        def turn() -> dict[str, Any]:
            change()
            alarm = self._judge.engine.alarm
            return {"armed": alarm.armed, "mode": alarm.mode}

        return self._judge.do(turn)

    def _mode(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = _text(asked, "name", needed=False)
        if name is None:
            return self._do(lambda: None)
        if name not in self._config().mode:
            known = self._config().mode
            raise SmartcamError(f"no mode {shown(name)}{closest(name, known)}; there are {_listed(known)}")
        return self._do(lambda: self._judge.engine.alarm.set_mode(name))

    def _rules(self, _: dict[str, Any]) -> dict[str, Any]:
        def turn() -> dict[str, Any]:
            engine = self._judge.engine
            return {
                "rules": engine.standings(),
                "still": engine.still(),
                "armed": engine.alarm.armed,
                "mode": engine.alarm.mode,
            }

        found = self._judge.do(turn)
        return found | {
            "rules": [asdict(standing) for standing in found["rules"]],
            "still": {camera: [asdict(thing) for thing in things] for camera, things in found["still"].items()},
        }

    def _fire(self, asked: dict[str, Any]) -> dict[str, Any]:
        rule, camera = _text(asked, "rule"), _text(asked, "camera", needed=False)

        def turn() -> dict[str, Any]:
            events = self._judge.engine.fire(str(rule), camera, *self._judge.now)
            self._judge.tell(events)
            return {"events": list(dict.fromkeys(event.id for event in events)), "camera": events[0].camera}

        return self._judge.do(turn)

    def _picture(self, asked: dict[str, Any]) -> dict[str, Any]:
        camera = str(_text(asked, "camera"))
        if camera not in (known := self._config().camera):
            raise SmartcamError(f"no camera {shown(camera)}{closest(camera, known)}; there are {_listed(known)}")
        frame = self._judge.do(lambda: self._latest(camera))
        if frame is None:
            raise SmartcamError(f"camera {camera} has given no picture yet: see `smartcam status`")
        section = known[camera]
        age_s = time.monotonic() - frame.at
        if age_s > FRESH_S + (1 / section.fps if section.fps else 0.0):
            raise SmartcamError(f"camera {camera} has given no picture for {age_s:.0f} s: see `smartcam status`")
        return {"jpeg": base64.b64encode(jpeg(frame.picture, mask=section.mask)).decode()}


def _text(asked: dict[str, Any], key: str, *, needed: bool = True) -> str | None:
    value = asked.get(key)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not value:
        raise SmartcamError(f'it needs "{key}", a name')
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
