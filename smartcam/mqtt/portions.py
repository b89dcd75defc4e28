"""How large what is sent may be: for the broker, for the keepalive on a slow way, for what is left of a day. Pure."""

from __future__ import annotations

from smartcam.config.delivery import Uplink
from smartcam.owed import LEAST_PART_BYTES, PART_BYTES, WHOLE_BYTES

OVERHEAD_BYTES = 512
"""More than a message's topic and header have."""
PARTS_A_DAY = 20
"""A part is no more than this share of a day's bytes: else the last bytes of each day could never be used."""

PICTURE_BYTES = 512 * 1024
LEAST_PICTURE_BYTES = 12 * 1024
"""A picture on which a person can still be told from a dog."""
PATIENCE_S = 60.0
"""A backlog that takes so long to send halves the next picture."""
PICTURES_LEFT = 50
"""A picture is no more than this share of what is left of a day's bytes."""
CLIP_PATIENCE_S = 600.0
CLIP_SIZES = ((4.0, 320), (1.0, 640))
"""Times the patience that clips wait for → the longer side of the next one."""


def whole_bytes(uplink: Uplink, keepalive_s: float, broker_takes: int | None) -> int:
    """The largest file that goes as one message."""
    if uplink.rate is None and uplink.daily is None:
        return _at_most(WHOLE_BYTES, broker_takes)
    return part_bytes(uplink, keepalive_s, broker_takes)


def part_bytes(uplink: Uplink, keepalive_s: float, broker_takes: int | None) -> int:
    """Of a file that goes in parts. While one is under way no ping gets through: it takes half a keepalive at most."""
    size = _at_most(PART_BYTES, broker_takes)
    if uplink.rate is not None:
        size = min(size, int(uplink.rate * keepalive_s / 2))
    if uplink.daily is not None:
        size = min(size, uplink.daily // PARTS_A_DAY)
    return max(size, LEAST_PART_BYTES)


def picture_bytes(
    uplink: Uplink, keepalive_s: float, broker_takes: int | None, *, waiting_bytes: int, left_bytes: int | None
) -> int:
    """Of the next picture, which goes as one message, behind others that wait."""
    size: float = min(PICTURE_BYTES, whole_bytes(uplink, keepalive_s, broker_takes))
    if uplink.rate is not None:
        size /= 1 + waiting_bytes / uplink.rate / PATIENCE_S
    if left_bytes is not None:
        size = min(size, (left_bytes - waiting_bytes) / PICTURES_LEFT)
    return _at_most(max(int(size), LEAST_PICTURE_BYTES), broker_takes)


def clip_size(uplink: Uplink, waiting_bytes: int, a_day_bytes: int | None) -> int | None:
    """The longer side of the next clip in pixels, behind others that wait; None for as it is."""
    by_rate = waiting_bytes / uplink.rate / CLIP_PATIENCE_S if uplink.rate else 0.0
    by_day = 2 * waiting_bytes / a_day_bytes if a_day_bytes else 0.0
    return next((size for times, size in CLIP_SIZES if max(by_rate, by_day) >= times), None)


def _at_most(size: int, broker_takes: int | None) -> int:
    return size if broker_takes is None else min(size, broker_takes - OVERHEAD_BYTES)
