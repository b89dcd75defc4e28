"""What nobody may see, in pictures of every size and turn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from smartcam.data import Box
from smartcam.evidence.blur import blurred_whole, masked
from smartcam.evidence.hiding import Hiding, planes_of
from tests.clips import drawing
from tests.evidence.reels import Studio, config, event, h264, packets_of, pictures

MASK = (((0.0, 0.0), (0.49, 0.0), (0.49, 1.0), (0.0, 1.0)),)


@dataclass
class Asked:
    """Somebody who counts how often it is asked."""

    at: list[float] = field(default_factory=list)

    def settled_until(self, _camera: str, /) -> float:
        return float("inf")

    def boxes_at(self, _camera: str, at: float, _labels: Collection[str] | None, /) -> list[Box]:
        self.at.append(at)
        return []


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("blurs", [False, True], ids=["masked", "blurred"])
def test_pictures_of_every_even_size_are_hidden_in_every_turn(rotate: int, blurs: bool) -> None:
    """Also where the height is no multiple of four, so that a plane of colour fills no whole rows."""
    frame = av.VideoFrame.from_ndarray(drawing(3, (480, 270)), "rgb24").reformat(format="yuv420p")
    hidden = Hiding("front", rotate, () if blurs else MASK, blurs, None, None)(frame, 0.0)
    for before, after in zip(planes_of(frame), planes_of(hidden), strict=True):
        upright = np.ascontiguousarray(np.rot90(before, k=-rotate // 90))
        assert np.array_equal(after, blurred_whole(upright) if blurs else masked(upright, MASK))


def test_a_masked_clip_of_such_a_camera_is_made(tmp_path: Path) -> None:
    studio = Studio(tmp_path, config('after = "1s"', camera="mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"))
    studio.film(packets_of(h264(tmp_path, 3, size=(480, 270)), at := 1000.0))
    studio.happens(event(at + 1), at + 1)
    assert {luma.shape for _, luma in pictures(studio.the_clip().path)} == {(270, 480)}


def test_blocks_at_the_edge_of_a_mask_tell_nothing_of_what_is_under_it() -> None:
    """It is white there, and black everywhere else: grey and black give no block that is brighter than grey."""
    planes = np.full((720, 640), 128, np.uint8)
    planes[:480], planes[:480, :313] = 16, 235
    hidden = Hiding("front", 0, MASK, True, None, None)(av.VideoFrame.from_ndarray(planes, "yuv420p"), 0.0)
    assert planes_of(hidden)[0].max() <= 128


def test_it_is_asked_once_a_picture_where_things_are() -> None:
    frame = av.VideoFrame.from_ndarray(drawing(0), "rgb24")
    cover = Asked()
    hiding = Hiding("front", 0, (), True, None, cover)
    hiding(frame, 1.0)
    hiding(frame, 2.0)
    assert cover.at == [1.0, 2.0]
