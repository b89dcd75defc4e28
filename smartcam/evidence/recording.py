"""One clip in the making: an event's packets, from before it began until it is over."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from smartcam.config.rule import Clip
from smartcam.data import Coding, Event, Packet, Point
from smartcam.evidence.encode import Change, Encoder, Retake
from smartcam.evidence.footage import Footage

log = logging.getLogger(__name__)

GRACE_S = 3.0
"""How long packets of the clip's last moment may be on their way."""
PATIENCE_S = 10.0
"""How long it is waited for somebody to have looked; what nobody looked at is hidden altogether."""
MOST_HELD_BYTES = 48 << 20
"""Of packets that wait for the encoder: a minute at 6 Mbit/s."""
LACK_S = 1.0
"""What may be missing without being told."""


class PacketSource(Protocol):
    """A camera's packets of the last seconds."""

    def since(self, at: float) -> list[Packet]:
        """From the last key frame at or before this monotonic time, or from the oldest that there is."""

    def after(self, seq: int) -> list[Packet]:
        """Those with a larger number."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a clip is to show."""

    event: Event
    clip: Clip
    wall_offset: float
    """What makes Unix seconds of monotonic ones."""
    mask: tuple[tuple[Point, ...], ...] = ()
    """The camera's, when the event began."""

    @property
    def begin_at(self) -> float:
        """Before the first that was seen of it; but a thing that was seen long ago does not take the room of what
        comes after it."""
        clip, fired_at = self.clip, self.event.at
        seen = min([fired_at, *[track.first_at for track in self.event.tracks]])
        return max(seen - clip.before, fired_at + min(clip.after, clip.at_most - clip.before) - clip.at_most)


@dataclass(frozen=True, slots=True)
class Retaking:
    """How pictures are changed on their way, and until when their surroundings are known."""

    change: Change
    rotate: int
    """What is left to turn."""
    settled_until: Callable[[], float]
    """Until when encoding may go on."""


