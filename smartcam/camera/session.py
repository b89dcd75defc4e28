"""One honest attempt at a source: its frames, until it ends or fails."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartcam.camera.arrivals import Arrivals
from smartcam.camera.pace import Pace, Timeline
from smartcam.camera.packets import TOO_LARGE, Packets, is_sound, open_packets
from smartcam.camera.picture import DecodedPicture, Degrees
from smartcam.camera.ring import Ring
from smartcam.camera.source import Source, find
from smartcam.camera.still import read_picture
from smartcam.camera.tap import Tap
from smartcam.config.grammar import Polygon
from smartcam.config.sections import Camera
from smartcam.data import Frame
from smartcam.errors import SmartcamError, Unavailable
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import Packet, VideoFrame

log = logging.getLogger(__name__)

MAX_DAMAGED = 100
"""Packets in a row that cannot be decoded: some seconds of a bad radio link."""
SECONDS_A_PICTURE = 1.0
"""How long a picture of a folder stands when no fps is configured."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open source. Iterating gives its frames, once; it ends when a recording does, or `alive`.

    Iterating raises Unavailable when the source fails, is silent for longer than its read time-out, or when a live
    picture changes its size: then it is opened anew, so that everybody learns its size anew.
    """

    codec: str
    duration_s: float | None
    """How long a recording says that it is."""
    frames: Iterator[Frame]

    def __iter__(self) -> Iterator[Frame]:
        return self.frames


@contextmanager
def open_session(
    config: Camera,
    name: str,
    alive: Alive,
    *,
    seq: Iterator[int] | None = None,
    start: tuple[float, float] | None = None,
    tap: Tap | None = None,
    sound: bool = False,
) -> Iterator[Session]:
    """Open a camera's source until the block is left. Raises Unavailable with a sentence.

    `seq` numbers the frames. `start` is the monotonic and the unix time of a recording's first frame; by default now.
    `tap` is given what comes compressed, with its `sound` if that is wanted.
    """
    source = find(config, sound=sound)
    pace = Pace(*(start or (time.monotonic(), time.time())), real_time=config.pace == "real-time")
    stamp = Stamp(name, seq or itertools.count(), config.rotate, config.mask, tap or Tap(Ring()))
    with ExitStack() as open_parts:
        if source.kind == "pictures":
            codec, duration_s, frames = "pictures", None, slides(source, config, stamp, pace, alive)
        else:
            packets = open_parts.enter_context(open_packets(source, config, alive, sound=sound))
            codec, duration_s = packets.codec, packets.duration_s
            frames = live(packets, stamp, alive) if source.live else played(packets, config, stamp, pace, alive)
        yield Session(codec, duration_s, open_parts.enter_context(closing(frames)))


@dataclass(frozen=True, slots=True)
class Stamp:
    """Makes frames of one camera out of pictures."""

    camera: str
    seq: Iterator[int]
    rotate: Degrees
    mask: tuple[Polygon, ...]
    tap: Tap

    def frame(self, decoded: VideoFrame, at: float, wall: float) -> Frame:
        return self.of(DecodedPicture(decoded, self.rotate, self.mask), at, wall)

    def of(self, picture: DecodedPicture, at: float, wall: float) -> Frame:
        self.tap.picture(picture, at)
        return Frame(self.camera, next(self.seq), at, wall, picture)


def live(packets: Packets, stamp: Stamp, alive: Alive) -> Generator[Frame, None, None]:
    """Frames as they come, with the time when they were taken."""
    arrivals = Arrivals(packets.has_clock)
    stamp.tap.session(packets)
    size = None
    for packet, pictures in decode(packets, alive):
        at = arrivals.of(packet)
        for decoded in pictures:
            size = unchanged(packets, size, (decoded.width, decoded.height))
        stamp.tap.packet(packet, at)
        for decoded in pictures:
            yield stamp.frame(decoded, *arrivals.picture(decoded.pts))
    if alive():
        raise Unavailable(f"{packets.source.shown}: {packets.end()}")


def unchanged(packets: Packets, before_wh: tuple[int, int] | None, now_wh: tuple[int, int]) -> tuple[int, int]:
    """The size, as long as it is that of the session."""
    if before_wh and before_wh != now_wh:
        raise Unavailable(
            "{}: the picture changed from {}x{} to {}x{}".format(packets.source.shown, *before_wh, *now_wh)
        )
    return now_wh


def played(packets: Packets, config: Camera, stamp: Stamp, pace: Pace, alive: Alive) -> Generator[Frame, None, None]:
    """Frames of a file, once or for ever, each when its time has come."""
    timeline = Timeline(packets.interval_s)
    for decoded in repeated(packets, config, stamp.tap, alive):
        at, wall = pace.reach(timeline.at(decoded.time), alive)
        if not alive():
            return
        stamp.tap.shown(decoded.time, at)
        yield stamp.frame(decoded, at, wall)


def repeated(packets: Packets, config: Camera, tap: Tap, alive: Alive) -> Iterator[VideoFrame]:
    yield from decode_some(packets, tap, alive)
    while config.repeat and alive():
        with open_packets(packets.source, config, alive, sound=packets.sound is not None) as again:
            yield from decode_some(again, tap, alive)


def decode_some(packets: Packets, tap: Tap, alive: Alive) -> Iterator[VideoFrame]:
    """The pictures of a file, of which there must be one: an empty file must not be repeated without end."""
    tap.session(packets)
    decoded = None
    for packet, pictures in decode(packets, alive):
        tap.hold(packet)
        for decoded in pictures:
            yield decoded
    if decoded is None and alive():
        raise Unavailable(f"{packets.source.shown}: no picture in it can be decoded; see what `ffprobe` says about it")


def slides(source: Source, config: Camera, stamp: Stamp, pace: Pace, alive: Alive) -> Generator[Frame, None, None]:
    """The pictures of a folder, once or for ever. One that cannot be read is passed over; they may differ in size."""
    interval_s = 1 / config.fps if config.fps else SECONDS_A_PICTURE
    places = itertools.count()
    stamp.tap.session(None)
    while alive():
        count = 0
        for path in source.pictures:
            try:
                picture = read_picture(path, stamp.rotate, stamp.mask)
            except SmartcamError as error:
                log.warning("camera %s: %s", stamp.camera, error)
                continue
            count += 1
            at, wall = pace.reach(next(places) * interval_s, alive)
            if not alive():
                return
            yield stamp.of(picture, at, wall)
        if count == 0:
            raise Unavailable(f"{source.shown}: none of its pictures can be read")
        if not config.repeat:
            return


def decode(packets: Packets, alive: Alive) -> Iterator[tuple[Packet[Any], list[VideoFrame]]]:
    """Each packet, with the pictures that it completes. Damaged ones are passed over, but not too many in a row."""
    import av

    decoder = packets.stream.codec_context
    damaged = 0
    for packet in packets:
        if not alive():
            return
        if is_sound(packet):
            yield packet, []
            continue
        try:
            pictures = decoder.decode(packet)
        except av.FFmpegError:
            damaged += 1
            if damaged >= MAX_DAMAGED:
                raise Unavailable(
                    f"{packets.source.shown}: {damaged} packets in a row are damaged, or pictures {TOO_LARGE}"
                ) from None
            continue
        damaged = 0
        yield packet, pictures
