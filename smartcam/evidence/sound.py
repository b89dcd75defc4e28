"""What a clip lets hear: AAC as it comes, and what cameras send otherwise (G.711, mostly) made into it."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smartcam.data import Coding, Packet
from smartcam.evidence.boxes import SoundTrack, sound_entry
from smartcam.evidence.mp4 import SOUND_STEP

if TYPE_CHECKING:
    from av import AudioCodecContext

log = logging.getLogger(__name__)

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""ISO/IEC 14496-3, table 1.18: AAC names a rate by its place here."""
AAC_LC = 2
DRIFT_S = 0.2
"""Sound that is further off than this from its pictures has a gap before it."""


def sound_of(coding: Coding, begin_at: float) -> Sound | None:
    """None where it cannot be kept: pictures without sound are better than none."""
    try:
        return Sound(coding, begin_at)
    except ValueError as error:
        log.warning("a clip is silent: %s", error)
        return None


class Sound:
    """One stream's sound → pieces of AAC, with their ticks since `begin`. Of one thread.

    Raises ValueError where an MP4 cannot hold it, or nothing here decodes it.
    """

    def __init__(self, coding: Coding, begin_at: float) -> None:
        self._rate, self._channels = coding.size
        self._begin_at = begin_at
        self._samples = 0
        """How many have come so far."""
        self._origin: int | None = None
        """The tick of the first."""
        self._last = -1
        """Tick of the last piece."""
        stays = coding.codec == "aac" and len(coding.extradata) >= 2
        if not stays and self._rate not in RATES:
            raise ValueError(f"sound of {self._rate} samples a second cannot be kept")
        self._coder = None if stays else _Coder(coding)
        config = coding.extradata if stays else _config(self._rate, self._channels)
        self.track = SoundTrack(sound_entry(self._rate, self._channels, config), self._rate)

    def add(self, packet: Packet) -> Iterator[tuple[bytes, int]]:
        """What is ready by now. What is damaged, or comes before the film begins, is passed over."""
        tick = round((packet.at - self._begin_at) * self._rate)
        # Samples are counted, as packets come by fits and starts; only what is missing is not.
        if self._origin is None or tick - self._origin - self._samples > DRIFT_S * self._rate:
            self._origin = tick - self._samples
        if self._coder:
            came, pieces = self._coder.add(packet.data)
        else:
            came, pieces = SOUND_STEP, [(packet.data, self._samples)]
        self._samples += came
        for data, begins in pieces:
            if self._origin + begins > self._last:
                self._last = self._origin + begins
                yield data, self._last


class _Coder:
    """Sound of any codec → AAC."""

    def __init__(self, coding: Coding) -> None:
        import av

        self._rate, channels = coding.size
        layout = "mono" if channels == 1 else "stereo"
        self._decoder: AudioCodecContext = _context(coding.codec, "r")
        self._decoder.sample_rate, self._decoder.layout = self._rate, layout
        self._decoder.extradata = coding.extradata or None
        self._encoder: AudioCodecContext = _context("aac", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = self._rate, layout, "fltp"
        self._resampler = av.AudioResampler("fltp", layout, self._rate, SOUND_STEP)
        self._samples = 0

    def add(self, data: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """How many samples these were, and the pieces that are ready, each with the number of its first sample."""
        import av

        try:
            heard = self._decoder.decode(av.Packet(data))
        except av.FFmpegError:
            return 0, []
        before, pieces = self._samples, []
        for frame in heard:
            frame.pts, frame.sample_rate = self._samples, self._rate
            self._samples += frame.samples
            for piece in self._resampler.resample(frame):
                pieces += [(bytes(packet), packet.pts or 0) for packet in self._encoder.encode(piece)]
        return self._samples - before, pieces


def _context(codec: str, mode: str) -> AudioCodecContext:
    import av

    context = av.CodecContext.create(codec, "r" if mode == "r" else "w")
    if not isinstance(context, av.AudioCodecContext):
        raise ValueError(f"{codec} is no sound")
    return context


def _config(rate: int, channels: int) -> bytes:
    """AudioSpecificConfig of plain AAC."""
    return struct.pack(">H", AAC_LC << 11 | RATES.index(rate) << 7 | min(channels, 2) << 3)
