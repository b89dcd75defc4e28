"""A picture file: BMP, JPEG or PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smartcam.camera.packets import open_packets
from smartcam.camera.picture import DecodedPicture, Degrees
from smartcam.camera.source import Source
from smartcam.config.grammar import Polygon
from smartcam.config.sections import Camera
from smartcam.config.values import MAX_PIXELS
from smartcam.errors import SmartcamError


def read_picture(path: Path, rotate: Degrees = 0, mask: Sequence[Polygon] = ()) -> DecodedPicture:
    """The picture in a file, turned as its EXIF orientation and then `rotate` say, and masked.

    Raises SmartcamError when it cannot be read, or is larger than MAX_PIXELS: that is known before it is decoded.
    """
    import av

    if not path.is_file():
        raise SmartcamError(f"{path}: no such file; correct the path")
    source = Source("file", str(path), place=f"file:{path}")
    try:
        with open_packets(source, Camera(source="-"), alive=lambda: True) as packets:
            frame = next(frame for packet in packets for frame in packets.stream.codec_context.decode(packet))
    except (SmartcamError, av.FFmpegError, StopIteration):
        raise SmartcamError(
            f"{path}: not a picture that can be read (BMP, JPEG or PNG of at most 64 megapixels)"
        ) from None
    return DecodedPicture(frame, upright(-frame.rotation + rotate), mask)


def decoded_jpeg(data: bytes) -> DecodedPicture:
    """The picture in a JPEG that is in memory, as it lies there. Raises SmartcamError when it cannot be read."""
    import av

    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (av.FFmpegError, ValueError):
        frames = []
    if not frames:
        raise SmartcamError("not a JPEG that can be read")
    return DecodedPicture(frames[0])


def upright(degrees: int) -> Degrees:
    """The nearest of the four turns."""
    match round(degrees / 90) % 4:
        case 1:
            return 90
        case 2:
            return 180
        case 3:
            return 270
    return 0
