"""Packets → a film on the disk that grows while they come, and is never whole only at its end."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from smartcam.data import Coding, Packet
from smartcam.evidence.boxes import SCALE
from smartcam.evidence.mp4 import Film, stored
from smartcam.evidence.sound import Sound, sound_of

SYNC_S = 5.0
"""How often a growing film is forced to the disk: a power cut costs no more of it, and a card is not worn by it."""
LEAST_STEP = SCALE // 250
"""Ticks between two pictures: of what came in bursts, players think that something is missing afterwards."""

MOST_EARLY = 512
"""Pieces of sound that wait for the first picture: some ten seconds."""


class Footage:
    """A film in the making, from its first key frame on. Of one thread; the file is there while the `with` lasts.

    Raises OSError where it cannot be written, and ValueError in `add` where an MP4 cannot hold what comes.
    """

    def __init__(self, part: Path) -> None:
        self.part = part
        self.first: Packet | None = None
        self.end_at = 0.0
        """Monotonic seconds, when its last picture ends, about."""
        self.hears: Coding | None = None
        """Of the sound that comes with it; to be known before the first picture."""
        self._sound: Sound | None = None
        self._early: deque[Packet] = deque(maxlen=MOST_EARLY)
        """Sound that came before the first picture: an encoder holds that back."""
        self._film: Film | None = None
        self._decoded = -LEAST_STEP
        """Ticks of the last picture."""
        self._synced_at = 0.0

    def __enter__(self) -> Self:
        # Buffered by fragments, not by the file: what is written is there whole.
        self._file: BinaryIO = open(
            self.part, "wb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)
        )
        if os.geteuid() == 0:
            owner = self.part.parent.stat()
            os.fchown(self._file.fileno(), owner.st_uid, owner.st_gid)
        self._synced_at = time.monotonic()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, packet: Packet) -> None:
        """One picture, in the order of decoding, after a key frame; or a piece of sound."""
        if packet.audio:
            self._hear(packet)
            return
        film = self._film or self._begin(packet)
        decode = max(self._decoded + LEAST_STEP, self._ticks(packet.decode_at))
        film.add(packet.data, decode, self._ticks(packet.at), is_key=packet.is_key)
        self._decoded = decode
        self.end_at = max(self.end_at, packet.at)
        if time.monotonic() - self._synced_at >= SYNC_S:
            os.fdatasync(self._file.fileno())
            self._synced_at = time.monotonic()

    def end(self) -> None:
        """Write what is left, and force all of it to the disk. Nothing may be added any more."""
        if self._film and self.first:
            self.end_at = self.first.at + self._film.end() / SCALE
        os.fsync(self._file.fileno())

    def cut(self) -> bool:
        """Give up what could not be written whole; whether there is anything to be seen in what stays."""
        if self._film is None or self.first is None:
            return False
        self.end_at = self.first.at + self._film.cut() / SCALE
        return self._film.fragments > 0

    def _begin(self, first: Packet) -> Film:
        delay = max(0, round((first.at - first.decode_at) * SCALE))
        pictures = stored(first.coding, first.data, delay)
        if self.hears:
            self._sound = sound_of(self.hears, first.at)
        self._film = Film(self._file, pictures, self._sound.track if self._sound else None)
        self._film.begin()
        self.first = first
        while self._early:
            self._hear(self._early.popleft())
        return self._film

    def _hear(self, packet: Packet) -> None:
        if self._film is None:
            self._early.append(packet)
        elif self._sound:
            for data, tick in self._sound.add(packet):
                self._film.hear(data, tick)

    def _ticks(self, at: float) -> int:
        assert self.first
        return round((at - self.first.decode_at) * SCALE)
