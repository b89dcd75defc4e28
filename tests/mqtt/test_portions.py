"""How large parts, pictures and clips may be."""

from __future__ import annotations

import pytest

from smartcam.config.delivery import Uplink
from smartcam.mqtt.portions import LEAST_PICTURE_BYTES, PICTURE_BYTES, clip_size, part_bytes, picture_bytes, whole_bytes
from smartcam.owed import PART_BYTES, WHOLE_BYTES

FREE, SLOW, DEAR = (Uplink.model_validate(keys) for keys in ({}, {"rate": "2KB/s"}, {"daily": "2MB"}))


@pytest.mark.parametrize(
    ("uplink", "keepalive_s", "broker_takes", "whole", "part"),
    [
        (FREE, 60, None, WHOLE_BYTES, PART_BYTES),
        (FREE, 60, 1_000_000, 1_000_000 - 512, PART_BYTES),
        (FREE, 60, 100_000, 100_000 - 512, 100_000 - 512),
        (SLOW, 60, None, 60_000, 60_000),
        (SLOW, 10, 100_000, 10_000, 10_000),
        (DEAR, 60, None, 100_000, 100_000),
    ],
)
def test_a_part_is_what_broker_keepalive_and_day_allow(
    uplink: Uplink, keepalive_s: float, broker_takes: int | None, whole: int, part: int
) -> None:
    assert whole_bytes(uplink, keepalive_s, broker_takes) == whole
    assert part_bytes(uplink, keepalive_s, broker_takes) == part


def test_a_picture_shrinks_with_what_waits_and_with_what_is_left() -> None:
    def of(uplink: Uplink, waiting: int, left: int | None = None) -> int:
        return picture_bytes(uplink, 60.0, None, waiting_bytes=waiting, left_bytes=left)

    assert of(FREE, 10**8) == PICTURE_BYTES
    assert [of(SLOW, waiting) for waiting in (0, 120_000, 10**7)] == [60_000, 30_000, LEAST_PICTURE_BYTES]
    assert [of(DEAR, 0, left) for left in (10**8, 1_800_000, 0)] == [100_000, 36_000, LEAST_PICTURE_BYTES]


@pytest.mark.parametrize("uplink", [FREE, SLOW, DEAR])
@pytest.mark.parametrize("broker_takes", [50_000, 10_000])
def test_a_picture_is_never_larger_than_the_broker_takes(uplink: Uplink, broker_takes: int) -> None:
    """Nor is one that is as small as a picture can be of use: else it would be made for nothing."""
    size = picture_bytes(uplink, 60.0, broker_takes, waiting_bytes=0, left_bytes=10**8)
    assert size == broker_takes - 512


def test_a_clip_shrinks_with_what_waits() -> None:
    assert clip_size(FREE, 10**9, None) is None
    assert [clip_size(SLOW, waiting, None) for waiting in (0, 1_200_000, 5_000_000)] == [None, 640, 320]
    assert [clip_size(DEAR, waiting, 1_800_000) for waiting in (800_000, 900_000, 4_000_000)] == [None, 640, 320]
