"""The nouns: what one stage hands to the next.

Columns until a thing has an identity (`Detections`), objects afterwards (`Track`). Boxes are
``x1, y1, x2, y2`` in 0..1 of the whole, upright frame, so that a zone survives a change of resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Luma: TypeAlias = NDArray[np.uint8]
"""(h, w) brightness."""
Rgb: TypeAlias = NDArray[np.uint8]
"""(h, w, 3) red, green, blue."""
Boxes: TypeAlias = NDArray[np.float32]
"""(n, 4) x1, y1, x2, y2."""
Box: TypeAlias = tuple[float, float, float, float]
Point: TypeAlias = tuple[float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

MOST_MOTION_BOXES = 64
"""An accelerator that is away for a day must not make a waiting frame's motion grow for a day."""


class Picture(Protocol):
    """One image, upright, of which only what is asked for is converted."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, after rotation."""

    @property
    def luma(self) -> Luma:
        """(h, w) brightness: a view of the decoder's own plane where it has one. Never write to it."""

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
        """The crop `box` in colour, scaled to `size` (width, height), or at its own resolution."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture that a camera took."""

    camera: str
    seq: int
    at: float
    """Monotonic seconds: what the tracker, the rules and every deadline use."""
    wall: float
    """Unix seconds: what people and payloads use."""
    picture: Picture


@dataclass(frozen=True, slots=True)
class Coding:
    """How a stream's packets are coded: what a decoder, or a file that they are put into, must know."""

    codec: str
    """As FFmpeg calls it: h264, hevc, mjpeg …"""
    size: tuple[int, int]
    """Width and height as coded, before `rotate`."""
    extradata: bytes = b""
    pixel_format: str | None = None
    rotate: int = 0
    """Degrees clockwise that make the picture upright."""


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One compressed picture, or a piece of sound, of a camera's stream."""

    seq: int
    """Counts a camera's packets, over all its sessions."""
    at: float
    """Monotonic seconds, on the clock of `Frame.at`: when its picture is shown."""
    decode_at: float
    """When it is decoded; not after `at`, and in the order of the packets."""
    is_key: bool
    """Whether decoding may begin with it."""
    data: bytes
    coding: Coding
    """The same object for all packets of one session: what comes under another needs a decoder of its own."""
    audio: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where a frame differs from what its camera usually shows."""

    boxes: Boxes
    """(n, 4), n = 0 when nothing moved."""

    @classmethod
    def none(cls) -> Motion:
        return cls(np.empty((0, 4), np.float32))

    @classmethod
    def everywhere(cls) -> Motion:
        return cls(np.array([WHOLE], np.float32))

    def __bool__(self) -> bool:
        return len(self.boxes) > 0

    def __or__(self, other: Motion) -> Motion:
        """Both; as one box around everything where there would be more than `MOST_MOTION_BOXES`."""
        boxes = np.concatenate([self.boxes, other.boxes])
        if len(boxes) > MOST_MOTION_BOXES:
            boxes = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
        return Motion(boxes)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a model saw in one frame, as columns; ``d[d.scores > 0.5]`` filters them all."""

    boxes: Boxes
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    """(n,) indices into `labels`."""
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.boxes.shape != (n, 4) or self.classes.shape != (n,):
            raise ValueError(f"columns of different length: {self.boxes.shape}, {n}, {self.classes.shape}")

    @classmethod
    def none(cls, labels: tuple[str, ...] = ()) -> Detections:
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), labels)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: NDArray[Any]) -> Detections:
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows], self.labels)

    def __iter__(self) -> Iterator[tuple[str, float, Box]]:
        """Each row as (label, score, box), for what is drawn or printed."""
        for box, score, index in zip(self.boxes.tolist(), self.scores.tolist(), self.classes.tolist(), strict=True):
            yield self.labels[index], score, (box[0], box[1], box[2], box[3])


