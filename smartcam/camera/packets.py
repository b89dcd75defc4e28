"""Opening a source, and the compressed packets that come out of it."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from smartcam.camera.child import Child
from smartcam.camera.source import Source
from smartcam.config.secrets import masked
from smartcam.config.sections import Camera
from smartcam.config.values import MAX_PIXELS
from smartcam.errors import Unavailable
from smartcam.workers import Alive

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream
    from av.container import InputContainer

PROBE_S = {"command": 0.5, "network": 2.0, "device": 0.5}
"""How much of a live stream is looked at, at most, before the first picture. Its packets are kept, not dropped (no
`nobuffer`): the key frame that the first picture needs is among them, and the next may be ten seconds away."""

BUSY_S = 2.0
"""How long opening a device may take. FFmpeg asks it without a pause until its first picture is there; after that it
is open all the same, and the first picture is waited for in reading."""
NAP_S = 0.01
"""Between two questions to a device whether it has a picture: less than the pause between two pictures."""

WITHOUT_CLOCK = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS: of raw elementary streams, among others."""

TOO_LARGE = f"larger than {MAX_PIXELS >> 20} megapixels"
"""What FFmpeg's `max_pixels` refuses looks to it as if it were damaged."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """As a number: the seconds that are left until then.

    PyAV opens in two steps, connecting and probing, and reads the open time-out anew for each: so they share it.
    """

    at: float

    def __float__(self) -> float:
        return max(self.at - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets of an open source, in the order of decoding, and at the end an empty one that flushes.

    Those of its sound are among them where that was asked for. Iterating raises Unavailable when the source fails, or
    is silent for longer than its read time-out.
    """

    source: Source
    stream: VideoStream
    _container: InputContainer
    _child: Child | None
    _read_timeout_s: float
    _alive: Alive
    sound: AudioStream | None = None

    @property
    def codec(self) -> str:
        return str(self.stream.codec_context.name)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures as they are decoded."""
        return self.stream.codec_context.width, self.stream.codec_context.height

    @property
    def interval_s(self) -> float:
        """Seconds between two frames, as far as the stream says so."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return 1 / float(rate) if rate else 1 / 25

    @property
    def duration_s(self) -> float | None:
        """How long the stream says that it is."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else None

    @property
    def has_clock(self) -> bool:
        """Whether its timestamps are its own, rather than counted by FFmpeg at a rate that nobody gave."""
        form = self._container.format
        return not (form.flags & WITHOUT_CLOCK or form.name == "rawvideo" or form.name.endswith("_pipe"))

    def end(self) -> str:
        """Why there are no more packets, as a clause."""
        return (self._child and self._child.ended()) or "the stream ended"

    def __iter__(self) -> Iterator[Packet[Any]]:
        import av

        packets = self._polled() if self.source.kind == "device" else self._demuxed()
        while True:
            if self._child:
                self._child.expect(self._read_timeout_s)
            asked_at = time.monotonic()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                silent = time.monotonic() - asked_at >= self._read_timeout_s
                why = f"silent for {self._read_timeout_s:g} s" if silent else reason(error, self._child)
                raise Unavailable(f"{self.source.shown}: {why}") from None
            if packet is None:
                return
            yield packet

    def _demuxed(self) -> Iterator[Packet[Any]]:
        return self._container.demux(*([self.stream, self.sound] if self.sound else [self.stream]))

    def _polled(self) -> Iterator[Packet[Any]]:
        """The packets of a device, which is never waited for in the driver. Raises TimeoutError."""
        packets = self._demuxed()
        asked_at = time.monotonic()
        while self._alive():
            try:
                packet = next(packets, None)
            except BlockingIOError:
                if time.monotonic() - asked_at >= self._read_timeout_s:
                    raise TimeoutError from None
                time.sleep(NAP_S)
                packets = self._demuxed()
                continue
            if packet is None:
                return
            yield packet
            asked_at = time.monotonic()


@contextmanager
def open_packets(source: Source, config: Camera, alive: Alive, *, sound: bool = False) -> Iterator[Packets]:
    """Open what is no folder of pictures; with its `sound`, if that is wanted, and it has any.

    Raises Unavailable, at the latest after the open time-out, when it cannot be opened.
    A command is given up, in opening and in reading, as soon as `alive` ends; a device in reading.
    """
    with ExitStack() as open_parts:
        child = open_parts.enter_context(Child(source.command, alive)) if source.kind == "command" else None
        container = open_parts.enter_context(opened(source, config, child))
        stream = video_of(container, source)
        prepare(stream, source)
        heard = sound_of(container) if sound else None
        yield Packets(source, stream, container, child, config.read_timeout, alive, heard)


def opened(source: Source, config: Camera, child: Child | None) -> InputContainer:
    """The container, within one deadline for connecting and probing. Raises Unavailable with the reason."""
    import av

    patience_s = min(config.open_timeout, BUSY_S) if source.kind == "device" else config.open_timeout
    deadline = Deadline(time.monotonic() + patience_s)
    if child:
        child.expect(patience_s)
    try:
        return av.open(
            child or source.place,
            "r",
            format=source.av_format,
            options=probing(source) | dict(source.options),
            timeout=(cast("float", deadline), config.read_timeout),
        )
    except (av.FFmpegError, OSError) as error:
        why = reason(error, child) if float(deadline) else f"no video within {patience_s:g} s"
        raise Unavailable(f"{source.shown}: {why}") from None


def probing(source: Source) -> dict[str, str]:
    limit = {"max_pixels": str(MAX_PIXELS)}
    if not source.live:
        return limit
    return limit | {"analyzeduration": str(int(PROBE_S[source.kind] * 1e6)), "fpsprobesize": "0"}


def video_of(container: InputContainer, source: Source) -> VideoStream:
    """The stream with the pictures."""
    if not container.streams.video:
        raise Unavailable(f"{source.shown}: there is no video in it")
    stream = container.streams.video[0]
    decoder = stream.codec_context
    if decoder is None:
        raise Unavailable(f"{source.shown}: its video is in a format that cannot be decoded here; use H.264 or H.265")
    if not decoder.width and not source.live:
        raise Unavailable(f"{source.shown}: its pictures are damaged, or {TOO_LARGE}")
    return stream


def sound_of(container: InputContainer) -> AudioStream | None:
    """The first stream with sound whose form is known, if there is one."""
    return next((each for each in container.streams.audio if each.codec_context), None)


def is_sound(packet: Packet[Any]) -> bool:
    return bool(packet.stream.type == "audio")


def seconds(packet: Packet[Any], ticks: int | None) -> float | None:
    """A packet's `pts` or `dts` in seconds."""
    return float(ticks * packet.time_base) if ticks is not None and packet.time_base else None


