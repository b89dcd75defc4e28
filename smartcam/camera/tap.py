"""Fills a stream's ring: with its packets as they come, or, where they are not compressed, with JPEGs."""

from __future__ import annotations

import itertools
import logging
import math
from collections import deque
from typing import TYPE_CHECKING, Any

from smartcam.camera.coding import Codings, sound_coding_of
from smartcam.camera.packets import Packets, is_sound, seconds, shown_s
from smartcam.camera.ring import Ring
from smartcam.data import Coding, Packet, Picture

if TYPE_CHECKING:
    import av

log = logging.getLogger(__name__)

COMPACT = frozenset({"h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "libdav1d"})
"""Codecs whose packets are kept as they are."""
STEP_S = 0.001
"""Between two packets, at least: files want times that go on."""
MOST_HELD = 512
"""Packets of which the time is not known yet: a file that gives so many without a picture is damaged."""

PICTURES_A_S = 15.0
LONGEST = 1280
"""Of a compressed picture's sides, in pixels."""
JPEG_QUALITY = 80


class Tap:
    """Numbers and times the packets of one stream, over all its sessions, and puts them into its ring.

    A session of a live stream says when each packet was taken (`packet`). That of a recording lets it `hold` them
    until one of its pictures is shown, because it reads them earlier. While the ring wants nothing, nothing is done.

    Nothing is kept before the first key frame. One that says something else of the pictures to come than those before
    it, their size above all, begins another coding.
    """

    def __init__(self, ring: Ring, rotate: int = 0, name: str = "") -> None:
        self.ring = ring
        self.size: tuple[int, int] | None = None
        """Of this session's pictures, as coded; None where none was kept yet."""
        self._name = name
        self._rotate = rotate
        self._seq = itertools.count()
        self._held: deque[av.Packet[Any]] = deque(maxlen=MOST_HELD)
        self._codings = Codings(rotate)
        self._sound: Coding | None = None
        self._decode_at = [-math.inf, -math.inf]
        """Of the last picture, and of the last piece of sound."""
        self._jpeg: Coding | None = None
        self._has_told = False
        """That the ring is too small, in this session."""
        self._next_jpeg_at = -math.inf
        self.keeps_packets = False
        """Whether this session's packets are kept; if not, its pictures are to be given to `picture`."""

    def session(self, packets: Packets | None) -> None:
        """A stream was opened; None is one that has pictures alone. What comes of it does not continue the last."""
        self.keeps_packets = packets is not None and packets.codec in COMPACT
        self._held.clear()
        self._codings = Codings(self._rotate)
        self._sound = None
        self.size = None
        self._jpeg = None
        self._has_told = self.ring.overflows = False
        self.ring.cut()

    def packet(self, packet: av.Packet[Any], at: float) -> None:
        """Keep a packet whose picture was taken at `at`."""
        if not self._wants(packet):
            return
        sound, data = is_sound(packet), bytes(packet)
        coding = self._sound_of(packet) if sound else self._codings.of(packet, data)
        if coding is None:
            return
        if not sound:
            self.size = coding.size
        reordered_s = max((seconds(packet, packet.pts) or 0.0) - (seconds(packet, packet.dts) or 0.0), 0.0)
        known = packet.pts is not None and packet.dts is not None
        decode_at = max(at - reordered_s if known else at, self._decode_at[sound] + STEP_S)
        self._decode_at[sound] = decode_at
        self.ring.add(
            Packet(
                next(self._seq),
                max(at, decode_at),
                decode_at,
                is_key=packet.is_keyframe or sound,
                data=data,
                coding=coding,
                audio=sound,
            )
        )
        if self.ring.overflows and not self._has_told:
            self._tell()

    def hold(self, packet: av.Packet[Any]) -> None:
        """Keep a packet whose time is not known before `shown` tells it."""
        if self._wants(packet):
            self._held.append(packet)

    def shown(self, timestamp_s: float | None, at: float) -> None:
        """A recording's picture with this timestamp is shown at `at`; what was read until now keeps its distance."""
        while self._held:
            packet = self._held.popleft()
            own_s = shown_s(packet)
            self.packet(packet, at if own_s is None or timestamp_s is None else at + own_s - timestamp_s)

    def picture(self, picture: Picture, at: float) -> None:
        """Compress a picture of a session whose packets are not kept: some of them, upright, and no larger than it
        takes to see what was there."""
        if self.keeps_packets or self.ring.max_s <= 0 or at < self._next_jpeg_at:
            return
        # Due by a clock of its own, so that pictures at 16 a second are not thinned to 8.
        self._next_jpeg_at = max(self._next_jpeg_at, at - 1 / PICTURES_A_S) + 1 / PICTURES_A_S
        size = within(picture.size, LONGEST)
        if self._jpeg is None or self._jpeg.size != size:
            self._jpeg = Coding("mjpeg", size)
        self._decode_at[False] = at = max(at, self._decode_at[False] + STEP_S)
        self.ring.add(Packet(next(self._seq), at, at, True, jpeg_of(picture, size), self._jpeg))

    def _wants(self, packet: av.Packet[Any]) -> bool:
        return self.keeps_packets and self.ring.max_s > 0 and packet.size > 0

    def _sound_of(self, packet: av.Packet[Any]) -> Coding:
        self._sound = self._sound or sound_coding_of(packet)
        return self._sound

    def _tell(self) -> None:
        self._has_told = True
        log.warning(
            "camera %s: the last %g s of its video take more than %d MiB: clips and pictures reach back less far; "
            "let it send fewer bits a second",
            self._name,
            self.ring.max_s,
            self.ring.max_bytes >> 20,
        )


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size, made smaller if need be; then even, as most codecs want it."""
    share = longest / max(size)
    if share >= 1:
        return size
    width, height = (max(round(side * share / 2) * 2, 2) for side in size)
    return width, height


def jpeg_of(picture: Picture, size: tuple[int, int]) -> bytes:
    """Faster than FFmpeg's own encoder, the way over RGB included; and a picture's mask holds."""
    import cv2

    bgr = cv2.cvtColor(picture.rgb(size=size), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "a picture of at least one pixel can be compressed"
    return data.tobytes()
