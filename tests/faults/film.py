"""A camera's packets, for clips."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from smartcam.data import Coding, Packet
from tests.clips import FPS

SECONDS = 8
KEY_EVERY = 5
STEP_S = 0.2
"""So that a fragment of a second is five pictures."""


def packets(folder: Path) -> tuple[Packet, ...]:
    """Of a camera that looks at noise: some 10 KB each."""
    file, snow = folder / "snow.mp4", np.random.default_rng(0)
    with av.open(str(file), "w") as container:
        options = {"g": str(KEY_EVERY), "bf": "0", "crf": "30", "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(round(SECONDS / STEP_S)):
            picture = snow.integers(0, 255, (120, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    with av.open(str(file)) as container:
        [stream] = container.streams.video
        coding = Coding("h264", (stream.width, stream.height), stream.codec_context.extradata or b"")
        found = [(packet.is_keyframe, bytes(packet)) for packet in container.demux(stream) if packet.size]
    return tuple(Packet(n, n * STEP_S, n * STEP_S, key, data, coding) for n, (key, data) in enumerate(found))
