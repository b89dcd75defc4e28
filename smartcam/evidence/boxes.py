"""The boxes of a fragmented MP4 (ISO/IEC 14496-12), as bytes. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

SCALE = 90_000
"""A film's ticks a second: the clock of RTP's video, in which 25 and 30 pictures a second both come out even."""
PICTURES, SOUND = 1, 2
"""Numbers of the tracks."""
TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
"""The matrix that turns a picture, by degrees clockwise: x' = a·x + c·y, y' = b·x + d·y."""
KEY, NO_KEY = 0x0200_0000, 0x0101_0000
"""Flags of a picture that needs no other, and of one that does and cannot be begun with."""
JPEG_OBJECT, AAC_OBJECT = 0x6C, 0x40
"""ISO/IEC 14496-1, table 5."""
UNDETERMINED = 0x55C4
"""The language "und"."""


class Sample(NamedTuple):
    """One picture, or piece of sound, as it is stored."""

    data: bytes
    decode: int
    """Ticks of its track."""
    show: int
    is_key: bool = True


@dataclass(frozen=True, slots=True)
class PictureTrack:
    """What a film's pictures are."""

    entry: bytes
    """The sample description."""
    size_wh: tuple[int, int]
    rotate: int = 0
    """Degrees clockwise that make them upright."""
    delay: int = 0
    """Ticks from decoding the first to showing it: the film begins there."""


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """What a film's sound is."""

    entry: bytes
    rate: int
    """Samples, and ticks, a second."""


def header(pictures: PictureTrack, sound: SoundTrack | None, duration: int) -> bytes:
    """What stands before the fragments; its length does not depend on the `duration` in ticks."""
    mvhd = full(
        b"mvhd", 0, 0, struct.pack(">IIIIIH10x", 0, 0, SCALE, duration, 1 << 16, 1 << 8), UPRIGHT, bytes(24), u32(3)
    )
    tracks = [_picture_trak(pictures, duration), *([_sound_trak(sound, duration)] if sound else [])]
    trexes = [full(b"trex", 0, 0, struct.pack(">5I", n, 1, 0, 0, 0)) for n in range(1, len(tracks) + 1)]
    mvex = box(b"mvex", full(b"mehd", 0, 0, u32(duration)), *trexes)
    return box(b"ftyp", b"iso6", u32(0), b"iso6mp41isom") + box(b"moov", mvhd, *tracks, mvex)


def fragment(number: int, pictures: list[Sample], next_decode: int, sounds: list[Sample], sound_step: int) -> bytes:
    """The next pictures, of which the last is decoded until `next_decode`, and the sound that came with them."""
    rows = b"".join(
        struct.pack(
            ">IIII",
            end - one.decode,
            len(one.data),
            KEY if one.is_key else NO_KEY,
            max(0, one.show - one.decode),
        )
        for one, end in zip(pictures, [*[one.decode for one in pictures[1:]], next_decode], strict=True)
    )
    ends = [*[one.decode for one in sounds[1:]], sounds[-1].decode + sound_step] if sounds else []
    sound_rows = b"".join(
        struct.pack(">II", end - one.decode, len(one.data)) for one, end in zip(sounds, ends, strict=True)
    )
    data, heard = b"".join([one.data for one in pictures]), b"".join([one.data for one in sounds])

    def moof(data_at: int) -> bytes:
        trafs = [_traf(PICTURES, pictures, 0xF01, data_at, rows)]
        if sounds:
            trafs.append(_traf(SOUND, sounds, 0x301, data_at + len(data), sound_rows))
        return box(b"moof", full(b"mfhd", 0, 0, u32(number)), *trafs)

    return moof(len(moof(0)) + 8) + box(b"mdat", data, heard)


def _traf(track: int, samples: list[Sample], flags: int, data_at: int, rows: bytes) -> bytes:
    tfdt = full(b"tfdt", 1, 0, struct.pack(">Q", samples[0].decode))
    trun = full(b"trun", 0, flags, struct.pack(">II", len(samples), data_at), rows)
    return box(b"traf", full(b"tfhd", 0, 0x020000, u32(track)), tfdt, trun)


