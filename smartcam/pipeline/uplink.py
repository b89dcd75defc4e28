"""The way to the broker: two connections, made anew where the configuration asks for others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from smartcam.clocks import reader
from smartcam.config import Config, Mqtt
from smartcam.data import Message, Scene
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.link import Link, LinkStatus
from smartcam.mqtt.payloads import detections_message
from smartcam.mqtt.topics import Topics, setter
from smartcam.owed import Outbox
from smartcam.pipeline.parts import Parts
from smartcam.workers import Worker


class Uplink:
    """Two connections, so that a picture never delays an alert; what they owe survives their change.

    `on_set(topic, payload)` gets what comes on the `/set` topics and as a command, in the connection's thread.
    """

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        on_set: Callable[[str, bytes], None],
        *,
        clock_ok: Callable[[], bool] = lambda: True,
    ) -> None:
        self.topics = Topics(config.node.name)
        self.allowance = Allowance(outbox, read_clocks=reader(clock_ok))
        """What may be sent, and how large: the same whatever becomes of the connections."""
        self._outbox = outbox
        self._on_set = on_set
        self._links: Parts[tuple[str, Mqtt], Link] = Parts()
        self._detections_hz = 0.0
        self._boxes_told_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.allowance.close()

    @property
    def workers(self) -> list[Worker]:
        return self._links.workers

    @property
    def status(self) -> LinkStatus:
        """Of the first connection, with the bytes of both."""
        links = self._links.things
        if "mqtt" not in links:
            return LinkStatus()
        first, *others = (links[name].status for name in sorted(links))
        return replace(
            first,
            sent_bytes=first.sent_bytes + sum(other.sent_bytes for other in others),
            received_bytes=first.received_bytes + sum(other.received_bytes for other in others),
            trouble=next((status.trouble for status in (first, *others) if status.trouble), ""),
        )

    @property
    def clips_wait(self) -> bool:
        """Whether clips are kept here until somebody asks for them, and no picture is sent twice."""
        return self.allowance.uplink.metered

    def renew(self, config: Config) -> bool:
        """Connect as this configuration says; false where that is how it is connected already.

        After true, whoever has a state tells it again: the new connection knows none.
        """
        self._detections_hz = 0.0 if config.uplink.metered else config.mqtt.detections
        begins_metered = config.uplink.metered and not self.clips_wait and "mqtt" in self._links
        self.allowance.renew(config.uplink, config.mqtt.keepalive)
        if begins_metered:  # No newer picture comes, and nobody should take an old one for it.
            for camera in config.camera:
                self.forget_camera(camera)
        self._outbox.max_bytes = config.mqtt.outbox * 2**20
        wanted = dict.fromkeys(("mqtt", "mqtt media"), (config.node.name, _of_connection(config.mqtt)))
        if not self._links.unlike(wanted) and "mqtt" in self._links:
            return False
        # One after the other: a client id is one connection's, and what is in flight must be released first.
        self._end()
        self.topics = Topics(config.node.name)
        for kind, link in self._made(config).items():
            self._links.start(kind, wanted[kind], link, [Worker(kind, link.run)], ExitStack())
        return True

    def publish_state(self, topic: str, payload: str | bytes, *, qos: int = 1) -> None:
        """Keep a retained topic at this value."""
        if link := self._links.get("mqtt"):
            link.publish_state(topic, payload, qos=qos)

    def show(self, scene: Scene) -> None:
        """Tell a scene's boxes, at the rate that is asked for."""
        rate_hz = self._detections_hz
        link = self._links.get("mqtt")
        if link and rate_hz and scene.at - self._boxes_told_at.get(scene.camera, 0.0) >= 1 / rate_hz:
            self._boxes_told_at[scene.camera] = scene.at
            link.publish_now(detections_message(self.topics, scene))

    def forget_camera(self, name: str) -> None:
        """Its last picture does not stay at the broker; that it is offline does."""
        self._outbox.put(Message(self.topics.camera(name).latest, b"", "snapshot", retain=True))

    def _made(self, config: Config) -> dict[str, Link]:
        name = f"smartcam-{config.node.name}"
        sets = [setter(self.topics.armed), setter(self.topics.mode)] if config.mqtt.control != "off" else []
        if config.mqtt.control == "all":
            sets.append(self.topics.command("+"))
        return {
            "mqtt": Link(
                config.mqtt,
                name,
                outbox=self._outbox,
                kinds=("alert", "event"),
                status_topic=self.topics.status,
                subscriptions=sets,
                # The broker may remember what we listened to before.
                on_message=self._on_set if sets else None,
                allowance=self.allowance,
            ),
            "mqtt media": Link(
                config.mqtt,
                f"{name}-media",
                outbox=self._outbox,
                kinds=("snapshot", "clip"),
                allowance=self.allowance,
            ),
        }

    def _end(self) -> None:
        """The last pictures first, so that `offline` is the last word."""
        for kind in ("mqtt media", "mqtt"):
            if kind in self._links:
                self._links.end([kind])


def _of_connection(mqtt: Mqtt) -> Mqtt:
    """What a connection depends on: the rest may change while it lasts."""
    rest = {key: Mqtt.model_fields[key].default for key in ("detections", "health_pause", "outbox")}
    return mqtt.model_copy(update=rest)
