"""H.264 for what browsers do not play, and for what nobody may see as it is: decode, hide, encode."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, TypeAlias, cast

from smartcam.config.values import MAX_PIXELS
from smartcam.data import Coding, Packet
from smartcam.errors import Unavailable
from smartcam.evidence.boxes import SCALE

if TYPE_CHECKING:
    from av import Packet as Coded
    from av import VideoCodecContext, VideoFrame, VideoStream

log = logging.getLogger(__name__)

Change: TypeAlias = "Callable[[VideoFrame, float], VideoFrame]"
"""A decoded picture, and its monotonic time → the picture that is encoded, of even sides, yuv420p. The decoder's own
is never written to."""

HARDWARE = ("h264_v4l2m2m", "h264_nvenc", "h264_qsv", "h264_vaapi")
SOFTWARE = ("libx264", "libopenh264")
LAYOUTS = ("yuv420p", "nv12")
"""Of pixels; the first that an encoder takes."""
OPTIONS = {"libx264": {"preset": "veryfast", "crf": "23"}}
BITS_PER_PIXEL = 2
"""A second, for encoders that know no constant quality: 4 Mbit/s at 1080p."""
KEY_EVERY = 50
"""Pictures: two to four seconds."""
TRIAL_WH = (640, 360)
LIMITED_RANGE = 1
"""AVColorRange."""
TICK = Fraction(1, SCALE)


@dataclass(frozen=True, slots=True)
class Kind:
    """An encoder that works on this machine."""

    name: str
    layout: str

    def open(self, size_wh: tuple[int, int]) -> VideoCodecContext:
        import av

        encoder = av.CodecContext.create(self.name, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height = size_wh
        encoder.pix_fmt = self.layout
        encoder.time_base = TICK
        encoder.framerate = Fraction(25)  # A guess for its rate control: the pictures have their own times.
        encoder.gop_size = KEY_EVERY
        encoder.thread_count = max(1, (os.cpu_count() or 1) // 2)  # Detection needs the others.
        encoder.options = OPTIONS.get(self.name, {})
        if self.name not in OPTIONS:
            encoder.bit_rate = size_wh[0] * size_wh[1] * BITS_PER_PIXEL
        return encoder


@cache
def h264_encoder(size_wh: tuple[int, int] = TRIAL_WH) -> Kind:
    """The first that really encodes a picture of this size here: in hardware, else in software. Raises Unavailable."""
    for name in (*HARDWARE, *SOFTWARE):
        for layout in LAYOUTS:
            if _works(kind := Kind(name, layout), size_wh):
                log.info("clips of %dx%d that cannot stay as they are will be encoded by %s", *size_wh, name)
                return kind
    raise Unavailable("there is no H.264 encoder here: clips stay as the camera codes them, or are not made")


def _works(kind: Kind, size_wh: tuple[int, int]) -> bool:
    import av
    import numpy as np

    width, height = size_wh
    grey = av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), 128, np.uint8), "yuv420p")
    grey.pts, grey.time_base = 0, TICK
    try:
        encoder = kind.open(size_wh)
        return bool([*encoder.encode(grey.reformat(format=kind.layout)), *encoder.encode(None)])
    except (av.FFmpegError, ValueError, RuntimeError, NotImplementedError):
        return False  # ValueError: this build does not know it.


class Encoder:
    """Pictures → H.264 packets, all of the first one's size. Of one thread.

    Raises Unavailable where nothing here encodes, or the encoder gives up.
    """

    def __init__(self, rotate: int = 0) -> None:
        self._rotate = rotate
        self._kind: Kind | None = None
        self._context: VideoCodecContext | None = None
        self._coding = Coding("h264", (0, 0))
        self._origin = 0.0
        self._last = -1
        """Ticks of the last picture."""
        self._seq = count()

    def add(self, frame: VideoFrame, at: float) -> list[Packet]:
        """The picture of this time; what is ready by now comes out."""
        kind = self._kind or self._begin(frame, at)
        width, height = self._coding.size
        frame = frame.reformat(width, height, kind.layout)
        self._last = max(self._last + 1, round((at - self._origin) * SCALE))
        frame.pts, frame.time_base = self._last, TICK
        frame.pict_type = 0  # Which pictures are key frames is for the encoder to say.
        return self._packets(frame)

    def rest(self) -> list[Packet]:
        """What is left."""
        return self._packets(None) if self._context else []

    def _begin(self, frame: VideoFrame, at: float) -> Kind:
        self._origin = at
        self._coding = Coding("h264", (frame.width & ~1, frame.height & ~1), rotate=self._rotate)
        self._kind = h264_encoder(self._coding.size)
        self._context = self._kind.open(self._coding.size)
        self._context.colorspace, self._context.color_range = frame.colorspace, frame.color_range
        return self._kind

    def _packets(self, frame: VideoFrame | None) -> list[Packet]:
        import av

        assert self._context
        try:
            return [self._packet(packet) for packet in self._context.encode(frame)]
        except av.FFmpegError as error:
            raise Unavailable(f"the encoder {self._context.name} gave up: {error.strerror}") from None

    def _packet(self, packet: Coded[VideoStream]) -> Packet:
        show = packet.pts or 0
        decode = show if packet.dts is None else packet.dts
        return Packet(
            next(self._seq),
            self._origin + show / SCALE,
            self._origin + decode / SCALE,
            packet.is_keyframe,
            bytes(packet),
            self._coding,
        )


@dataclass(slots=True, eq=False)
class Retake:
    """Packets of one coding → H.264 packets, with `change` done to every picture between. Of one thread.

    What is damaged is passed over. Raises Unavailable where nothing here decodes or encodes it.
    """

    change: Change
    encoder: Encoder
    _decoder: VideoCodecContext | None = field(default=None, init=False)
    _origin: float = field(default=0.0, init=False)
    _session: Coding | None = field(default=None, init=False)

    def add(self, packet: Packet) -> Iterator[Packet]:
        """What is ready by now, in the order of decoding."""
        import av

        if packet.coding is not self._session:
            yield from self._decoded(None)
            self._session, self._origin = packet.coding, packet.at
            self._decoder = decoder_of(packet.coding)
        coded = cast("Coded[VideoStream]", av.Packet(packet.data))
        coded.pts = round((packet.at - self._origin) * SCALE)
        coded.dts = round((packet.decode_at - self._origin) * SCALE)
        yield from self._decoded(coded)

    def rest(self) -> Iterator[Packet]:
        yield from self._decoded(None)
        yield from self.encoder.rest()

    def _decoded(self, packet: Coded[VideoStream] | None) -> Iterator[Packet]:
        import av

        if self._decoder is None:
            return
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            return
        for frame in frames:
            if frame.pts is not None:
                at = self._origin + frame.pts / SCALE
                yield from self.encoder.add(self.change(frame, at), at)


def decoder_of(coding: Coding) -> VideoCodecContext:
    """Raises Unavailable where this codec is not known here."""
    import av

    try:
        decoder = av.CodecContext.create(coding.codec, "r")
    except ValueError:
        raise Unavailable(f"{coding.codec} cannot be decoded here") from None
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = coding.extradata or None
    decoder.width, decoder.height = coding.size
    if coding.pixel_format:
        decoder.pix_fmt = coding.pixel_format
    decoder.thread_type = "NONE"
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder


def plain(frame: VideoFrame, _at: float) -> VideoFrame:
    """The picture as it is, in a form that every encoder takes."""
    even = frame.reformat(frame.width & ~1, frame.height & ~1, "yuv420p")
    if frame.format.name.startswith("yuvj"):
        even.color_range = LIMITED_RANGE  # It has become so; not every version of PyAV says it.
    return even
