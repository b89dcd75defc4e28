"""What a ranger edits: rules, the zones and lines that they speak of, and the alarm."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from smartcam.config.grammar import (
    Cooldown,
    Count,
    Heights,
    HowMany,
    Polygon,
    Polyline,
    Rest,
    Template,
    Words,
)
from smartcam.config.section import Section
from smartcam.config.values import Flag, Labels, Name, Seconds, Share, wrong
from smartcam.config.when import Times, Whens
from smartcam.data import Level

OF_TRACKS = (
    *("see", "zone", "score", "height", "for", "count", "with", "within"),
    *("crosses", "toward", "once", "cooldown"),
)
"""Keys of a rule that speak of things seen."""


def _apart(idle: list[str]) -> str:
    """What to do with these keys of a rule by the clock."""
    if len(idle) == 1:
        return "take this out, or take `at` out"
    several = f"{', '.join(idle[:-1])} and {idle[-1]}"
    return f"take {several} out, or `at`; or is the line [rule.NAME] missing between them?"


class Drawn(Section):
    """Something drawn on one camera's picture."""

    camera: Name


class Zone(Drawn):
    """A part of one camera's picture."""

    points: Polygon
    height: Heights | None = None
    """How tall, as shares of the picture, a thing must be to be in it."""


class Line(Drawn):
    """A line across one camera's picture. Its inner side is at the right hand of who walks along its points."""

    points: Polyline


class Snapshot(Section):
    """How a rule's picture looks."""

    boxes: Flag = False
    crop: Flag = False


class Rule(Section):
    """What matters, in six lines or fewer."""

    see: Labels = ()
    camera: Name | None = None
    zone: Name | None = None
    score: Share = 0.0
    height: Heights | None = None
    for_: Seconds = Field(default=0.0, alias="for")
    count: HowMany = Count(">=", 1)
    with_: Labels = Field(default=(), alias="with")
    within: Seconds = 3.0
    """How far apart in time the two may be seen."""
    crosses: Name | None = None
    toward: Literal["in", "out", "either"] = "either"
    when: Whens = ()
    only: Words = ()
    """Armed, disarmed, or a mode: any of them."""
    unless: Words = ()
    once: Literal["day", "day per label", "visit"] | None = None
    cooldown: Rest = Cooldown(0.0)
    at: Times = ()
    level: Level = "event"
    message: Template = ""
    do: tuple[Literal["snapshot", "clip"], ...] = ()
    snapshot: Snapshot = Snapshot()
    enabled: Flag = True

    @property
    def evidence(self) -> tuple[str, ...]:
        """What of `do` can be made: clips are not, so far."""
        return tuple(each for each in self.do if each == "snapshot")

    @model_validator(mode="after")
    def _snapshot_is_sent(self) -> Self:
        if "snapshot" in self.model_fields_set and "snapshot" not in self.do:
            raise wrong("snapshot", 'no picture is sent: add do = ["snapshot"], or take this out')
        return self

    @model_validator(mode="after")
    def _has_a_reason_to_fire(self) -> Self:
        given = {type(self).model_fields[key].alias or key for key in self.model_fields_set}
        if not self.see and not self.at:
            raise wrong("see", 'what should it look for? add see = "person", or at = "12:00" for a rule by the clock')
        if self.at and (idle := [key for key in OF_TRACKS if key in given]):
            raise wrong(idle[0], f"a rule with `at` fires by the clock and looks at nothing: {_apart(idle)}")
        for key, needed in (("within", "with"), ("toward", "crosses")):
            if key in given and needed not in given:
                raise wrong(key, f"it goes with `{needed}`: add that, or take this out")
        if self.cooldown.per == "zone" and self.zone:
            raise wrong("cooldown", "the rule has one zone only: leave `per zone` out, or take `zone` out")
        return self


class Armed(Section):
    """The node's alarm state by the clock; a person's word holds until the clock's next change."""

    when: Whens = ()
    """Armed then and disarmed otherwise; without it, armed until somebody disarms."""


class Mode(Section):
    """A mode of this place, which rules may ask for. The first one holds at first."""

    when: Whens = ()
    """Set when this begins; when it ends, the first mode is."""
