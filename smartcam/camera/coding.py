"""How a stream is coded, as its key frames say it: it may be joined in the middle, and change while it goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smartcam.config.values import MAX_PIXELS
from smartcam.data import Coding

if TYPE_CHECKING:
    import av
    from av import VideoCodecContext, VideoFrame

START_CODE = b"\x00\x00\x01"
_START = re.compile(START_CODE)
PICTURES: Mapping[str, range] = {"h264": range(1, 6), "hevc": range(32)}
"""Units that hold a picture's own data (ITU-T H.264, table 7-1; H.265, table 7-1): parameter sets come before."""
SETS: Mapping[str, tuple[int, ...]] = {"h264": (7, 8), "hevc": (32, 33, 34)}
"""Sequence and picture parameter sets; H.265 has video parameter sets too."""
JPEG_SIZES = frozenset({0xC0, 0xC1, 0xC2})
"""Markers of a frame header, which says how large a JPEG is (ITU-T T.81, table B.1)."""
JPEG_SCAN = 0xDA


class Codings:
    """Of the pictures of one session: gives each packet's, the same object until a key frame says something else.

    None where it is not known: before the first key frame, and where that is damaged.
    """

    def __init__(self, rotate: int) -> None:
        self._rotate = rotate
        self._coding: Coding | None = None
        self._known: frozenset[bytes] = frozenset()

    def of(self, packet: av.Packet[Any], data: bytes) -> Coding | None:
        if not packet.is_keyframe:
            return self._coding
        context = packet.stream.codec_context
        extradata = bytes(context.extradata or b"")
        # That which begins so is of a file, whose packets have no start codes, and no parameter sets either.
        told = form_of(context.name, data) if extradata[:1] != b"\x01" else ()
        if self._coding is None or not self._known.issuperset(told):
            begun_with = frozenset(form_of(context.name, extradata))
            is_as_opened = begun_with.issuperset(told)
            self._known = begun_with if is_as_opened else frozenset(told)
            self._coding = coding_of(context, data, () if is_as_opened else told, self._rotate)
        return self._coding


def form_of(codec: str, data: bytes) -> tuple[bytes, ...]:
    """What a key frame, or the extradata, says of the pictures to come: its parameter sets; a JPEG's size.

    Of H.264 and H.265 in Annex B; nothing is read beyond where the first picture begins.
    """
    if codec == "mjpeg":
        return tuple(_jpeg_sizes(data))
    if codec not in SETS:
        return ()
    sets = []
    starts = (found.end() for found in _START.finditer(data))
    begin = next(starts, len(data))
    while begin < len(data) and (kind := _kind(codec, data[begin])) not in PICTURES[codec]:
        end = next(starts, len(data) + len(START_CODE))
        if kind in SETS[codec]:
            sets.append(data[begin : end - len(START_CODE)].rstrip(b"\0"))
        begin = end
    return tuple(dict.fromkeys(sets))


def coding_of(context: VideoCodecContext, data: bytes, told: tuple[bytes, ...], rotate: int) -> Coding | None:
    """How a key frame with this data is coded; `told` is what its stream was not opened with, see `form_of`.

    Where it does not say how large it is, it is decoded. None where that is not possible.
    """
    codec, extradata = str(context.name), bytes(context.extradata or b"")
    if told and codec in SETS:
        extradata = b"".join(b"\0" + START_CODE + each for each in told)
    if context.width and not told:
        return Coding(codec, (context.width, context.height), extradata, context.pix_fmt, rotate)
    frame = _decoded(codec, extradata, data)
    return Coding(codec, (frame.width, frame.height), extradata, frame.format.name, rotate) if frame else None


def sound_coding_of(packet: av.Packet[Any]) -> Coding:
    """Sound has its rate and channels for a size."""
    context = packet.stream.codec_context
    return Coding(context.name, (context.sample_rate, context.channels), bytes(context.extradata or b""))


def decoder_of(codec: str, extradata: bytes) -> VideoCodecContext:
    """A new decoder, of no picture larger than MAX_PIXELS."""
    import av

    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.extradata = extradata or None
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return context


def _decoded(codec: str, extradata: bytes, data: bytes) -> VideoFrame | None:
    import av

    decoder = decoder_of(codec, extradata)
    try:
        return next(iter([*decoder.decode(av.Packet(data)), *decoder.decode(None)]), None)
    except av.FFmpegError:
        return None


def _kind(codec: str, first: int) -> int:
    """Of a unit, by its first byte."""
    return first & 0x1F if codec == "h264" else first >> 1 & 0x3F


def _jpeg_sizes(data: bytes) -> Iterator[bytes]:
    """A JPEG's frame header: precision, height, width and components."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != JPEG_SCAN:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] in JPEG_SIZES:
            yield data[at + 4 : at + 2 + length]
        at += 2 + length