class Recording:
    """Follows one event until `over`, and leaves a film in `part`. Of one thread.

    `is_current` tells whether the camera's packets still come to this source: they come to another one once the
    camera was changed. Raises OSError where it cannot be written, Unavailable or ValueError where it cannot be encoded
    or kept.
    """

    def __init__(
        self,
        wanted: Wanted,
        source: PacketSource,
        part: Path,
        retaking: Callable[[Coding], Retaking | None],
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self.wanted = wanted
        self.cut_short = ""
        """Why it ends before it should, as a clause."""
        self.footage = Footage(part)
        self._source = source
        self._is_current = is_current
        self._retaking_of = retaking
        self._over_at = float("inf")
        """When what comes after the event is over."""
        self._last_at = wanted.begin_at + wanted.clip.at_most
        self._complete = False
        """All packets are here that it will have."""
        self._seq: int | None = None
        self._coding: Coding | None = None
        self._key_at: float | None = None
        """Of the key frame that was begun with; None where only one can follow."""
        self._shows_something = False
        self._late_s = 0.0
        self._holes_s = 0.0
        self._newest_at = max(wanted.begin_at, wanted.event.at - wanted.clip.before)
        """Of what is shown; at first, what a ring must reach back to."""
        self._heard_at = time.monotonic()
        self._held: deque[Packet] = deque()
        self._held_bytes = 0
        self._retaking: Retaking | None = None
        self._retake: Retake | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.footage)
        return self

    def __exit__(self, *_: object) -> None:
        """Its encoder, and what waits for it, take more memory than all the rest."""
        self._retaking = self._retake = None
        self._held.clear()
        self._open.close()

    def event_ends(self, event: Event) -> None:
        """The event is over: it is known now when its last was seen."""
        lasted_s = event.at - self.wanted.event.at if event.end is None else event.end - event.start
        self._over_at = self.wanted.event.at + lasted_s + self.wanted.clip.after

    def stop(self, why: str) -> None:
        """No more is taken: it ends with what is there, if that is less than it should have."""
        self.pull()
        if not self._complete:
            self._break_off(why)

    @property
    def end_at(self) -> float:
        """When it ends, as far as that is known."""
        return min(self._over_at, self._last_at)

    @property
    def truncated(self) -> str:
        """What it lacks, as clauses."""
        late = f"its first {self._late_s:.0f} s are missing" if self._late_s else ""
        holes = f"{self._holes_s:.0f} s in its middle are missing" if self._holes_s else ""
        return "; ".join(filter(None, (late, holes, self.cut_short)))

    @property
    def takes(self) -> bool:
        """Whether more packets may come to be in it."""
        return not self._complete

    @property
    def encodes(self) -> bool:
        """Whether its packets cannot stay as they are."""
        return self._retake is not None

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done but to end it."""
        return self._complete and not self._held

    def pull(self) -> None:
        """Take what is new. Quick."""
        if self._complete:
            return
        seq, is_current = self._seq, self._is_current()
        fresh = self._source.since(self.wanted.begin_at) if seq is None else self._source.after(seq)
        if seq is None and self.wanted.clip.audio:
            self.footage.hears = next((packet.coding for packet in fresh if packet.audio), None)
        for packet in fresh:
            self._heard_at = time.monotonic()
            self._take(packet)
            if self._complete:
                return
        if not is_current:
            self._break_off("its camera was changed")
            return
        now, end_at = time.monotonic(), self.end_at
        if now >= end_at + GRACE_S and now - self._heard_at >= GRACE_S:
            self._complete = True
            if self._newest_at < end_at - GRACE_S:
                self.cut_short = "the camera was away"

    def work(self, until: float) -> bool:
        """Write what is here, until all is, or until this monotonic time; whether there is more to do at once."""
        settled_until = self._settled_until()
        while self._held and self._held[0].at <= settled_until:
            packet = self._held.popleft()
            self._held_bytes -= len(packet.data)
            for ready in self._retake.add(packet) if self._retake and not packet.audio else (packet,):
                self.footage.add(ready)
            if self._retake and time.monotonic() > until:
                return bool(self._held)
        return False

    def end(self) -> None:
        """Write the last of it; it is on the disk then."""
        if self._retake:
            for packet in self._retake.rest():
                self.footage.add(packet)
        self.footage.end()

    def _take(self, packet: Packet) -> None:
        if self._seq is not None and packet.seq != self._seq + 1:
            self._key_at = None
        self._seq = packet.seq
        if packet.audio:
            self._hear(packet)
            return
        if packet.decode_at > self.end_at:
            self._complete = True
            return
        if self._coding is None:
            self._begin(packet)
        elif packet.coding is not self._coding:
            if packet.coding != self._coding:
                self._break_off("the camera's stream changed")
                return
            self._coding, self._key_at = packet.coding, None
        if packet.is_key and self._key_at is None:
            self._begin_at_key(packet)
        # What is shown before the key frame that was begun with needs pictures that are not here.
        if self._key_at is None or packet.at < self._key_at:
            return
        self._newest_at = max(self._newest_at, packet.at)
        self._hold(packet)
        if self._held_bytes > MOST_HELD_BYTES:
            self._break_off("encoding it takes too long on this machine")

    def _begin_at_key(self, packet: Packet) -> None:
        """From here on its pictures can be shown, for the first time or again."""
        self._key_at = packet.at
        lack_s = packet.at - self._newest_at
        if self._shows_something and lack_s > LACK_S:
            self._holes_s += lack_s
        elif packet.seq and lack_s > LACK_S:  # Before its very first packet, a camera was not there.
            self._late_s = lack_s
        self._shows_something = True

    def _break_off(self, why: str) -> None:
        self._complete, self.cut_short = True, why

    def _hear(self, packet: Packet) -> None:
        """Sound of another coding than the first is left out, as a film has one only."""
        if self.footage.hears == packet.coding and self._coding and packet.at <= self.end_at:
            self._hold(packet)

    def _hold(self, packet: Packet) -> None:
        self._held.append(packet)
        self._held_bytes += len(packet.data)

    def _begin(self, first: Packet) -> None:
        self._coding = first.coding
        self._last_at = max(self.wanted.begin_at, first.at) + self.wanted.clip.at_most
        self._retaking = self._retaking_of(first.coding)
        if self._retaking:
            self._retake = Retake(self._retaking.change, Encoder(self._retaking.rotate))

    def _settled_until(self) -> float:
        """Until when it is known what must be hidden; what nobody will ever look at is not waited for."""
        if self._retaking is None:
            return float("inf")
        return max(self._retaking.settled_until(), time.monotonic() - PATIENCE_S)
