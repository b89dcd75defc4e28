"""What is said on the topics, as models, and the way from the nouns to messages. Pure.

Times are RFC 3339 in UTC with milliseconds, boxes are ``[x, y, w, h]`` in 0..1 of the whole frame, and
what is absent is unknown. Within ``v`` = 1 keys are only added: a reader ignores those it does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from smartcam import data
from smartcam.data import Kind, Level, Message, Phase, Scene, Weight
from smartcam.mqtt.topics import Topics

MAX_BYTES = 16 * 1024
"""Of one text payload: Home Assistant's recorder drops longer ones."""
MAX_ROWS = 50
"""Tracks or detections in one payload. `count` says how many there were."""
BOXES_S = 10
"""How long boxes are worth sending to a subscriber that reads slowly."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
XYWH: TypeAlias = tuple[Share, Share, Share, Share]


def rfc3339(unix_s: float) -> str:
    """``1795543331.25`` → ``2026-11-24T18:02:11.250Z``, rounded to the millisecond."""
    at = _EPOCH + timedelta(milliseconds=round(unix_s * 1000))
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def xywh(box: data.Box) -> XYWH:
    """x1, y1, x2, y2 → x, y, width, height, cut at the frame's edges and rounded to 4 digits."""
    x1, y1, x2, y2 = (min(max(float(side), 0.0), 1.0) for side in box)
    return round(x1, 4), round(y1, 4), round(max(x2 - x1, 0.0), 4), round(max(y2 - y1, 0.0), 4)


class Payload(BaseModel):
    """One JSON object. Its keys keep the order of the fields, so the same facts give the same bytes."""

    model_config = ConfigDict(strict=True, frozen=True)

    def encode(self) -> bytes:
        """Compact UTF-8 JSON, without what is unknown."""
        return self.model_dump_json(exclude_none=True).encode()


class TrackRow(Payload):
    """One object, as of this message."""

    id: int
    label: str
    score: Share
    box: XYWH
    sublabel: str | None = None
    """What a second model says it is."""
    sublabel_score: Share | None = None


class DetectionRow(Payload):
    """What a model saw, before tracking."""

    label: str
    score: Share
    box: XYWH


class EventPayload(Payload):
    """C/event: one firing of one rule, at its start, at a change, or at its end."""

    v: Literal[1] = 1
    id: str
    """The event's, the same from start to end. With `seq` it names a message: receivers drop what they know."""
    seq: int
    """Counts the event's messages from 1."""
    n: int
    """Counts the node's messages, in the order of its decisions. Alerts overtake other events on their way, so a number
    may come late; one that never comes is of a message that was missed."""
    phase: Phase
    event_type: str
    """The rule."""
    level: Level
    node: str
    camera: str
    start: Time
    end: Time | None = None
    clock_ok: bool
    """Whether the node's clock was known to be right."""
    label: str | None = None
    """Absent where a rule fired by the clock, and nothing was looked for."""
    score: Share
    count: int
    zones: tuple[str, ...]
    dwell_s: float
    tracks: tuple[TrackRow, ...]
    media: tuple[str, ...]
    """What the rule asked for, and C/media will announce."""
    model: str | None = None
    reasons: tuple[str, ...] = ()
    """Why it fired, one clause each, for people."""
    sublabel: str | None = None
    """What a second model says it is, the species of a bird, say; absent while it is not sure."""
    sublabel_score: Share | None = None
    message: str | None = None
    """The rule's own words, filled in."""
    test: Literal[True] | None = None
    """Sent to try the way out: nothing was seen. Absent unless true."""


class MediaPayload(Payload):
    """C/media: something was put on a media topic."""

    v: Literal[1] = 1
    event: str
    kind: Literal["snapshot", "clip"]
    topic: str
    bytes: int
    sha256: str
    parts: int = 1


class DetectionsPayload(Payload):
    """C/detections: one frame, for tuning. Both lists are cut at 50 rows.

    Where no model looked at the frame, `detections` is empty and `tracks` are carried on from earlier ones.
    """

    v: Literal[1] = 1
    node: str
    camera: str
    at: Time
    looked: bool
    """Whether a model looked at this frame: if not, no detections does not mean that nothing was there."""
    detections: tuple[DetectionRow, ...]
    tracks: tuple[TrackRow, ...]


class ModelInfo(Payload):
    """A model that this node runs."""

    name: str
    sha256: str | None = None
    runtime: str | None = None
    accelerator: str | None = None


class InfoPayload(Payload):
    """N/info: what this node is."""

    v: Literal[1] = 1
    node: str
    version: str
    models: tuple[ModelInfo, ...]
    cameras: tuple[str, ...]
    labels: tuple[str, ...]
    """Those that rules use."""


class CameraHealth(Payload):
    """How a camera is."""

    online: bool
    reason: str | None = None
    fps: float | None = None
    frames: int | None = None
    """Since the start."""
    dropped: int | None = None
    """Frames that were not looked at, since the start."""


class ModelHealth(Payload):
    """How a model is."""

    state: str
    reason: str | None = None
    device: str | None = None
    invoke_ms: float | None = None
    temperature_c: float | None = None
    """Of the accelerator."""
    restarts: int | None = None
    looks: int | None = None
    """Inferences since the start."""
    pid: int | None = None
    """Of the process that owns the accelerator."""


