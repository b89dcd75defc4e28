"""Whether a clip's pictures may stay as the camera coded them, and how they are changed where they may not."""

from __future__ import annotations

from collections.abc import Collection

from smartcam.config import Camera
from smartcam.config.rule import Clip
from smartcam.data import Coding
from smartcam.errors import Unavailable
from smartcam.evidence.encode import h264_encoder, plain
from smartcam.evidence.hiding import CoverSource, Hiding
from smartcam.evidence.mp4 import BROWSERS_PLAY, REMUXED
from smartcam.evidence.recording import Retaking


def retaking(
    name: str, camera: Camera, clip: Clip, blur: Collection[str] | None, cover: CoverSource | None, coding: Coding
) -> Retaking | None:
    """How packets of this coding are to be changed; None where they stay as they are. `blur` None is everything."""
    blurs = blur is None or bool(blur)
    if camera.mask or blurs:
        hiding = Hiding(name, coding.rotate, camera.mask, blurs, blur, cover)
        return Retaking(hiding, 0, (lambda: _settled_until(cover, name)) if blurs else lambda: float("inf"))
    stays = {"auto": BROWSERS_PLAY, "original": REMUXED, "h264": ("h264",)}[clip.format]
    if coding.codec in stays or (coding.codec in REMUXED and not _encodes()):
        return None
    return Retaking(plain, coding.rotate, lambda: float("inf"))


def _settled_until(cover: CoverSource | None, camera: str) -> float:
    settled = cover.settled_until(camera) if cover else float("inf")
    return float("-inf") if settled is None else settled


def _encodes() -> bool:
    try:
        h264_encoder()
    except Unavailable:
        return False
    return True
