"""The form of what is said on the topics: JSON objects, times, boxes. Pure.

Times are RFC 3339 in UTC with milliseconds, boxes are ``[x, y, w, h]`` in 0..1 of the whole frame, and
what is absent is unknown. Within ``v`` = 1 keys are only added: a reader ignores those it does not know.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from smartcam.data import Box

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
XYWH: TypeAlias = tuple[Share, Share, Share, Share]


def rfc3339(unix_s: float) -> str:
    """``1795543331.25`` → ``2026-11-24T18:02:11.250Z``, rounded to the millisecond."""
    at = _EPOCH + timedelta(milliseconds=round(unix_s * 1000))
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def unix_s(time: str) -> float:
    """The way back."""
    return datetime.fromisoformat(time).timestamp()


def xywh(box: Box) -> XYWH:
    """x1, y1, x2, y2 → x, y, width, height, cut at the frame's edges and rounded to 4 digits."""
    x1, y1, x2, y2 = (min(max(float(side), 0.0), 1.0) for side in box)
    return round(x1, 4), round(y1, 4), round(max(x2 - x1, 0.0), 4), round(max(y2 - y1, 0.0), 4)


class Payload(BaseModel):
    """One JSON object. Its keys keep the order of the fields, so the same facts give the same bytes."""

    model_config = ConfigDict(strict=True, frozen=True)

    def encode(self) -> bytes:
        """Compact UTF-8 JSON, without what is unknown."""
        return self.model_dump_json(exclude_none=True).encode()
