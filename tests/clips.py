"""Small videos and pictures, encoded for real."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SIZE = (160, 120)
FPS = 25


def drawing(n: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """(h, w, 3) RGB: smooth slopes of colour, and a white bar that moves to the right by 4 pixels a frame."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    rgb = np.stack([across * 255 // width, down * 255 // height, 255 - across * 255 // width], axis=-1)
    rgb[:, 4 * n % width : 4 * n % width + 16] = 255
    return rgb.astype(np.uint8)


def bar_at(luma: NDArray[np.uint8]) -> int:
    """Where the white bar begins, in pixels from the left: which frame of a clip this is."""
    bright = np.flatnonzero(luma.mean(axis=0) > 225)
    return int(bright[0]) if len(bright) else -1


def clip(
    path: Path,
    frames: int = 25,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = SIZE,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """A video whose container follows from the name; with a key frame every 10 frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"g": "10", **(options or {})})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        for n in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawing(n, size), "rgb24")))
        container.mux(stream.encode())
    return path


def picture(path: Path, n: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """A BMP, JPEG or PNG, after its name."""
    import cv2

    assert cv2.imwrite(str(path), np.ascontiguousarray(drawing(n, size)[:, :, ::-1]))
    return path
