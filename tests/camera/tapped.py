"""A camera that runs with its ring, and what can be said of both."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from smartcam.camera.picture import DecodedPicture
from smartcam.camera.stream import CameraStream
from smartcam.config.sections import Camera
from smartcam.data import Frame, Packet
from smartcam.workers import Worker
from tests.clips import bar_at

NEAR_S = 0.05


class Shown(NamedTuple):
    at: float
    bar: int


class Watched:
    """A camera that runs, and what came of it."""

    def __init__(self, config: Camera, sound: bool) -> None:
        self.frames: list[Frame] = []
        self.bars: list[Shown] = []
        self.late_s: list[float] = []
        """How long before each frame came it was taken."""
        self.stream = CameraStream("front", config, self._take, lambda _: None, sound=sound)
        self.ring = self.stream.ring

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < deadline, f"{self.stream.status}, {self.ring.span_s} s, {len(self.frames)} frames"
            time.sleep(0.01)

    def packets(self) -> list[Packet]:
        return self.ring.since(0)

    def _take(self, frame: Frame) -> None:
        self.late_s.append(time.monotonic() - frame.at)
        self.frames.append(frame)
        self.bars.append(Shown(frame.at, bar_at(frame.picture.luma)))


@contextmanager
def watched(source: object, *, keep_s: float = 60, sound: bool = False, **more: object) -> Iterator[Watched]:
    quick = {"source": str(source), "open_timeout": 5, "read_timeout": 2, "retry_min": 0.1, "retry_max": 0.3}
    camera = Watched(Camera.model_validate({**quick, **more}), sound)
    camera.ring.max_s = keep_s
    with Worker("camera front", camera.stream.run) as worker:
        yield camera
    assert not worker.failures


def decoded(packets: list[Packet]) -> list[tuple[float, NDArray[np.uint8]]]:
    """When each picture is shown, and its luma: what a player would make of the ring."""
    shown = []
    for _, session in itertools.groupby((p for p in packets if not p.audio), lambda packet: id(packet.coding)):
        own = list(session)
        decoder = av.CodecContext.create(own[0].coding.codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.extradata = own[0].coding.extradata or None
        for packet in [*own, None]:
            raw = None
            if packet:
                raw = av.Packet(packet.data)
                raw.pts = packet.seq
            at_of = {packet.seq: packet.at for packet in own}
            for frame in decoder.decode(raw):
                assert frame.pts is not None
                shown.append((at_of[frame.pts], DecodedPicture(frame).luma))
    return shown


def agrees(camera: Watched, *, least: int) -> None:
    """Each picture of the ring is, within `NEAR_S`, that of a frame."""
    shown = [Shown(at, bar_at(luma)) for at, luma in decoded(camera.packets())]
    assert len(shown) >= least
    for at, bar in shown[:-3]:
        nearest = min(camera.bars, key=lambda one: abs(one.at - at) + (100 if abs(one.bar - bar) > 2 else 0))
        assert abs(nearest.bar - bar) <= 2
        assert abs(nearest.at - at) <= NEAR_S, (at, bar)
    in_order(camera.packets())


def in_order(packets: list[Packet]) -> None:
    assert all(b.seq == a.seq + 1 for a, b in itertools.pairwise(packets))
    for kind in (False, True):
        same = [packet for packet in packets if packet.audio is kind]
        assert all(b.decode_at > a.decode_at for a, b in itertools.pairwise(same))
        assert all(packet.decode_at <= packet.at for packet in same)
        assert all(b.is_key for a, b in itertools.pairwise(same) if b.coding is not a.coding)
