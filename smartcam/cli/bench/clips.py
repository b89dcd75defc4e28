"""The clips that are measured with, made once from real footage and kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from smartcam.detect.download import Progress

FULL_HD = (1920, 1080)
FPS = 15
SECONDS = 20
AS_CAMERAS_DO = {"preset": "veryfast", "g": "60", "bf": "0", "refs": "1"}
NOISE = 1.5
"""Grey levels (standard deviation) of a camera's sensor by day."""


def clip_720p(cache: Path, progress: Progress) -> Path:
    """1280x720, H.264, 25 frames/s, moving all the time."""
    from smartcam.cli.footage import fetch_footage

    return fetch_footage(cache, progress, "bigbuckbunny.mp4")


def clip_360p(cache: Path, progress: Progress) -> Path:
    """640x360, H.264, moving all the time."""
    frames = _frames(clip_720p(cache, progress), 132, (640, 360))
    return _encoded(cache / "footage" / "bench-360p.mp4", frames, (640, 360))


def clip_1080p(cache: Path, progress: Progress) -> Path:
    """1920x1080, H.264, 15 frames/s, moving all the time."""
    frames = _frames(clip_720p(cache, progress), 132)
    return _encoded(cache / "footage" / "bench-1080p.mp4", frames)


def still_1080p(cache: Path, progress: Progress) -> Path:
    """1920x1080, H.264, 15 frames/s: one picture of a street, under a sensor's noise."""
    from smartcam.cli.footage import fetch_footage

    [picture] = _frames(fetch_footage(cache, progress), 1)
    noise = np.random.default_rng(0)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for _ in range(FPS * SECONDS):
            yield np.clip(picture + noise.normal(0, NOISE, picture.shape), 0, 255).astype(np.uint8)

    return _encoded(cache / "footage" / "bench-still-1080p.mp4", frames())


def _frames(clip: Path, count: int, size_wh: tuple[int, int] = FULL_HD) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a clip, as RGB."""
    import av

    with av.open(str(clip)) as container:
        for frame in islice(container.decode(video=0), count):
            yield np.asarray(frame.reformat(*size_wh).to_ndarray(format="rgb24"), np.uint8)


def _encoded(path: Path, frames: Iterator[NDArray[np.uint8]], size_wh: tuple[int, int] = FULL_HD) -> Path:
    """As IP cameras encode: a key frame every four seconds, no B-frames, one reference picture."""
    import av

    if path.exists():
        return path
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=AS_CAMERAS_DO)
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return part.rename(path)
