"""The larger stream of a camera, kept compressed in memory, from which a picture of any recent moment is decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from smartcam.camera.arrivals import Arrivals
from smartcam.camera.coding import decoder_of
from smartcam.camera.pace import Pace, Timeline
from smartcam.camera.packets import Packets, is_sound, open_packets, seconds, shown_s
from smartcam.camera.picture import DecodedPicture, turned
from smartcam.camera.reopen import CameraStatus, Reopening
from smartcam.camera.ring import Ring
from smartcam.camera.source import find
from smartcam.camera.still import upright
from smartcam.camera.tap import Tap
from smartcam.config.sections import Camera
from smartcam.data import Packet, Picture
from smartcam.errors import Unavailable
from smartcam.workers import Alive

if TYPE_CHECKING:
    import av
    from av import VideoFrame

PICTURES_S = 20.0
"""How far back a picture can be asked for."""


class RecordStream:
    """Keeps the last seconds of a camera's `record` stream for as long as its worker runs.

    It decodes nothing, but what is not compressed, and so is kept as JPEGs.
    """

    def __init__(
        self,
        name: str,
        config: Camera,
        on_status: Callable[[CameraStatus], None] | None = None,
        ring: Ring | None = None,
        *,
        sound: bool = False,
    ) -> None:
        self._config = config
        self._sound = sound
        self._reopening = Reopening(f"camera {name}, record", config, on_status)
        self.ring = ring or Ring(PICTURES_S)
        self._tap = Tap(self.ring, config.rotate, name)

    @property
    def status(self) -> CameraStatus:
        return self._reopening.status

    def run(self, alive: Alive) -> None:
        self._reopening.run(self._attempt, alive)

    def picture_at(self, at: float) -> Picture | None:
        """The picture nearest to the monotonic time `at`, decoded now, by the caller; None when none is near.

        Takes as long as decoding the group of packets up to that moment.
        """
        packets = self.ring.until(at)
        frame = last_of(packets) if packets else None
        return DecodedPicture(frame, upright(packets[0].coding.rotate), self._config.mask) if frame else None

    def _attempt(self, alive: Alive) -> None:
        config = record_config(self._config)
        source = find(config, sound=self._sound)
        if source.kind == "pictures":
            raise Unavailable(f"{source.shown}: a record stream cannot be a folder; give a video stream or a file")
        while alive():
            with open_packets(source, config, alive, sound=self._sound) as packets:
                self._keep(packets, alive)
            if source.live and alive():
                raise Unavailable(f"{source.shown}: {packets.end()}")
            if not config.repeat:
                return

    def _keep(self, packets: Packets, alive: Alive) -> None:
        self._tap.session(packets)
        moment = came if packets.source.live else paced
        for packet, at in moment(packets, alive):
            if not alive():
                return
            if self._tap.keeps_packets:
                self._tap.packet(packet, at)
            elif not is_sound(packet):
                self._compress(packets, packet, at)
            self._show(packets)

    def _show(self, packets: Packets) -> None:
        """That it is there, and how large, once that is known."""
        size = turned(self._tap.size or packets.size, self._config.rotate)
        if size != (0, 0) and (not self.status.online or size != self.status.size):
            self._reopening.online(size, packets.codec)

    def _compress(self, packets: Packets, packet: av.Packet[Any], at: float) -> None:
        import av

        try:
            pictures = packets.stream.codec_context.decode(packet)
        except av.FFmpegError:
            return
        for decoded in pictures:
            self._tap.picture(DecodedPicture(decoded, self._config.rotate, self._config.mask), at)


def came(packets: Packets, _alive: Alive) -> Iterator[tuple[av.Packet[Any], float]]:
    """Packets of a live stream as they come, and when they were taken."""
    arrivals = Arrivals(packets.has_clock)
    for packet in packets:
        if packet.size:
            yield packet, arrivals.of(packet)


def paced(packets: Packets, alive: Alive) -> Iterator[tuple[av.Packet[Any], float]]:
    """Packets of a file, each when it is time to decode it, and when it is shown.

    The first picture is shown at once, as in a stream that is decoded, although its timestamps may say that decoding
    begins before that.
    """
    timeline = Timeline(packets.interval_s)
    pace = Pace(time.monotonic(), time.time(), real_time=True)
    ahead_s = offset_s = None
    at = 0.0
    for packet in packets:
        if not packet.size:
            continue
        own_s = shown_s(packet)
        if not is_sound(packet):
            decoded_s = seconds(packet, packet.dts)
            at, _ = pace.reach(timeline.at(decoded_s), alive)
            if decoded_s is not None and own_s is not None:
                ahead_s = own_s - decoded_s if ahead_s is None else ahead_s
                offset_s = at - decoded_s - ahead_s
        yield packet, at if own_s is None or offset_s is None else own_s + offset_s


def record_config(config: Camera) -> Camera:
    """The record stream as a camera of its own. What describes the form of `source` does not describe it."""
    own = {"source": config.record, "record": None, "format": "auto", "pixel_format": None, "size": None, "fps": None}
    return config.model_copy(update=own)


def last_of(packets: Sequence[Packet]) -> VideoFrame | None:
    """The picture of the last packet, or the last one that there is."""
    import av

    decoder = decoder_of(packets[0].coding.codec, packets[0].coding.extradata)
    last = None
    for packet in [*[numbered(packet, n) for n, packet in enumerate(packets)], None]:
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            last = frame
            if frame.pts == len(packets) - 1:
                return frame
    return last


def numbered(packet: Packet, n: int) -> av.Packet[Any]:
    """A packet for a decoder, which gives the number back with its picture."""
    import av

    made = av.Packet(packet.data)
    made.pts = n
    return made
