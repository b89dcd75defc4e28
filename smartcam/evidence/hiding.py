"""What nobody may see in a clip: the camera's masks, and the things that a rule blurs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcam.data import Box, Point
from smartcam.evidence.blur import blurred, blurred_whole, masked
from smartcam.evidence.encode import plain

if TYPE_CHECKING:
    from av import VideoFrame

Plane = NDArray[np.uint8]


class CoverSource(Protocol):
    """Knows where things were, and until when that is known for good."""

    def boxes_at(self, camera: str, at: float, labels: Collection[str] | None, /) -> Sequence[Box] | None:
        """The boxes of these labels (None: of all) at this monotonic time; None where nobody knows."""

    def settled_until(self, camera: str, /) -> float | None:
        """None where nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """Makes each picture of one camera upright, and hides what nobody may see in it."""

    camera: str
    rotate: int
    mask: tuple[tuple[Point, ...], ...]
    blurs: bool
    labels: Collection[str] | None
    """What is blurred; None is everything."""
    cover: CoverSource | None
    """Without it nobody knows where anything is."""

    def __call__(self, frame: VideoFrame, at: float) -> VideoFrame:
        import av

        even = plain(frame, at)
        planes = [np.rot90(plane, k=-self.rotate // 90) for plane in planes_of(even)]
        boxes = self._boxes_at(at)
        hidden = [self._hidden(plane, boxes) for plane in planes]
        width = planes[0].shape[1]
        # A plane of colour need not fill whole rows of brightness.
        rows = np.concatenate([plane.ravel() for plane in hidden]).reshape(-1, width)
        upright = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        upright.colorspace, upright.color_range = even.colorspace, even.color_range
        return upright

    def _boxes_at(self, at: float) -> Sequence[Box] | None:
        """What is to be blurred; None is everything."""
        if not self.blurs:
            return ()
        return self.cover.boxes_at(self.camera, at, self.labels) if self.cover else None

    def _hidden(self, plane: Plane, boxes: Sequence[Box] | None) -> Plane:
        """Blocks of brightness and of colour are as good as blocks of red, green and blue; grey is 128 in all three."""
        if self.mask:  # Before it is blurred too: the blocks at its edge must not be averages of what is under it.
            plane = masked(plane, self.mask)
        if not self.blurs:
            return plane
        plane = blurred_whole(plane) if boxes is None else blurred(plane, boxes)
        return masked(plane, self.mask) if self.mask else plane


def planes_of(frame: VideoFrame) -> list[Plane]:
    """Brightness and the two of colour, (h, w) each, of a yuv420p picture: copies."""
    whole = np.asarray(frame.to_ndarray(), np.uint8)
    height, width = frame.height, frame.width
    brightness, colour = whole[:height], whole[height:].reshape(2, height // 2, width // 2)
    return [brightness, colour[0], colour[1]]
