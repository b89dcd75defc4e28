"""Opening a source, and the compressed packets that come out of it."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartcam.camera.child import Child
from smartcam.camera.source import MAX_PIXELS, Source, shown
from smartcam.config.sections import Camera
from smartcam.errors import Unavailable

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

PROBE_S = {"command": 0.5, "network": 2.0, "device": 0.5}
"""How much of a live stream is looked at, at most, before the first picture. Its packets are kept, not dropped (no
`nobuffer`): the key frame that the first picture needs is among them, and the next may be ten seconds away."""

TOO_LARGE = f"larger than {MAX_PIXELS >> 20} megapixels"
"""What FFmpeg's `max_pixels` refuses looks to it as if it were damaged."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The video packets of an open source, in the order of decoding, and at the end an empty one that flushes.

    Iterating raises Unavailable when the source fails, or is silent for longer than its read time-out.
    """

    source: Source
    stream: VideoStream
    _container: InputContainer
    _child: Child | None
    _read_timeout_s: float

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

    def end(self) -> str:
        """Why there are no more packets, as a clause."""
        return (self._child and self._child.ended()) or "the stream ended"

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        import av

        packets = self._container.demux(self.stream)
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


@contextmanager
def open_packets(source: Source, config: Camera) -> Iterator[Packets]:
    """Open what is no folder of pictures. Raises Unavailable, within about the open time-out, when it cannot be."""
    with ExitStack() as open_parts:
        child = open_parts.enter_context(Child(source.command)) if source.kind == "command" else None
        container = open_parts.enter_context(opened(source, config, child))
        stream = video_of(container, source)
        prepare(stream, source)
        yield Packets(source, stream, container, child, config.read_timeout)


def opened(source: Source, config: Camera, child: Child | None) -> InputContainer:
    import av

    if child:
        child.expect(config.open_timeout)
    asked_at = time.monotonic()
    try:
        return av.open(
            child or source.place,
            "r",
            format=source.av_format,
            options=probing(source) | dict(source.options),
            timeout=(config.open_timeout, config.read_timeout),
        )
    except (av.FFmpegError, OSError) as error:
        late = time.monotonic() - asked_at >= config.open_timeout
        why = f"no video within {config.open_timeout:g} s" if late else reason(error, child)
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
        case OSError() if error.errno == errno.EIO:
            return "it broke off"
        case OSError() | av.FFmpegError():
            return shown(error.strerror or type(error).__name__).lower()
    return type(error).__name__
