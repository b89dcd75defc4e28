"""Scenes → events → messages: rules decide, evidence is gathered, the reporter writes it down."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from smartcam.data import Event, Message, Scene
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.payloads import event_message, snapshot_messages
from smartcam.mqtt.topics import Topics
from smartcam.rules.engine import Engine
from smartcam.workers import Alive, Channel


class Reporter:
    """Turns events and their pictures into messages, and numbers the node's events."""

    def __init__(
        self,
        topics: Topics,
        model_of: Callable[[str], str],
        send: Callable[[Message], object],
        *,
        clock_ok: Callable[[], bool],
    ) -> None:
        self._topics = topics
        self._model_of = model_of
        self._send = send
        self._clock_ok = clock_ok
        self._count = itertools.count(1)

    def event(self, event: Event) -> None:
        """One firing's start, update or end."""
        self._send(
            event_message(
                self._topics,
                event,
                n=next(self._count),
                clock_ok=self._clock_ok(),
                model=self._model_of(event.camera),
            )
        )

    def snapshot(self, event: Event, jpeg: bytes, _number: int) -> None:
        """A picture of an event, and the word that it is there. A later one takes the place of the first."""
        for message in snapshot_messages(self._topics, event, jpeg):
            self._send(message)


class Judge:
    """Lets the rules look at each scene, once."""

    def __init__(self, engine: Engine, snapshots: Snapshots, report: Callable[[Event], None]) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._report = report
        self._last: Scene | None = None

    def run(self, scenes: Channel[Scene], alive: Alive) -> None:
        """The worker's loop: judges what comes, and drains it at the end."""
        while alive() or scenes:
            if scene := scenes.take(timeout_s=0.5):
                self.judge(scene)

    def judge(self, scene: Scene) -> None:
        """One scene: its frame may become evidence before the rules have their say."""
        self._last = scene
        self._snapshots.on_scene(scene)
        self._tell(self._engine.feed(scene))

    def finish(self) -> None:
        """End every event that is still open, at the time of the last scene."""
        if self._last:
            self._tell(self._engine.finish(self._last.at, self._last.wall))

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._report(event)
            self._snapshots.on_event(event)
