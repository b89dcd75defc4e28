"""Every topic that a node speaks on. Pure: names in, topics out."""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

TEXT = "smartcam"
"""Root of everything that can be read."""
MEDIA = "smartcam-media"
"""Root of pictures and clips, apart from the readable, so that subscribing to ``smartcam/#`` stays readable."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FILES = {"snapshot": ".jpg", "clip": ".mp4"}
_PART = re.compile(r"([1-9]\d{0,4})-of-([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class CameraTopics:
    """One camera's topics."""

    node: str
    camera: str

    @property
    def status(self) -> str:
        return self._text("status")

    @property
    def detect(self) -> str:
        return self._text("detect")

    @property
    def event(self) -> str:
        return self._text("event")

    @property
    def detections(self) -> str:
        return self._text("detections")

    @property
    def media(self) -> str:
        """Where media are announced."""
        return self._text("media")

    @property
    def latest(self) -> str:
        return self._bytes("latest")

    def rule_state(self, rule: str) -> str:
        return self._text(f"rule/{rule}/state")

    def rule_enabled(self, rule: str) -> str:
        return self._text(f"rule/{rule}/enabled")

    def zone_occupied(self, zone: str) -> str:
        return self._text(f"zone/{zone}/occupied")

    def count(self, label: str) -> str:
        return self._text(f"count/{slug(label)}")

    def snapshot(self, event: str) -> str:
        return self._bytes(f"{event}/snapshot")

    def clip(self, event: str) -> str:
        return self._bytes(f"{event}/clip")

    def _text(self, rest: str) -> str:
        return f"{TEXT}/{self.node}/{self.camera}/{rest}"

    def _bytes(self, rest: str) -> str:
        return f"{MEDIA}/{self.node}/{self.camera}/{rest}"


@dataclass(frozen=True, slots=True)
class Topics:
    """One node's topics."""

    node: str

    @property
    def status(self) -> str:
        return self._text("status")

    @property
    def info(self) -> str:
        return self._text("info")

    @property
    def health(self) -> str:
        return self._text("health")

    @property
    def config(self) -> str:
        return self._text("config")

    @property
    def armed(self) -> str:
        return self._text("armed")

    @property
    def mode(self) -> str:
        return self._text("mode")

    @property
    def digest(self) -> str:
        """What waits here, because it may not leave yet."""
        return self._text("digest")

    def command(self, verb: str) -> str:
        return self._text(f"cmd/{verb}")

    def reply(self, verb: str) -> str:
        return self._text(f"reply/{verb}")

    def camera(self, name: str) -> CameraTopics:
        return CameraTopics(self.node, name)

    def _text(self, rest: str) -> str:
        return f"{TEXT}/{self.node}/{rest}"


def setter(topic: str) -> str:
    """Where a switch listens: the topic of its state, and ``/set``."""
    return f"{topic}/set"


def slug(label: str) -> str:
    """A label as one level of a topic: of a-z, 0-9 and ``-``, at most 32 characters, never empty.

    A label of another script has no such letters; it gets a short checksum, so that two do not meet.
    """
    ascii_only = unicodedata.normalize("NFKD", label.lower()).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:32].strip("-")
    return plain or f"label-{zlib.crc32(label.encode('utf-8', 'replace')):08x}"


def part_topic(topic: str, part: int, parts: int) -> str:
    """Where part 1 … `parts` of a picture or clip goes that is too large for one message on `topic`."""
    return f"{topic}/{part_name(part, parts)}"


def part_name(part: int, parts: int) -> str:
    """The last level of a part's topic."""
    return f"{part}-of-{parts}"


def part_number(name: str) -> tuple[int, int] | None:
    """``2-of-3`` → 2, 3; None for any other name."""
    found = _PART.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


class Part(NamedTuple):
    """What a part's topic says."""

    topic: str
    """The whole's."""
    number: int
    """From 1 …"""
    parts: int
    """… to this."""


def part_of(topic: str) -> Part | None:
    """``…/clip/2-of-3`` → the topic of the whole, 2, 3; None for any other topic."""
    whole, _, last = topic.rpartition("/")
    found = part_number(last)
    if not found or media_file(whole) is None or whole.endswith("/latest"):
        return None
    part = Part(whole, *found)
    return part if part.number <= part.parts else None


def media_file(topic: str) -> PurePosixPath | None:
    """Where a subscriber may keep what came on a media topic: a relative path that stays below its folder.

    ``smartcam-media/n/c/latest`` → ``n/c/latest.jpg``, ``…/c/EVENT/snapshot`` → ``n/c/EVENT.jpg``. None for any other
    topic, a part's too: topics come from strangers, and none of their levels may become ``..``, an absolute path or a
    hidden file.
    """
    root, *levels = topic.split("/")
    if root != MEDIA or not all(_PLAIN.fullmatch(level) for level in levels):
        return None
    match levels:
        case [node, camera, "latest"]:
            return PurePosixPath(node, camera, "latest.jpg")
        case [node, camera, event, ("snapshot" | "clip") as kind]:
            return PurePosixPath(node, camera, event + _FILES[kind])
    return None


def media_announced(word: str) -> str | None:
    """What all media topics begin with that may be announced on this one; None where it is no camera's C/media.

    ``smartcam/n/c/media`` → ``smartcam-media/n/c/``: nobody speaks for another camera.
    """
    match word.split("/"):
        case [root, node, camera, "media"] if root == TEXT:
            return f"{MEDIA}/{node}/{camera}/"
    return None
