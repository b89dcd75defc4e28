"""Streams made of single pictures: joined in the middle, or changed on their way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av

from smartcam.camera.packets import Packets, open_packets
from smartcam.camera.ring import Ring
from smartcam.camera.source import find
from smartcam.camera.tap import Tap
from smartcam.config.sections import Camera
from tests.clips import FPS, drawing


def access_units(size: tuple[int, int], count: int, codec: str = "libx264") -> list[tuple[bytes, bool]]:
    """Pictures in Annex B, each with its parameter sets before a key frame, of which there is one in ten; as an
    encoder gives them."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", Fraction(FPS), Fraction(1, FPS)
    encoder.gop_size, encoder.max_b_frames = 10, 0
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    packets = []
    for n in range(count):
        frame = av.VideoFrame.from_ndarray(drawing(n, size), "rgb24")
        frame.pts = n
        packets += encoder.encode(frame)
    return [(bytes(packet), packet.is_keyframe) for packet in [*packets, *encoder.encode()]]


def mpegts(path: Path, units: list[tuple[bytes, bool]], codec: str = "libx264") -> Path:
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for n, (data, is_key) in enumerate(units):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, FPS), is_key
            packet.pts = packet.dts = n
            container.mux(packet)
    return path


@contextmanager
def opened(path: Path) -> Iterator[Packets]:
    camera = Camera(source=str(path))
    with open_packets(find(camera), camera, lambda: True) as packets:
        yield packets


def tapped(*paths: Path, name: str = "front", ring: Ring | None = None) -> Tap:
    """What a tap makes of streams that nobody decodes, each a session."""
    tap = Tap(ring or Ring(100.0), name=name)
    for path in paths:
        with opened(path) as session:
            tap.session(session)
            for n, packet in enumerate(session):
                if packet.size:
                    tap.packet(packet, n / FPS)
    return tap
