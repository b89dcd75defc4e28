"""What an MP4 must say of H.264 and H.265: their parameter sets, and units with their length before them.

Cameras send Annex B, units behind start codes; files hold each unit behind its length. ISO/IEC 14496-15 says how the
one becomes the other, ITU-T H.264 and H.265 (7.3) what is read of a parameter set.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

H264_SPS, H264_PPS = 7, 8
H265_VPS, H265_SPS, H265_PPS = 32, 33, 34
PLAIN_PROFILES = {66, 77, 88}
"""Of H.264: baseline, main and extended say nothing of chroma and depth, as they have no choice."""
PROFILE_BYTES = 12
"""Of H.265's profile, tier and level."""
_START = re.compile(rb"\x00\x00\x01")


class Described(NamedTuple):
    """How a stream lies in an MP4."""

    config: bytes
    """AVCDecoderConfigurationRecord or HEVCDecoderConfigurationRecord."""
    to_sample: Callable[[bytes], bytes]
    """A packet as it came → as it is stored."""


def h264(extradata: bytes, first: bytes) -> Described:
    """Of a stream with this extradata, and this key frame. Raises ValueError where there are no parameter sets."""
    if extradata[:1] == b"\x01":
        return Described(extradata, bytes)
    sets = _sets(extradata, first, _h264_type, (H264_SPS, H264_PPS))
    [sps, *_], pictures = sets
    profile, chroma = sps[1], b""
    if profile not in PLAIN_PROFILES:
        chroma = bytes([0xFC | 1, 0xF8, 0xF8, 0]) if len(sps) < 5 else _h264_chroma(sps)
    record = bytes([1, *sps[1:4], 0xFF, 0xE0 | len(sets[0])]) + _counted(sets[0])
    return Described(record + bytes([len(pictures)]) + _counted(pictures) + chroma, _without(sets))


def h265(extradata: bytes, first: bytes) -> Described:
    """Of a stream with this extradata, and this key frame. Raises ValueError where there are no parameter sets."""
    if extradata[:1] == b"\x01":
        return Described(extradata, bytes)
    types = (H265_VPS, H265_SPS, H265_PPS)
    sets = _sets(extradata, first, _h265_type, types)
    profile, layers, nested, chroma, luma_bits, chroma_bits = _h265_sps(sets[1][0])
    record = bytes([1]) + profile + bytes([0xF0, 0, 0xFC, 0xFC | chroma, 0xF8 | luma_bits, 0xF8 | chroma_bits, 0, 0])
    record += bytes([layers << 3 | nested << 2 | 3, len(types)])
    for kind, units in zip(types, sets, strict=True):
        record += bytes([0x80 | kind]) + struct.pack(">H", len(units)) + _counted(units)
    return Described(record, _without(sets))


def units(annex_b: bytes) -> list[bytes]:
    """The units behind the start codes."""
    return [unit.rstrip(b"\0") for unit in _START.split(annex_b)[1:] if unit]


def _sets(
    extradata: bytes, first: bytes, type_of: Callable[[bytes], int], types: Iterable[int]
) -> tuple[list[bytes], ...]:
    """The parameter sets of each type, each once."""
    every = [*units(first), *units(extradata)]
    found = tuple(list(dict.fromkeys(unit for unit in every if unit and type_of(unit) == kind)) for kind in types)
    if not all(found):
        raise ValueError("its first key frame comes without parameter sets")
    return found


def _without(sets: Iterable[Collection[bytes]]) -> Callable[[bytes], bytes]:
    """Annex B → each unit behind its length; without the parameter sets that the record holds already."""
    told = frozenset[bytes]().union(*sets)

    def to_sample(packet: bytes) -> bytes:
        return b"".join([struct.pack(">I", len(unit)) + unit for unit in units(packet) if unit not in told])

    return to_sample


def _counted(parts: Iterable[bytes]) -> bytes:
    """Each behind its length in two bytes."""
    return b"".join([struct.pack(">H", len(part)) + part for part in parts])


def _h264_type(unit: bytes) -> int:
    return unit[0] & 0x1F


def _h265_type(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _h264_chroma(sps: bytes) -> bytes:
    """What the record of a high profile says of chroma format and depths."""
    bits = _Bits(sps, 4)
    bits.exp_golomb()  # Its number.
    chroma = bits.exp_golomb()
    if chroma == 3:
        bits.take(1)
    return bytes([0xFC | chroma & 3, 0xF8 | bits.exp_golomb() & 7, 0xF8 | bits.exp_golomb() & 7, 0])


def _h265_sps(sps: bytes) -> tuple[bytes, int, int, int, int, int]:
    """Profile, tier and level; temporal layers, whether nested; chroma format, and depths of luma and chroma over 8."""
    bits = _Bits(sps, 2)
    bits.take(4)
    more_layers, nested = bits.take(3), bits.take(1)
    profile = bytes(bits.take(8) for _ in range(PROFILE_BYTES))
    told = [(bits.take(1), bits.take(1)) for _ in range(more_layers)]
    if more_layers:
        bits.take(2 * (8 - more_layers))
    for has_profile, has_level in told:
        bits.take(88 * has_profile + 8 * has_level)
    bits.exp_golomb()  # Its number.
    chroma = bits.exp_golomb()
    if chroma == 3:
        bits.take(1)
    for _size in range(2):
        bits.exp_golomb()
    if bits.take(1):
        for _edge in range(4):
            bits.exp_golomb()
    return profile, more_layers + 1, nested, chroma & 3, bits.exp_golomb() & 7, bits.exp_golomb() & 7


class _Bits:
    """Reads a unit bit by bit, from this byte on. Raises ValueError where it is over."""

    def __init__(self, unit: bytes, skip_bytes: int) -> None:
        # A 3 after two zeros is there only so that no start code comes to be inside.
        payload = unit.replace(b"\0\0\3", b"\0\0")[skip_bytes:]
        self._text = "".join(f"{byte:08b}" for byte in payload[:256])
        self._place = 0

    def take(self, count: int) -> int:
        self._place += count
        if self._place > len(self._text):
            raise ValueError("its parameter sets are damaged")
        return int(self._text[self._place - count : self._place] or "0", 2)

    def exp_golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
