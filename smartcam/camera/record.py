"""The larger stream of a camera, kept compressed in memory, from which a picture of any recent moment is decoded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smartcam.camera.pace import Pace, Timeline
from smartcam.camera.packets import Packets, open_packets
from smartcam.camera.picture import DecodedPicture, turned
from smartcam.camera.reopen import CameraStatus, Reopening
from smartcam.camera.source import find
from smartcam.config.sections import Camera
from smartcam.config.values import MAX_PIXELS
from smartcam.data import Picture
from smartcam.errors import Unavailable
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame, VideoStream

MAX_BYTES = 32 * 1024 * 1024
MAX_S = 20.0
NEAR_S = 2.0
"""A picture further from the moment that is asked for would show something else."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A packet, and the monotonic time when it came."""

    at: float
    packet: Packet[VideoStream]


@dataclass(frozen=True, slots=True)
class Group:
    """A key frame and the packets that need it (a GOP); `decoder` makes a decoder for them."""

    decoder: Callable[[], VideoCodecContext]
    packets: list[Timed] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(timed.packet.size for timed in self.packets)


class Ring:
    """The last groups of packets, bounded in bytes and in seconds; the oldest group goes first.

    A group that alone is too large goes too, and the ring is empty until the next key frame.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_s: float = MAX_S) -> None:
        self._max_bytes = max_bytes
        self._max_s = max_s
        self._groups: deque[Group] = deque()
        self._bytes = 0
        self._cut = False
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        return self._bytes

    @property
    def span_s(self) -> float:
        """From its first packet to its last."""
        with self._lock:
            return self._groups[-1].packets[-1].at - self._groups[0].packets[0].at if self._groups else 0.0

    def add(self, packet: Packet[VideoStream], at: float, decoder: Callable[[], VideoCodecContext]) -> None:
        """Keep a packet that came at `at`; the oldest groups go until it fits."""
        with self._lock:
            if packet.is_keyframe:
                self._groups.append(Group(decoder))
                self._cut = False
            if self._cut or not self._groups:
                return
            self._groups[-1].packets.append(Timed(at, packet))
            self._bytes += packet.size
            while self._groups and (self._bytes > self._max_bytes or self._first_is_old(at)):
                self._bytes -= self._groups.popleft().size

    def cut(self) -> None:
        """What comes next does not continue what is here: it begins at its own first key frame."""
        with self._lock:
            self._cut = True

    def until(self, at: float) -> Group | None:
        """From a key frame to the packet nearest to `at`: what a decoder needs for that picture."""
        with self._lock:
            every = [(abs(timed.at - at), group, n) for group in self._groups for n, timed in enumerate(group.packets)]
            if not every:
                return None
            distance_s, group, n = min(every, key=lambda one: one[0])
            return Group(group.decoder, group.packets[: n + 1]) if distance_s <= NEAR_S else None

    def _first_is_old(self, now: float) -> bool:
        """Whether what follows the first group alone covers the seconds that are to be kept."""
        return len(self._groups) > 1 and self._groups[1].packets[0].at <= now - self._max_s


class RecordStream:
    """Keeps the last seconds of a camera's `record` stream for as long as its worker runs. It decodes nothing."""

    def __init__(
        self,
        name: str,
        config: Camera,
        on_status: Callable[[CameraStatus], None] | None = None,
        ring: Ring | None = None,
    ) -> None:
        self._config = config
        self._reopening = Reopening(f"camera {name}, record", config, on_status)
        self.ring = ring or Ring()

    @property
    def status(self) -> CameraStatus:
        return self._reopening.status

    def run(self, alive: Alive) -> None:
        self._reopening.run(self._attempt, alive)

    def picture_at(self, at: float) -> Picture | None:
        """The picture nearest to the monotonic time `at`, decoded now, by the caller; None when none is near.

        Takes as long as decoding the group of packets up to that moment.
        """
        group = self.ring.until(at)
        frame = nearest(group) if group else None
        return DecodedPicture(frame, self._config.rotate) if frame else None

    def _attempt(self, alive: Alive) -> None:
        config = record_config(self._config)
        source = find(config)
        if source.kind == "pictures":
            raise Unavailable(f"{source.shown}: a record stream cannot be a folder; give a video stream or a file")
        while alive():
            with open_packets(source, config, alive) as packets:
                self._keep(packets, alive)
            if source.live and alive():
                raise Unavailable(f"{source.shown}: {packets.end()}")
            if not config.repeat:
                return

    def _keep(self, packets: Packets, alive: Alive) -> None:
        self.ring.cut()
        decoder = decoder_for(packets)
        timeline = Timeline(packets.interval_s)
        pace = Pace(time.monotonic(), time.time(), real_time=True)
        for packet in packets:
            if not alive():
                return
            if not packet.size:
                continue
            if not packets.source.live:
                pace.reach(timeline.at(seconds(packet)), alive)
            if not self.status.online:
                self._reopening.online(turned(packets.size, self._config.rotate), packets.codec)
            self.ring.add(packet, time.monotonic(), decoder)


def record_config(config: Camera) -> Camera:
    """The record stream as a camera of its own. What describes the form of `source` does not describe it."""
    own = {"source": config.record, "record": None, "format": "auto", "pixel_format": None, "size": None, "fps": None}
    return config.model_copy(update=own)


def seconds(packet: Packet[VideoStream]) -> float | None:
    return float(packet.dts * packet.time_base) if packet.dts is not None and packet.time_base else None


def decoder_for(packets: Packets) -> Callable[[], VideoCodecContext]:
    """A maker of decoders for a stream, which needs the stream no more."""
    import av

    stream = packets.stream.codec_context
    codec, extradata, size = stream.name, stream.extradata, (stream.width, stream.height)
    pixel_format = stream.pix_fmt

    def decoder() -> VideoCodecContext:
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.extradata = extradata
        context.width, context.height = size
        context.pix_fmt = pixel_format
        context.options = {"max_pixels": str(MAX_PIXELS)}
        return context

    return decoder


def nearest(group: Group) -> VideoFrame | None:
    """The picture of the group's last packet; the last one that there is where timestamps do not tell."""
    import av

    decoder = group.decoder()
    wanted = group.packets[-1].packet.pts
    last = None
    for packet in [*[timed.packet for timed in group.packets], None]:
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            last = frame
            if wanted is not None and frame.pts == wanted:
                return frame
    return last
