"""Fragmented MP4: a film that is whole up to its last fragment, wherever the power failed.

Written here rather than by FFmpeg, so that every fragment reaches the disk in one piece, packets need no codec to be
opened, and a camera that hangs upside down plays upright.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from smartcam.data import Coding
from smartcam.evidence.boxes import (
    JPEG_OBJECT,
    SCALE,
    PictureTrack,
    Sample,
    SoundTrack,
    box,
    esds,
    fragment,
    header,
    picture_entry,
)
from smartcam.evidence.nal import h264, h265

FRAGMENT_S = 1.0
LONGEST_FRAGMENT_BYTES = 16 << 20
LONE_PICTURE_S = 0.04
"""How long a film's only picture stands."""
SOUND_STEP = 1024
"""Samples in a piece of AAC."""
REMUXED = ("h264", "hevc", "mjpeg")
"""What can be put into an MP4 as it is."""
BROWSERS_PLAY = ("h264", "hevc")


class Stored(NamedTuple):
    """How a stream lies in an MP4."""

    track: PictureTrack
    to_sample: Callable[[bytes], bytes]
    """A packet as it came → as it is stored."""


def stored(coding: Coding, first: bytes, delay: int = 0) -> Stored:
    """Of a stream that begins with this key frame, `delay` ticks before it is shown.

    Raises ValueError where an MP4 cannot hold it.
    """
    to_sample: Callable[[bytes], bytes] = bytes
    match coding.codec:
        case "h264":
            config, to_sample = h264(coding.extradata, first)
            entry = picture_entry(b"avc1", coding.size, box(b"avcC", config))
        case "hevc":
            config, to_sample = h265(coding.extradata, first)
            entry = picture_entry(b"hvc1", coding.size, box(b"hvcC", config))
        case "mjpeg":
            entry = picture_entry(b"mp4v", coding.size, esds(JPEG_OBJECT))
        case other:
            raise ValueError(f"{other} cannot be kept as it is")
    return Stored(PictureTrack(entry, coding.size, coding.rotate, delay), to_sample)


class Film:
    """Writes a fragmented MP4 to an open file, a fragment at a time: at least one each second. Raises OSError.

    `file` must not be buffered. Pictures are added in the order of decoding, from tick 0 on; the first must be a key
    frame, and is shown after the track's `delay`. Sound begins with it at 0.
    """

    def __init__(self, file: BinaryIO, pictures: Stored, sound: SoundTrack | None = None) -> None:
        self.fragments = 0
        """How many are written."""
        self._written = 0
        """Bytes up to the end of the last whole fragment."""
        self._file = file
        self._pictures = pictures
        self._sound = sound
        self._samples: list[Sample] = []
        self._sounds: list[Sample] = []
        self._bytes = 0
        self._ends = 0
        """Ticks at which the last picture that was written ends being shown."""

    def begin(self) -> None:
        """Write what stands before the fragments."""
        self._write(header(self._pictures.track, self._sound, 0))

    def add(self, data: bytes, decode: int, show: int, *, is_key: bool) -> None:
        """One picture; `decode` rises strictly."""
        is_full = self._bytes > LONGEST_FRAGMENT_BYTES
        if self._samples and (is_full or decode - self._samples[0].decode >= FRAGMENT_S * SCALE):
            self._flush(decode)
        sample = Sample(self._pictures.to_sample(data), decode, show, is_key)
        self._samples.append(sample)
        self._bytes += len(sample.data)

    def hear(self, data: bytes, at: int) -> None:
        """One piece of sound, at this tick of its track, which rises strictly."""
        self._sounds.append(Sample(data, at, at))

    def end(self) -> int:
        """Write what is left, and how long the film is; that, in ticks."""
        if self._samples:
            steps = [after.decode - one.decode for one, after in pairwise(self._samples)]
            self._flush(self._samples[-1].decode + (steps[-1] if steps else round(LONE_PICTURE_S * SCALE)))
        return self._tell_duration()

    def cut(self) -> int:
        """Give up what could not be written whole: the film ends with its last whole fragment; how long it is."""
        self._samples = []
        self._file.truncate(self._written)
        return self._tell_duration()

    def _tell_duration(self) -> int:
        duration = max(0, self._ends - self._pictures.track.delay)
        self._file.seek(0)
        self._file.write(header(self._pictures.track, self._sound, duration))
        self._file.seek(self._written)
        return duration

    def _flush(self, next_decode: int) -> None:
        samples, self._samples, self._bytes = self._samples, [], 0
        sounds, self._sounds = self._sounds, []
        self._write(fragment(self.fragments + 1, samples, next_decode, sounds, SOUND_STEP))
        self.fragments += 1
        shown = max(sample.show for sample in samples)
        self._ends = max(self._ends, shown + next_decode - samples[-1].decode)

    def _write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += self._file.write(memoryview(data)[done:])
        self._written += len(data)


def whole_fragments(file: BinaryIO) -> int:
    """The bytes of a fragmented MP4 up to the end of its last whole fragment; 0 where it has none."""
    whole, last, seen = 0, b"", set()
    for kind, end in _boxes(file, file.seek(0, os.SEEK_END)):
        seen.add(kind)
        if kind == b"mdat" and last == b"moof" and b"moov" in seen:
            whole = end
        last = kind
    return whole


def salvage(part: Path) -> bool:
    """Cut a film that broke off to its last whole fragment, durably; false where nothing of it can be played.

    Raises OSError.
    """
    with part.open("r+b") as file:
        whole = whole_fragments(file)
        if whole:
            file.truncate(whole)
            file.flush()
            os.fsync(file.fileno())
        return whole > 0


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """The kinds of the boxes that are there whole, and where each ends."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        place += length
        if length < 8 or place > size:
            return
        yield kind, place
