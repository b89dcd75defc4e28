"""What is said of events and their evidence, as models, and the way from the nouns to messages. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from smartcam import data
from smartcam.data import Exhibit, Kind, Level, Message, Phase, Scene, Weight
from smartcam.mqtt.form import XYWH, Payload, Share, Time, rfc3339, xywh
from smartcam.mqtt.topics import Topics

MAX_BYTES = 16 * 1024
"""Of one text payload: Home Assistant's recorder drops longer ones."""
MAX_ROWS = 50
"""Tracks or detections in one payload. `count` says how many there were."""
BOXES_S = 10
"""How long boxes are worth sending to a subscriber that reads slowly."""


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
    """Of a sample, its own id."""
    kind: Literal["snapshot", "clip", "sample"]
    topic: str
    """Part 2 of 3 was put on ``TOPIC/2-of-3``."""
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Both of the whole."""
    parts: Annotated[int, Field(ge=1)] = 1
    part_bytes: int | None = None
    """Of every part but the last, where there are several."""
    start: Time | None = None
    """When a clip's footage begins …"""
    end: Time | None = None
    """… and ends."""
    codec: str | None = None
    """A clip's, as FFmpeg calls it."""
    reasons: tuple[str, ...] | None = None
    """Why a sample was not told as an event."""


class ReplyPayload(Payload):
    """N/reply/VERB: what became of a command."""

    v: Literal[1] = 1
    id: str
    """The command's; empty where it had none."""
    status: Literal["done", "refused", "failed"]
    """refused: asked wrongly, or for what is not there; failed: not possible now."""
    data: dict[str, JsonValue] | None = None
    error: str | None = None


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
    return Message(topics.camera(event.camera).event, payload, kind, weight=weight, event=event.id, rule=event.rule)


def snapshot_messages(topics: Topics, event: data.Event, jpeg: bytes) -> list[Message]:
    """An event's picture, with the word that follows once the broker has it, and the same as the camera's latest.

    The latest is a state, and has no word: the outbox keeps the last one that waits, and it may be missed.
    """
    camera = topics.camera(event.camera)
    topic = camera.snapshot(event.id)
    told = MediaPayload(
        event=event.id, kind="snapshot", topic=topic, bytes=len(jpeg), sha256=hashlib.sha256(jpeg).hexdigest()
    )
    word = Message(camera.media, told.encode(), "snapshot", event=event.id, rule=event.rule)
    return [
        Message(topic, jpeg, "snapshot", then=word, event=event.id, rule=event.rule),
        Message(camera.latest, jpeg, "snapshot", qos=0, retain=True, event=event.id, rule=event.rule),
    ]


def exhibit_message(topics: Topics, exhibit: Exhibit, *, jpeg: bytes = b"", codec: str | None = None) -> Message:
    """What is kept of an event, or a sample, from its file, or a picture that is none yet; and the word that follows.

    Whoever sends it puts the number of parts and their size into that word, if it takes several.
    """
    camera = topics.camera(exhibit.camera)
    is_clip = exhibit.kind == "clip"
    topic = camera.clip(exhibit.event) if is_clip else camera.snapshot(exhibit.event)
    kind: Kind = "clip" if is_clip else "snapshot"
    told = MediaPayload(
        event=exhibit.event,
        kind=exhibit.kind,
        topic=topic,
        bytes=exhibit.bytes,
        sha256=exhibit.sha256,
        start=rfc3339(exhibit.start) if is_clip else None,
        end=rfc3339(exhibit.end) if is_clip else None,
        codec=codec,
        reasons=exhibit.reasons if exhibit.kind == "sample" else None,
    )
    word = Message(camera.media, told.encode(), kind, event=exhibit.event, rule=exhibit.rule)
    whole = Message(topic, jpeg, kind, then=word, event=exhibit.event, rule=exhibit.rule)
    return whole if jpeg else replace(whole, file=exhibit.file, file_bytes=exhibit.bytes)


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
