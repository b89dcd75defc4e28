"""Real packets of real videos, at the times that a test wants, and a look at the films that are made of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from smartcam.camera.ring import Ring
from smartcam.config import Config, parse
from smartcam.data import Box, Coding, Event, Packet, Track
from smartcam.evidence.clip_file import ClipFile
from smartcam.evidence.clips import Clips
from smartcam.evidence.hiding import CoverSource
from smartcam.workers import Alive
from tests.clips import FPS, clip

WALL = 1_000_000_000.0
"""Unix time of `at` = 0."""
TONE_HZ, TONE_S = 440.0, 8
BOX: Box = (0.4, 0.4, 0.6, 0.8)


def packets_of(path: Path, at: float, *, seq: int = 0, annex_b: bool = False, rotate: int = 0) -> list[Packet]:
    """All of a video, as its first picture were shown at `at`; H.264 as cameras send it with `annex_b`."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        extradata = b"" if annex_b else bytes(context.extradata or b"")
        coding = Coding(context.name, (context.width, context.height), extradata, context.pix_fmt, rotate)
        found = [packet for packet in container.demux(stream) if packet.size]
        assert stream.time_base
        base, first = float(stream.time_base), found[0].pts or 0
        if annex_b:
            bsf = BitStreamFilterContext("h264_mp4toannexb", stream)
            found = [one for packet in found for one in bsf.filter(packet)]
        return [
            Packet(
                seq + n,
                at + ((packet.pts or 0) - first) * base,
                at + ((packet.dts or 0) - first) * base,
                packet.is_keyframe,
                bytes(packet),
                coding,
            )
            for n, packet in enumerate(found)
        ]


def h264(folder: Path, seconds: float, **changes: Any) -> Path:
    """As `tests.clips`: a bar that moves 4 pixels a frame, a key frame every 10 frames."""
    return clip(folder / f"{len(list(folder.iterdir()))}.mp4", int(seconds * FPS), **changes)


def tone(codec: str, rate: int, at: float) -> list[Packet]:
    """A tone that is loud in the third second only, as a microphone's packets."""
    coder = av.CodecContext.create(codec, "w")
    assert isinstance(coder, av.AudioCodecContext)
    coder.sample_rate, coder.layout, coder.format = rate, "mono", "fltp" if codec == "aac" else "s16"
    coder.flags |= 1 << 22  # Its configuration comes beside its packets.
    clock = np.arange(rate * TONE_S) / rate
    wave = np.sin(2 * np.pi * TONE_HZ * clock) * 0.5 * ((clock >= 3) & (clock < 4))
    step, coded = (1024 if codec == "aac" else rate // 50), []
    for begin in range(0, len(wave) - step + 1, step):
        piece = wave[None, begin : begin + step]
        samples = piece.astype(np.float32) if codec == "aac" else (piece * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "fltp" if codec == "aac" else "s16", "mono")
        frame.sample_rate, frame.pts = rate, begin
        coded += [(packet.pts or 0, bytes(packet)) for packet in coder.encode(frame)]
    coding = Coding(codec, (rate, 1), bytes(coder.extradata or b""))
    return [Packet(0, at + pts / rate, at + pts / rate, True, data, coding, audio=True) for pts, data in coded]


def together(*streams: list[Packet]) -> list[Packet]:
    """In the order in which they come."""
    every = sorted((packet for stream in streams for packet in stream), key=lambda packet: packet.decode_at)
    return [
        Packet(n, one.at, one.decode_at, one.is_key, one.data, one.coding, one.audio) for n, one in enumerate(every)
    ]


def event(at: float, *, first_at: float | None = None, id_: str = "E1") -> Event:
    """The start of an event of rule r on camera front."""
    first = at if first_at is None else first_at
    track = Track(1, "person", BOX, 0.8, first, at, 3, confirmed=True)
    return Event(
        id=id_,
        seq=1,
        camera="front",
        rule="r",
        level="event",
        phase="start",
        at=at,
        start=WALL + at,
        end=None,
        label="person",
        score=0.8,
        count=1,
        zones=(),
        dwell_s=0.0,
        tracks=(track,),
        reasons=(),
        evidence=("clip",),
    )


def ended(start: Event, at: float, seq: int = 2) -> Event:
    """Its end, of which the last was seen at `at`; the rules say so a second later."""
    return replace(start, seq=seq, phase="end", at=at + 1, end=start.start + at - start.at)


def config(clip: str = "", rule: str = "", camera: str = "") -> Config:
    """Rule r on camera front, with these keys."""
    return parse(
        f'[camera.front]\nsource = "x.mp4"\n{camera}\n'
        f'[rule.r]\nsee = "person"\ndo = ["clip"]\nclip = {{ {clip or "after = 10"} }}\n{rule}\n'
    )


@dataclass
class Studio:
    """Clips at work over a real ring, until nothing is left to be made."""

    folder: Path
    config: Config
    ring: Ring = field(default_factory=lambda: Ring(max_s=3600.0))
    cover: CoverSource | None = None
    made: list[tuple[Event, ClipFile]] = field(default_factory=list)
    asked: int = 0
    """Clips."""
    read: list[frozenset[str]] = field(default_factory=list)
    """The cameras that were told to be read."""
    link_size: int | None = None
    """Pixels that the link can carry."""
    has_room: bool = True
    """On the disk."""

    def __post_init__(self) -> None:
        self.clips = Clips(
            self.config,
            self.folder / "media",
            lambda event, clip: self.made.append((event, clip)),
            packets=lambda camera: self.ring if camera == "front" else None,
            reading=self.read.append,
            has_room=lambda: self.has_room,
            link_size=lambda: self.link_size,
            cover=self.cover,
        )

    def film(self, packets: list[Packet]) -> None:
        for packet in packets:
            self.ring.add(packet)

    def tell(self, *events: Event) -> None:
        for each in events:
            self.clips.on_event(each)
            self.asked += each.seq == 1 and "clip" in each.evidence and each.rule in self.config.rule

    def happens(self, start: Event, until: float) -> None:
        """An event, and its end."""
        self.tell(start, ended(start, until))

    def work(self, turns: int = 3) -> None:
        """So many turns of the loop, or as long as there is something to be made; and its end."""
        left = iter(range(turns))
        self.clips.run(lambda: (turn := next(left, None)) is not None and (turn == 0 or self.busy))

    @property
    def busy(self) -> bool:
        """Whether a clip is still to be made."""
        return len(self.made) + self.clips.dropped < self.asked

    def the_clip(self) -> ClipFile:
        self.work()
        [(_, clip)] = self.made
        return clip


def in_turns(*does: Callable[[], object]) -> Alive:
    """A worker's life of so many turns, with something done before each."""
    left = iter(does)

    def alive() -> bool:
        if (do := next(left, None)) is None:
            return False
        do()
        return True

    return alive


def pictures(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Seconds and brightness (h, w) of everything that can be decoded."""
    shown = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            shown.append((frame.time, np.asarray(frame.to_ndarray(format="gray"), np.uint8)))
    return shown


def renumbered(packets: list[Packet], seq: int) -> list[Packet]:
    return [replace(packet, seq=seq + n) for n, packet in enumerate(packets)]


def ffprobe(path: Path) -> dict[str, Any]:
    """What Debian's ffprobe says of a film; it must not have anything to warn of."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is missing: apt-get install ffmpeg")
    asked = ["-show_format", "-show_streams", "-count_frames", "-count_packets", "-of", "json"]
    done = subprocess.run(["ffprobe", "-v", "warning", *asked, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return told