def shown_s(packet: Packet[Any]) -> float | None:
    """When it is to be shown, or else decoded, in seconds of the stream's own clock."""
    return seconds(packet, packet.pts if packet.pts is not None else packet.dts)


def prepare(stream: VideoStream, source: Source) -> None:
    """Set the decoder up: no picture larger than MAX_PIXELS, and no threads.

    Frame threads would each hold a picture back, and slice threads cost a tenth more for cameras that send one slice.
    """
    decoder = stream.codec_context
    decoder.thread_type = "NONE"
    # With low delay, H.264 that does not say so is taken to have no frames to reorder, until one comes.
    live_options = {"flags": "+low_delay"} if source.live else {}
    decoder.options = {"max_pixels": str(MAX_PIXELS), **live_options}


def reason(error: Exception, child: Child | None) -> str:
    """What went wrong, as a clause without a password: never the error's own text, which repeats the URL."""
    import av

    if child and (ended := child.ended()):
        return ended
    match error:
        case TimeoutError() | av.error.ExitError():
            return "it does not answer; check the address and the camera"
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return "the user name or the password is refused; correct username and password_file"
        case av.error.HTTPNotFoundError():
            return "there is no such stream there; correct the path in the URL"
        case ConnectionRefusedError():
            return "nothing answers at that address; check that the camera is on, and the port"
        case av.error.InvalidDataError():
            return "what is in it is no video, or damaged; see what `ffprobe` says about it"
        case PermissionError():
            return "permission denied; let the daemon's user read it (for a camera: the group video)"
        case OSError() if error.errno == errno.EIO:
            return "it broke off"
        case OSError() | av.FFmpegError():
            return masked(error.strerror or type(error).__name__).lower()
    return type(error).__name__
