"""What is owed of events, pictures and clips, and what is only kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartcam.config import Config, parse
from smartcam.data import Exhibit, Message
from smartcam.evidence.clips import ClipFile
from smartcam.mqtt.form import rfc3339
from smartcam.mqtt.payloads import event_message
from smartcam.mqtt.topics import Topics
from smartcam.owed import Firing
from smartcam.pipeline.reporter import Reporter, can_be_saved, salvaged
from smartcam.store.leftovers import Leftover
from tests.mqtt.events import event

TOPICS = Topics("ridge1")
JPEG = b"\xff\xd8 picture"
EVENT = event().id
SMALL = ClipFile(Path(f"/state/media/{EVENT}/clip-640.mp4"), 10.0, 30.0, 200_000, "cd" * 32, "h264")
CLIP = ClipFile(Path(f"/state/media/{EVENT}/clip.mp4"), 10.0, 30.0, 3_000_000, "ab" * 32, "hevc")
BOTH = ClipFile(CLIP.path, CLIP.start, CLIP.end, CLIP.bytes, CLIP.sha256, CLIP.codec, SMALL)


class Told:
    """A reporter, and what came of it."""

    def __init__(self, *, metered: bool = False) -> None:
        self.sent: list[tuple[Message, Firing | None, Exhibit | None]] = []
        self.kept: list[tuple[Exhibit, bytes]] = []
        self.metered = metered
        self.reporter = Reporter(
            TOPICS,
            lambda _: "eyes",
            self._send,
            clock_ok=lambda: True,
            last_n=41,
            keep=self._keep,
            clips_wait=lambda: self.metered,
        )

    def _send(self, message: Message, firing: Firing | None = None, exhibit: Exhibit | None = None) -> None:
        self.sent.append((message, firing, exhibit))

    def _keep(self, exhibit: Exhibit, data: bytes = b"") -> None:
        self.kept.append((exhibit, data))

    @property
    def topics(self) -> list[str]:
        return [message.topic.rsplit("/", 1)[-1] for message, _, _ in self.sent]


@pytest.fixture
def told() -> Told:
    return Told()


def test_events_are_numbered_on_from_those_of_an_earlier_process(told: Told) -> None:
    told.reporter.event(event())
    [(message, firing, exhibit)] = told.sent
    assert (json.loads(message.payload)["n"], firing, exhibit) == (42, Firing(event(), 42), None)


def test_a_picture_is_kept_and_owed_and_is_the_cameras_latest(told: Told) -> None:
    told.reporter.snapshot(event(), JPEG, 2)
    assert told.topics == ["snapshot", "latest"]
    _, _, exhibit = told.sent[0]
    assert exhibit
    assert (exhibit.event, exhibit.kind, exhibit.number, exhibit.rule) == (EVENT, "snapshot", 2, "yard-intruder")
    assert (exhibit.bytes, exhibit.sha256) == (len(JPEG), hashlib.sha256(JPEG).hexdigest())
    assert exhibit.reasons == event().reasons


def test_over_a_metered_way_no_picture_goes_twice() -> None:
    told = Told(metered=True)
    told.reporter.snapshot(event(), JPEG, 1)
    assert told.topics == ["snapshot"]


def test_nothing_stays_at_the_broker_of_a_camera_that_was_removed(told: Told) -> None:
    told.reporter.renew(TOPICS, lambda _: "eyes", ["back"])
    told.reporter.snapshot(event(), JPEG, 1)
    assert told.topics == ["snapshot"]


def test_a_clip_is_owed_from_its_file(told: Told) -> None:
    told.reporter.clip(event(), CLIP)
    [(message, _, exhibit)] = told.sent
    assert (message.kind, message.payload, message.file_bytes, message.rule) == (
        "clip",
        b"",
        3_000_000,
        "yard-intruder",
    )
    assert exhibit
    assert message.file == exhibit.file == f"media/{EVENT}/clip.mp4"
    assert (exhibit.start, exhibit.end) == (10.0, 30.0)
    assert message.then
    word = json.loads(message.then.payload)
    assert (word["sha256"], word["codec"], word["start"]) == ("ab" * 32, "hevc", "1970-01-01T00:00:10.000Z")
    assert told.kept == []


def test_of_two_clips_the_small_one_is_sent_and_the_whole_stays(told: Told) -> None:
    told.reporter.clip(event(), BOTH)
    [(message, _, exhibit)] = told.sent
    assert (message.file, exhibit and exhibit.number) == (f"media/{EVENT}/clip-640.mp4", 2)
    assert [(each.file, each.number, data) for each, data in told.kept] == [(f"media/{EVENT}/clip.mp4", 1, b"")]


def test_over_a_metered_way_clips_wait_until_somebody_asks() -> None:
    told = Told(metered=True)
    told.reporter.clip(event(), BOTH)
    assert told.sent == []
    assert [each.number for each, _ in told.kept] == [1, 2]
    told.metered = False
    told.reporter.clip(event(), CLIP)
    assert told.topics == ["clip"]


CONFIG = """
[node]
name = "ridge1"
[uplink]
metered = {metered}
[camera.front]
source = "front.mp4"
[rule.yard-intruder]
see = "person"
do = ["clip"]
clip = {{ {clip} }}
"""


def rescued(file: str = "clip.mp4", **changes: Any) -> Leftover:
    told = json.loads(event_message(TOPICS, event(**changes), n=1, clock_ok=True).payload)
    return Leftover(f"media/{EVENT}/{file}", Path("/nowhere"), told, 5000, "ab" * 32)


def settings(*, metered: bool = False, clip: str = "") -> Config:
    return parse(CONFIG.format(metered=str(metered).lower(), clip=clip))


def test_a_clip_that_a_power_cut_broke_off_is_owed_as_far_as_it_goes() -> None:
    message, exhibit = salvaged(settings(), rescued())
    assert message
    assert (message.topic, message.kind) == (f"smartcam-media/ridge1/front/{EVENT}/clip", "clip")
    assert message.file == exhibit.file == f"media/{EVENT}/clip.mp4"
    assert (exhibit.camera, exhibit.rule, exhibit.level, exhibit.score) == ("front", "yard-intruder", "alert", 0.87)
    assert (exhibit.start, exhibit.end) == (1795543331.25, 1795543345.45)
    _, without_end = salvaged(settings(), rescued(end=None, phase="update"))
    assert without_end.end == pytest.approx(1795543331.25 + 14.2)


@pytest.mark.parametrize(
    ("config", "leftover"),
    [
        (settings(metered=True), rescued()),
        (settings(), rescued(rule="no-more")),
    ],
)
def test_what_would_not_have_been_sent_is_only_kept(config: Config, leftover: Leftover) -> None:
    message, exhibit = salvaged(config, leftover)
    assert message is None
    assert exhibit.bytes == 5000


def test_of_a_clip_in_two_sizes_only_the_smaller_one_is_owed() -> None:
    config = settings(clip='size = "640"')
    assert salvaged(config, rescued())[0] is None, "it may cost what a week of events does; it can be fetched"
    message, exhibit = salvaged(config, rescued("clip-640.mp4"))
    assert message
    assert exhibit.number == 2


def test_a_clip_of_which_no_smaller_one_could_be_made_stays_here(told: Told) -> None:
    told.reporter.clip(event(), replace(CLIP, too_large=True))
    assert not told.sent
    assert len(told.kept) == 1


def test_a_smaller_clip_that_broke_off_is_not_saved(tmp_path: Path) -> None:
    """The whole one lies beside it."""
    assert not can_be_saved(tmp_path / "clip-640.mp4.part")


def test_what_began_before_the_clock_was_set_tells_its_times_as_if_it_had_been() -> None:
    sent: list[Message] = []
    reporter = Reporter(
        TOPICS,
        lambda _: "model",
        lambda message, *_: sent.append(message),
        clock_ok=lambda: True,
        corrected=lambda wall: wall + 3600,
    )
    reporter.event(event())
    assert json.loads(sent[0].payload)["start"] == rfc3339(event().start + 3600)


def test_a_sample_leaves_only_where_that_is_asked_for(told: Told) -> None:
    sample = Exhibit("01S", "sample", "front", "herd", "info", 0.0, 5.0, 5.0, bytes=len(JPEG), sha256="ef" * 32)
    told.reporter.sample(sample, JPEG, upload=False)
    assert (told.sent, told.kept) == ([], [(sample, JPEG)])
    told.reporter.sample(sample, JPEG, upload=True)
    [(message, _, exhibit)] = told.sent
    assert (message.kind, message.payload, exhibit) == ("snapshot", JPEG, sample)
