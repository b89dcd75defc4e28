"""What may leave the device, what stays on it and for how long."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from smartcam.config.amounts import Amount, HowOften, Rate, at_least
from smartcam.config.section import Section
from smartcam.config.values import Flag, Number, wrong

RESERVE_SHARE = 0.1
"""Of a day's bytes: what alerts may take beyond them."""


class Uplink(Section):
    """What the way to the broker can carry, and may cost."""

    daily: Annotated[Amount, AfterValidator(at_least("100KB"))] | None = None
    """Bytes to the broker and from it in any 24 hours; without it, as many as it takes."""
    reserve: Amount | None = None
    """What alerts may take beyond `daily`; by default a tenth of it."""
    rate: Annotated[Rate, AfterValidator(at_least("200B/s", "B/s"))] | None = None
    """Bytes a second that pictures and clips may take; without it, as many as the way carries."""
    metered: Flag = False
    """Clips then wait here until somebody asks for them, no picture is sent twice, and health keeps to its 15 min."""

    @property
    def reserve_bytes(self) -> int:
        return int((self.daily or 0) * RESERVE_SHARE) if self.reserve is None else self.reserve

    @model_validator(mode="after")
    def _reserve_is_of_something(self) -> Self:
        if self.reserve is not None and self.daily is None:
            raise wrong("reserve", "it is what alerts may take beyond `daily`: give that too, or take this out")
        return self


class Quota(Section):
    """How much of one kind is kept, and how long. A size alone may be written without the table."""

    size: Amount
    days: Annotated[Number, Field(gt=0, le=3650)] = 365

    @model_validator(mode="before")
    @classmethod
    def _of_size(cls, value: Any) -> Any:
        return {"size": value} if isinstance(value, str) else value


class Keep(Section):
    """What stays on this device, whether it was sent or not. What is worth least goes first."""

    clips: Quota = Quota(size=4_000_000_000, days=30)
    snapshots: Quota = Quota(size=1_000_000_000, days=90)
    samples: Quota = Quota(size=50_000_000, days=30)
    events: Quota = Quota(size=250_000_000, days=365)
    free: Amount = 200_000_000
    """Bytes of the disk that are left to others: below it, what is kept goes before its time."""


class Sampling(Section):
    """Pictures of what the rules did not tell."""

    rejects: HowOften | None = None
    """Seconds between two; without it, none is taken."""
    upload: Flag = False
    """Whether they are sent like snapshots; else they stay here."""

    @model_validator(mode="after")
    def _there_are_some(self) -> Self:
        if self.upload and self.rejects is None:
            raise wrong("upload", 'none is taken: add rejects = "1 per hour", or take this out')
        return self
