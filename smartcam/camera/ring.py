"""The last seconds of a stream, compressed, in memory: what a clip begins with, and what a picture is decoded from."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from smartcam.data import Coding, Packet

MAX_BYTES = 32 * 1024 * 1024
NEAR_S = 2.0
"""A picture further from the moment that is asked for would show something else."""


@dataclass(slots=True)
class Group:
    """A key frame and the packets that need it (a GOP), with the sound between them."""

    packets: list[Packet] = field(default_factory=list)
    size: int = 0

    @property
    def at(self) -> float:
        return self.packets[0].at


class Ring:
    """The last groups of packets, bounded in seconds and in bytes; the oldest group goes first.

    It begins with a key frame, and so does what comes after a cut, or with another coding: packets that need a key
    frame which is not here are not taken. A group that alone is too large goes too. With `max_s` = 0 it keeps nothing.
    `overflows` says that the bytes do not suffice for the seconds: what is asked for reaches back less far then.

    One thread adds; any may ask. What it gives are lists of their own over packets that are never copied.
    """

    def __init__(self, max_s: float = 0.0, max_bytes: int = MAX_BYTES) -> None:
        self._max_s = max_s
        self.max_bytes = max_bytes
        self.overflows = False
        """Whether anything ever had to go for its bytes alone; whoever told somebody sets it back."""
        self._groups: deque[Group] = deque()
        self._bytes = 0
        self._coding: Coding | None = None
        """Of the pictures that come; none where only a key frame can be taken."""
        self._lock = threading.Lock()

    @property
    def max_s(self) -> float:
        """May be changed at any time. More seconds fill up as they come."""
        return self._max_s

    @max_s.setter
    def max_s(self, seconds: float) -> None:
        with self._lock:
            self._max_s = seconds
            if seconds <= 0:
                self._clear()

    @property
    def size_bytes(self) -> int:
        """Of the packets' data."""
        return self._bytes

    @property
    def span_s(self) -> float:
        """From its first packet to its last."""
        with self._lock:
            return self._groups[-1].packets[-1].at - self._groups[0].at if self._groups else 0.0

    def add(self, packet: Packet) -> None:
        """Keep a packet; the oldest groups go until it fits."""
        with self._lock:
            if self._max_s > 0 and self._continues(packet):
                self._groups[-1].packets.append(packet)
                self._groups[-1].size += len(packet.data)
                self._bytes += len(packet.data)
                self._trim(packet.at)

    def cut(self) -> None:
        """What comes next does not continue what is here: it begins at its own first key frame."""
        with self._lock:
            self._coding = None

    def since(self, at: float) -> list[Packet]:
        """What shows everything from `at` on: from the last key frame at or before it, or else from the oldest."""
        with self._lock:
            begin = max((n for n, group in enumerate(self._groups) if group.at <= at), default=0)
            return [packet for group in list(self._groups)[begin:] for packet in group.packets]

    def after(self, seq: int) -> list[Packet]:
        """The packets with a larger number. The first is not the next one where that is gone already."""
        with self._lock:
            newer = [group for group in self._groups if group.packets[-1].seq > seq]
            return [packet for group in newer for packet in group.packets if packet.seq > seq]

    def until(self, at: float) -> list[Packet]:
        """From a key frame to the picture nearest to `at`, which a decoder needs for it; nothing where none is near."""
        with self._lock:
            every = [
                (abs(packet.at - at), group, n)
                for group in self._groups
                for n, packet in enumerate(group.packets)
                if not packet.audio
            ]
            distance_s, group, n = min(every, key=lambda one: one[0], default=(NEAR_S, Group(), 0))
            return [packet for packet in group.packets[: n + 1] if not packet.audio] if distance_s < NEAR_S else []

    def _continues(self, packet: Packet) -> bool:
        """Whether the last group, perhaps one that it begins, is this packet's."""
        if packet.is_key and not packet.audio:
            self._groups.append(Group())
            self._coding = packet.coding
        return bool(self._groups) and self._coding is not None and (packet.audio or packet.coding is self._coding)

    def _trim(self, now: float) -> None:
        while self._groups and ((is_old := self._first_is_old(now)) or self._bytes > self.max_bytes):
            self.overflows |= not is_old
            self._bytes -= self._groups.popleft().size
        if not self._groups:
            self._coding = None

    def _first_is_old(self, now: float) -> bool:
        """Whether what follows the first group alone covers the seconds that are to be kept."""
        return len(self._groups) > 1 and self._groups[1].at <= now - self._max_s

    def _clear(self) -> None:
        self._groups.clear()
        self._bytes = 0
        self._coding = None
