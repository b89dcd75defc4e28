"""What a clip costs: written as the camera coded it, against coding it; and the memory of the seconds before it."""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from smartcam.cli.bench.measuring import tell
from smartcam.cli.output import JsonOption, progress_bars

if TYPE_CHECKING:
    from av import VideoFrame

    from smartcam.data import Packet

SECONDS = 10
FPS = 15
"""Of the footage."""
BITS_PER_S = 4_000_000
ROUNDS = 5
GOOD_SHARE = 0.02
GOOD_RING_MB = 8


def clip(json: JsonOption = False) -> None:
    """Ten seconds of 1080p at 4 Mbit/s: CPU time of writing them as they are and of x264; memory of the ring."""
    encode_s, packets = _encoded()
    with tempfile.TemporaryDirectory(prefix="smartcam-bench-") as folder:
        remux_s = statistics.median(_remux_s(packets, Path(folder) / f"{n}.mp4.part") for n in range(ROUNDS))
    ring_mb = _ring_mb(packets)
    share = remux_s / encode_s
    data = sum(len(packet.data) for packet in packets)
    tell(
        json,
        "clip",
        {
            "remux_cpu_ms": round(remux_s * 1000, 1),
            "encode_cpu_ms": round(encode_s * 1000),
            "ratio": round(share, 4),
            "mbit_per_s": round(data * 8 / SECONDS / 1e6, 2),
            "ring_mb": round(ring_mb, 2),
        },
        f"{remux_s * 1000:.0f} ms of CPU for {SECONDS} s of 1080p as they are, {encode_s:.1f} s for coding them with "
        f"x264 veryfast: {share:.2%} ({GOOD_SHARE:.0%} or less is good); the ring takes {ring_mb:.1f} MB for them "
        f"({GOOD_RING_MB} or less is good)",
    )


def _encoded() -> tuple[float, list[Packet]]:
    """Real footage as IP cameras code it, and the CPU seconds of the encoder alone, in one thread."""
    from fractions import Fraction

    import av

    from smartcam.cli.bench.clips import FULL_HD
    from smartcam.data import Coding, Packet

    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = FULL_HD
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, FPS), Fraction(FPS)
    encoder.bit_rate, encoder.thread_count = BITS_PER_S, 1
    encoder.options = {"preset": "veryfast", "g": str(FPS * 2), "bf": "0"}
    coding, packets, spent_s = Coding("h264", FULL_HD), list[Packet](), 0.0
    for n, frame in enumerate(chain(_frames(), (None,))):
        if frame:
            frame.pts, frame.time_base, frame.pict_type = n, Fraction(1, FPS), 0
        began = time.process_time()
        coded = encoder.encode(frame)
        spent_s += time.process_time() - began
        for one in coded:
            at = (one.pts or 0) / FPS
            packets.append(Packet(len(packets), at, at, one.is_keyframe, bytes(one), coding))
    return spent_s, packets


def _frames() -> Iterator[VideoFrame]:
    """So many seconds, round and round."""
    import av

    from smartcam.cli.bench.clips import clip_1080p
    from smartcam.detect.fetch import cache_folder

    with progress_bars() as progress:
        path = clip_1080p(cache_folder(), progress)

    def once() -> Iterator[VideoFrame]:
        with av.open(str(path)) as container:
            yield from container.decode(video=0)

    return islice(chain.from_iterable(once() for _ in cycle((0,))), FPS * SECONDS)


def _remux_s(packets: list[Packet], part: Path) -> float:
    """CPU seconds of a clip on the disk, with its way there."""
    from smartcam.evidence.footage import Footage

    began = time.process_time()
    with Footage(part) as footage:
        for packet in packets:
            footage.add(packet)
        footage.end()
    return time.process_time() - began


def _ring_mb(packets: list[Packet]) -> float:
    """Of a ring with copies of these."""
    from smartcam.camera.ring import Ring
    from smartcam.data import Packet

    tracemalloc.start()
    ring = Ring(max_s=SECONDS)
    for one in packets:
        data = bytes(bytearray(one.data))
        ring.add(Packet(one.seq, one.at, one.decode_at, one.is_key, data, one.coding))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / 1e6