@dataclass(frozen=True, slots=True)
class Track:
    """One object over time, as it stands at one frame."""

    id: int
    label: str
    box: Box
    score: float
    """The typical score over its recent history, not that of one lucky frame."""
    first_at: float
    last_at: float
    """When it was last really seen; earlier than the scene's time while it is only carried on."""
    hits: int
    confirmed: bool
    """Whether its history makes it real: rules look at no other."""
    sublabel: str = ""
    """What a second model says it is: the species of a bird, say. Empty while it is not sure."""
    sublabel_score: float = 0.0

    @property
    def foot(self) -> Point:
        """Where it stands: the middle of the box's lower edge."""
        x1, _, x2, y2 = self.box
        return (x1 + x2) / 2, y2


@dataclass(frozen=True, slots=True)
class Scene:
    """One frame's tracks."""

    camera: str
    at: float
    wall: float
    tracks: tuple[Track, ...]
    looked: bool
    """Whether a model looked at this frame, or its tracks are only carried on."""
    frame: Frame | None
    """None for the tick of a camera that is offline, and where kept scenes are judged again."""
    detections: Detections = field(default_factory=Detections.none)
    online: bool = True
    """False for the tick of a camera that is offline: it proves nothing."""
    moved: bool | None = None
    """Whether the motion gate saw anything move since the frame before; None where nobody knows."""

    @property
    def confirmed(self) -> tuple[Track, ...]:
        return tuple([track for track in self.tracks if track.confirmed])


Phase: TypeAlias = Literal["start", "update", "end"]
Level: TypeAlias = Literal["info", "event", "alert"]


@dataclass(frozen=True, slots=True)
class Event:
    """One firing of one rule, at one of its phases."""

    id: str
    """ULID: sorts by the time of its start."""
    seq: int
    """Counts this event's messages from 1."""
    camera: str
    rule: str
    level: Level
    phase: Phase
    at: float
    start: float
    """Unix seconds."""
    end: float | None
    label: str
    """Empty for a rule that fires by the clock."""
    score: float
    count: int
    zones: tuple[str, ...]
    dwell_s: float
    tracks: tuple[Track, ...]
    reasons: tuple[str, ...]
    """Why the rule fired, one clause each, for a person."""
    sublabel: str = ""
    """The best track's, of those that a second model is sure of."""
    sublabel_score: float = 0.0
    evidence: tuple[str, ...] = ()
    """What the rule asked for: "snapshot", "clip"."""
    message: str = ""
    """The rule's own words, filled in."""
    test: bool = False
    """Sent to try the way out; nothing was seen."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A picture or a clip that is kept on the disk."""

    event: str
    """The event's id; a sample has one of its own."""
    kind: Literal["snapshot", "clip", "sample"]
    camera: str
    rule: str
    level: Level
    score: float
    start: float
    """Unix seconds: what it shows begins."""
    end: float
    """And ends; a picture's are the same."""
    number: int = 1
    """Counts an event's exhibits of a kind."""
    reasons: tuple[str, ...] = ()
    file: str = ""
    """Below the state folder, once it is there, whole and durable; a store finds the place for a picture itself."""
    bytes: int = 0
    sha256: str = ""


Kind: TypeAlias = Literal["alert", "event", "snapshot", "clip"]
Weight: TypeAlias = Literal["full", "light", "passing"]
"""What a message is worth among its kind where there is no room for all: an event of level info is light, an update
passing, because another one follows."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that MQTT owes to the world."""

    topic: str
    payload: bytes
    kind: Kind
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    """When the broker may forget it, if nobody has fetched it; None is never. A broker without MQTT 5 does not."""
    then: Message | None = None
    """Of the same kind, owed once the broker has this one; goes with it where that does not come to be."""
    weight: Weight = "full"
    event: str = ""
    """The id of the event that it tells of, where there is one."""
    rule: str = ""
    """The rule by which it leaves the device."""
    file: str = ""
    """Where the payload lies instead, below the state folder: it is then sent in parts, if it is large. Its topic is
    that of the whole; part 2 of 3 goes to ``TOPIC/2-of-3``."""
    file_bytes: int = 0