class OutboxHealth(Payload):
    """What MQTT still owes, and what it could not keep."""

    depth: int
    bytes: int
    dropped: dict[Kind, int]
    """By kind: there was no room."""
    failed: dict[Kind, int]
    """By kind: the broker does not take it."""


class LinkHealth(Payload):
    """How the connection to the broker is."""

    connected: bool
    protocol: str | None = None
    reason: str | None = None
    reconnects: int = 0
    published: int = 0
    denied: int = 0


class HealthPayload(Payload):
    """N/health: figures, and what is not as it should be."""

    v: Literal[1] = 1
    node: str
    version: str
    uptime_s: float
    clock_ok: bool
    degraded: tuple[str, ...]
    """A sentence for each thing that works on its slower path, or not at all; empty when all is well."""
    cameras: dict[str, CameraHealth]
    models: dict[str, ModelHealth]
    mqtt: LinkHealth | None = None
    outbox: OutboxHealth | None = None
    temperature_c: float | None = None
    memory_mib: float | None = None
    disk_free_mib: float | None = None
    near_misses: dict[str, int] = {}
    """By rule, since the start: how often something that it looks for came, and not all that it asks for held. At most
    50 rules, those with the most."""


class ConfigProblem(Payload):
    """Where a configuration cannot be used, and why."""

    file: str
    line: int | None = None
    key: str | None = None
    message: str


class ConfigPayload(Payload):
    """N/config: which configuration is in force, and what is wrong with a newer one."""

    ok: bool
    hash: str | None = None
    loaded_at: Time | None = None
    errors: tuple[ConfigProblem, ...] = ()


def event_message(topics: Topics, event: data.Event, *, n: int, clock_ok: bool, model: str | None = None) -> Message:
    """One phase of an event, for C/event. Tracks are left out, the last first, until it is under 16 KiB."""
    tracks = _track_rows(event.tracks)
    while True:
        payload = EventPayload(
            id=event.id,
            seq=event.seq,
            n=n,
            phase=event.phase,
            event_type=event.rule,
            level=event.level,
            node=topics.node,
            camera=event.camera,
            start=rfc3339(event.start),
            end=None if event.end is None else rfc3339(event.end),
            clock_ok=clock_ok,
            label=event.label[:100] or None,
            score=_score(event.score),
            count=event.count,
            zones=event.zones,
            dwell_s=round(float(event.dwell_s), 2),
            tracks=tracks,
            media=event.evidence,
            model=model,
            reasons=tuple(reason[:200] for reason in event.reasons[:10]),
            sublabel=event.sublabel[:100] or None,
            sublabel_score=_score(event.sublabel_score) if event.sublabel else None,
            message=event.message[:500] or None,
            test=event.test or None,
        ).encode()
        if len(payload) < MAX_BYTES or not tracks:
            break
        tracks = tracks[: len(tracks) // 2]
    kind: Kind = "alert" if event.level == "alert" else "event"
    weight: Weight = "passing" if event.phase == "update" else "light" if event.level == "info" else "full"
    return Message(topics.camera(event.camera).event, payload, kind, weight=weight, event=event.id)


def snapshot_messages(topics: Topics, event: data.Event, jpeg: bytes) -> list[Message]:
    """An event's picture, with the word that follows once the broker has it, and the same as the camera's latest.

    The latest is a state, and has no word: the outbox keeps the last one that waits, and it may be missed.
    """
    camera = topics.camera(event.camera)
    topic = camera.snapshot(event.id)
    told = MediaPayload(
        event=event.id, kind="snapshot", topic=topic, bytes=len(jpeg), sha256=hashlib.sha256(jpeg).hexdigest()
    )
    word = Message(camera.media, told.encode(), "snapshot")
    return [
        Message(topic, jpeg, "snapshot", then=word, event=event.id),
        Message(camera.latest, jpeg, "snapshot", qos=0, retain=True, event=event.id),
    ]


def detections_message(topics: Topics, scene: Scene) -> Message:
    """One frame's boxes, for C/detections: best effort, never kept."""
    rows = sorted(scene.detections, key=lambda row: -row[1])[:MAX_ROWS]
    payload = DetectionsPayload(
        node=topics.node,
        camera=scene.camera,
        at=rfc3339(scene.wall),
        looked=scene.looked,
        detections=tuple(
            DetectionRow(label=label[:100], score=_score(score), box=xywh(box)) for label, score, box in rows
        ),
        tracks=_track_rows(scene.confirmed),
    )
    return Message(topics.camera(scene.camera).detections, payload.encode(), "event", qos=0, expiry_s=BOXES_S)


def _track_rows(tracks: Sequence[data.Track]) -> tuple[TrackRow, ...]:
    return tuple(
        TrackRow(
            id=track.id,
            label=track.label[:100],
            score=_score(track.score),
            box=xywh(track.box),
            sublabel=track.sublabel[:100] or None,
            sublabel_score=_score(track.sublabel_score) if track.sublabel else None,
        )
        for track in tracks[:MAX_ROWS]
    )


def _score(score: float) -> float:
    return round(min(max(float(score), 0.0), 1.0), 2)
