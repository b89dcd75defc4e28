"""What may be asked over MQTT: N/cmd/VERB, answered on N/reply/VERB, where `[mqtt] control = "all"`.

A command is a JSON object with an id of its choice: ``{"id": "7", "event": "01J…"}``. Whoever may publish there is a
stranger all the same: verbs are few, no argument is a path or a URL, and whoever asks too often is not heard.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from smartcam import __version__
from smartcam.config import Config
from smartcam.config.values import shown
from smartcam.data import Exhibit, Message
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.payloads import ReplyPayload, exhibit_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import Outbox
from smartcam.service.control import Answer
from smartcam.workers import Alive, Channel

log = logging.getLogger(__name__)

MAX_BYTES = 4096
MOST = 10
"""Commands …"""
WITHIN_S = 60.0
"""… in so long."""
REMEMBERED = 200
"""Ids that were used."""
REPLY_S = 3600
"""How long an answer is worth something."""
ASKED = "cmd/snapshot"
"""By which "rule" a picture leaves that was asked for: no rule may be called so."""
_ID = re.compile(r"[!-~]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERB = re.compile(r"[a-z]{1,16}")

Data: TypeAlias = dict[str, Any]


class _Command(NamedTuple):
    verb: str
    payload: bytes


class Commands:
    """`take` is called by the connection's thread and never waits; `run`, the loop of a worker, does what is asked.

    `local` are the verbs of the control socket; of them `reload` and `picture` can be asked for from afar too.
    `new_id` gives the id of what belongs to no event.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        outbox: Outbox,
        local: Mapping[str, Answer],
        new_id: Callable[[float], str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._local = local
        self._new_id = new_id
        self._clock = clock
        self._came_at: deque[float] = deque(maxlen=MOST)
        self._is_flooded = False
        self._used: deque[str] = deque(maxlen=REMEMBERED)
        self._waiting: Channel[_Command] = Channel(MOST)
        self._verbs: dict[str, Callable[[Data], Data]] = {
            "clip": self._clip,
            "snapshot": self._snapshot,
            "ping": lambda _: {"version": __version__},
            "reload": lambda _: self._local["reload"]({}),
        }

    def take(self, topic: str, payload: bytes) -> bool:
        """Whether it was a command. More than 10 a minute are ignored, and that is logged."""
        begin = self._topics.command("")
        if not topic.startswith(begin):
            return False
        # The broker may remember what was subscribed to before.
        if self._config().mqtt.control == "all" and self._may_come():
            self._waiting.put(_Command(topic.removeprefix(begin), payload[: MAX_BYTES + 1]), alive=lambda: False)
        return True

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        while alive():
            if command := self._waiting.take(timeout_s=0.5):
                self.do(command.verb, command.payload)

    def do(self, verb: str, payload: bytes) -> None:
        """Do what is asked, and answer. What was done under the same id is not done again, nor answered."""
        asked: Data = {}
        try:
            asked = _read(payload)
            if asked["id"] in self._used:
                return
            self._used.append(asked["id"])
            if verb not in self._verbs:
                raise SmartcamError(f"there is no command {shown(verb[:40])}; there are {', '.join(self._verbs)}")
            self._reply(verb, asked["id"], "done", data=self._verbs[verb](asked))
        except Unavailable as error:
            self._reply(verb, asked.get("id", ""), "failed", error=str(error))
        except SmartcamError as error:
            self._reply(verb, asked.get("id", ""), "refused", error=str(error))

    @property
    def _topics(self) -> Topics:
        return Topics(self._config().node.name)

    def _may_come(self) -> bool:
        now = self._clock()
        if len(self._came_at) < MOST or now - self._came_at[0] >= WITHIN_S:
            self._came_at.append(now)
            self._is_flooded = False
            return True
        if not self._is_flooded:
            log.warning("mqtt: more than %d commands a minute: further ones are ignored", MOST)
        self._is_flooded = True
        return False

    def _reply(
        self,
        verb: str,
        command_id: str,
        status: Literal["done", "refused", "failed"],
        *,
        data: Data | None = None,
        error: str | None = None,
    ) -> None:
        if not _VERB.fullmatch(verb):
            return  # It could be any topic.
        payload = ReplyPayload(id=command_id, status=status, data=data, error=error)
        topic = self._topics.reply(verb)
        self._outbox.put(Message(topic, payload.encode(), "alert", weight="light", expiry_s=REPLY_S))

    def _clip(self, asked: Data) -> Data:
        return self._again("clip", _text(asked, "event"))

    def _snapshot(self, asked: Data) -> Data:
        if "event" in asked:
            return self._again("snapshot", _text(asked, "event"))
        return self._fresh(_text(asked, "camera"))

    def _again(self, kind: Literal["clip", "snapshot"], event: str) -> Data:
        """The last of an event's: of a clip, the smaller one where there are two."""
        kept = self._outbox.exhibits(event)
        wanted = [exhibit for exhibit in kept if exhibit.kind == kind]
        if not wanted:
            others = " and ".join(sorted({f"a {exhibit.kind}" for exhibit in kept}))
            instead = f", only {others}" if others else ": it is unknown, or what was kept of it had to go"
            raise SmartcamError(f"there is no {kind} of event {shown(event)}{instead}")
        return self._send(exhibit_message(self._topics, wanted[-1]), wanted[-1])

    def _fresh(self, camera: str) -> Data:
        """What the camera shows now. Nobody would be blurred in it, so it is not for cameras where somebody should."""
        config = self._config()
        for name, rule in config.rule.items():
            if rule.blur and camera in config.cameras_of(rule):
                raise SmartcamError(f"rule {name} blurs {', '.join(rule.blur)}, and this would show them")
        jpeg = base64.b64decode(self._local["picture"]({"camera": camera})["jpeg"])
        now = time.time()
        exhibit = Exhibit(
            event=self._new_id(now),
            kind="snapshot",
            camera=camera,
            rule=ASKED,
            level="info",
            score=0.0,
            start=now,
            end=now,
            bytes=len(jpeg),
            sha256=hashlib.sha256(jpeg).hexdigest(),
        )
        return self._send(exhibit_message(self._topics, exhibit, jpeg=jpeg), exhibit)

    def _send(self, message: Message, exhibit: Exhibit) -> Data:
        if not self._outbox.put(message):
            raise Unavailable("the outbox has no room for it: what waits there is worth more")
        return {"event": exhibit.event, "topic": message.topic, "bytes": exhibit.bytes, "sha256": exhibit.sha256}


def _read(payload: bytes) -> Data:
    """Raises SmartcamError: it is no command."""
    if len(payload) > MAX_BYTES:
        raise SmartcamError(f"a command has at most {MAX_BYTES} bytes")
    try:
        asked = json.loads(payload)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise SmartcamError('a command is a JSON object, like {"id": "1"}')
    if not isinstance(asked.get("id"), str) or not _ID.fullmatch(asked["id"]):
        raise SmartcamError('a command needs an "id" of its own, a text: {"id": "1"}; 1 to 64 of ASCII, without spaces')
    return asked


def _text(asked: Data, key: str) -> str:
    value = asked.get(key)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise SmartcamError(f'it needs "{key}", as a text without spaces')
    return value
