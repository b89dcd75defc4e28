"""One honest attempt at a source: its frames, until it ends or fails."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartcam.camera.pace import Pace, Timeline
from smartcam.camera.packets import TOO_LARGE, Packets, open_packets
from smartcam.camera.picture import DecodedPicture, Degrees
from smartcam.camera.source import Source, find
from smartcam.camera.still import read_picture
from smartcam.config.sections import Camera
from smartcam.data import Frame
from smartcam.errors import SmartcamError, Unavailable
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import VideoFrame

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
) -> Iterator[Session]:
    """Open a camera's source until the block is left. Raises Unavailable with a sentence.

    `seq` numbers the frames. `start` is the monotonic and the unix time of a recording's first frame; by default now.
    """
    source = find(config)
    pace = Pace(*(start or (time.monotonic(), time.time())), real_time=config.pace == "real-time")
    stamp = Stamp(name, seq or itertools.count(), config.rotate)
    with ExitStack() as open_parts:
        if source.kind == "pictures":
            codec, duration_s, frames = "pictures", None, slides(source, config, stamp, pace, alive)
        else:
            packets = open_parts.enter_context(open_packets(source, config, alive))
            codec, duration_s = packets.codec, packets.duration_s
            frames = live(packets, stamp, alive) if source.live else played(packets, config, stamp, pace, alive)
        yield Session(codec, duration_s, open_parts.enter_context(closing(frames)))


@dataclass(frozen=True, slots=True)
class Stamp:
    """Makes frames of one camera out of pictures."""

    camera: str
    seq: Iterator[int]
    rotate: Degrees

    def frame(self, picture: DecodedPicture, at: float, wall: float) -> Frame:
        return Frame(self.camera, next(self.seq), at, wall, picture)


def live(packets: Packets, stamp: Stamp, alive: Alive) -> Generator[Frame, None, None]:
    """Frames at the moment that they come."""
    size = None
    for decoded in decode(packets, alive):
        now_wh = (decoded.width, decoded.height)
        if size and size != now_wh:
            raise Unavailable(
                "{}: the picture changed from {}x{} to {}x{}".format(packets.source.shown, *size, *now_wh)
            )
        size = now_wh
        yield stamp.frame(DecodedPicture(decoded, stamp.rotate), time.monotonic(), time.time())
    if alive():
        raise Unavailable(f"{packets.source.shown}: {packets.end()}")


def played(packets: Packets, config: Camera, stamp: Stamp, pace: Pace, alive: Alive) -> Generator[Frame, None, None]:
    """Frames of a file, once or for ever, each when its time has come."""
    timeline = Timeline(packets.interval_s)
    for decoded in repeated(packets, config, alive):
        at, wall = pace.reach(timeline.at(decoded.time), alive)
        if not alive():
            return
        yield stamp.frame(DecodedPicture(decoded, stamp.rotate), at, wall)


def repeated(packets: Packets, config: Camera, alive: Alive) -> Iterator[VideoFrame]:
    yield from decode_some(packets, alive)
    while config.repeat and alive():
        with open_packets(packets.source, config, alive) as again:
            yield from decode_some(again, alive)


def decode_some(packets: Packets, alive: Alive) -> Iterator[VideoFrame]:
    """The pictures of a file, of which there must be one: an empty file must not be repeated without end."""
    decoded = None
    for decoded in decode(packets, alive):
        yield decoded
    if decoded is None and alive():
        raise Unavailable(f"{packets.source.shown}: no picture in it can be decoded; see what `ffprobe` says about it")


def slides(source: Source, config: Camera, stamp: Stamp, pace: Pace, alive: Alive) -> Generator[Frame, None, None]:
    """The pictures of a folder, once or for ever. One that cannot be read is passed over; they may differ in size."""
    interval_s = 1 / config.fps if config.fps else SECONDS_A_PICTURE
    places = itertools.count()
    while alive():
        count = 0
        for path in source.pictures:
            try:
                picture = read_picture(path, stamp.rotate)
            except SmartcamError as error:
                log.warning("camera %s: %s", stamp.camera, error)
                continue
            count += 1
            at, wall = pace.reach(next(places) * interval_s, alive)
            if not alive():
                return
            yield stamp.frame(picture, at, wall)
        if count == 0:
            raise Unavailable(f"{source.shown}: none of its pictures can be read")
        if not config.repeat:
            return


def decode(packets: Packets, alive: Alive) -> Iterator[VideoFrame]:
    """The pictures in the packets. Damaged packets are passed over, but not too many in a row."""
    import av

    decoder = packets.stream.codec_context
    damaged = 0
    for packet in packets:
        if not alive():
            return
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            damaged += 1
            if damaged >= MAX_DAMAGED:
                raise Unavailable(
                    f"{packets.source.shown}: {damaged} packets in a row are damaged, or pictures {TOO_LARGE}"
                ) from None
            continue
        damaged = 0
        yield from frames