def _picture_trak(track: PictureTrack, duration: int) -> bytes:
    width, height = track.size_wh
    a, b, c, d = TURNS[track.rotate]
    # So that the turned picture begins at 0, 0 again.
    x, y = {0: (0, 0), 90: (height, 0), 180: (width, height), 270: (0, width)}[track.rotate]
    elst = full(b"elst", 0, 0, struct.pack(">IIIHH", 1, 0, track.delay, 1, 0))
    return box(
        b"trak",
        _tkhd(PICTURES, duration, _matrix(a, b, c, d, x, y), 0, (width, height)),
        *([box(b"edts", elst)] if track.delay else []),
        _mdia(SCALE, b"vide", b"video\0", full(b"vmhd", 0, 1, bytes(8)), track.entry),
    )


def _sound_trak(track: SoundTrack, duration: int) -> bytes:
    return box(
        b"trak",
        _tkhd(SOUND, duration, UPRIGHT, 1 << 8, (0, 0)),
        _mdia(track.rate, b"soun", b"sound\0", full(b"smhd", 0, 0, bytes(4)), track.entry),
    )


def _tkhd(track: int, duration: int, matrix: bytes, volume: int, size_wh: tuple[int, int]) -> bytes:
    width, height = size_wh
    fixed = struct.pack(">IIIxxxxI8xhhHxx", 0, 0, track, duration, 0, 0, volume)
    return full(b"tkhd", 0, 3, fixed, matrix, struct.pack(">II", width << 16, height << 16))


def _mdia(scale: int, handler: bytes, name: bytes, media_header: bytes, entry: bytes) -> bytes:
    mdhd = full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, scale, 0, UNDETERMINED, 0))
    hdlr = full(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name)
    dinf = box(b"dinf", full(b"dref", 0, 0, u32(1), full(b"url ", 0, 1)))
    # All of them empty: the samples are in the fragments.
    tables = [full(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    stbl = box(b"stbl", full(b"stsd", 0, 0, u32(1), entry), *tables, full(b"stsz", 0, 0, bytes(8)))
    return box(b"mdia", mdhd, hdlr, box(b"minf", media_header, dinf, stbl))


def picture_entry(kind: bytes, size_wh: tuple[int, int], *parts: bytes) -> bytes:
    """A sample description: 72 dots to the inch, 24 bits to the pixel."""
    return box(kind, struct.pack(">6xH16xHHII4xH32xHh", 1, *size_wh, 72 << 16, 72 << 16, 1, 24, -1), *parts)


def sound_entry(rate: int, channels: int, config: bytes) -> bytes:
    """Of AAC with this AudioSpecificConfig."""
    fixed = struct.pack(">6xH8xHH4xI", 1, channels, 16, rate << 16 if rate < 1 << 16 else 0)
    return box(b"mp4a", fixed, esds(AAC_OBJECT, config, is_sound=True))


def esds(object_type: int, config: bytes = b"", *, is_sound: bool = False) -> bytes:
    """ISO/IEC 14496-1, 7.2.6: what a decoder must know of a stream."""
    kind = (5 if is_sound else 4) << 2 | 1
    decoder = bytes([object_type, kind]) + bytes(11) + (_descriptor(5, config) if config else b"")
    inner = struct.pack(">HB", 1, 0) + _descriptor(4, decoder) + _descriptor(6, b"\2")
    return full(b"esds", 0, 0, _descriptor(3, inner))


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags."""
    return box(kind, u32(version << 24 | flags), *parts)


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def _descriptor(tag: int, body: bytes) -> bytes:
    assert len(body) < 128, "a longer one would need a longer length"
    return bytes([tag, len(body)]) + body


def _matrix(a: int, b: int, c: int, d: int, x: int, y: int) -> bytes:
    return struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, x << 16, y << 16, 1 << 30)


UPRIGHT = _matrix(1, 0, 0, 1, 0, 0)
