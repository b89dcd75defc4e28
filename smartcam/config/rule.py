"""What a ranger edits: rules, the zones and lines that they speak of, and the alarm."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

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
from smartcam.config.values import Flag, Labels, Name, Seconds, Share, pixels, within, wrong
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


class Clip(Section):
    """Which moments a rule's clip shows, and how it is made."""

    before: Annotated[Seconds, within("0s", "60s")] = 5.0
    """Before the first that was seen of it."""
    after: Annotated[Seconds, within("0s", "5m")] = 10.0
    """After the last."""
    at_most: Annotated[Seconds, within("2s", "30m")] = 60.0
    size: Annotated[int, BeforeValidator(pixels)] | None = None
    """The longer side, in pixels, of the smaller clip that is sent; the whole one stays here."""
    format: Literal["auto", "original", "h264"] = "auto"
    """auto: as the camera coded it, where browsers may play that (H.264, H.265), else H.264; original: as it is,
    whatever it is; h264: always."""
    audio: Flag = False
    """Whether what is heard is kept too."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.at_most < self.before + 1:
            raise wrong(
                "at_most", f"{self.at_most:g} s is all of it, also the {self.before:g} s of `before`: make it longer"
            )
        return self


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
    clip: Clip = Clip()
    blur: Labels = ()
    """What nobody may recognise in this rule's pictures and clips."""
    enabled: Flag = True

    @model_validator(mode="after")
    def _evidence_is_sent(self) -> Self:
        for key, what in (("snapshot", "picture"), ("clip", "clip")):
            if key in self.model_fields_set and key not in self.do:
                raise wrong(key, f'no {what} is sent: add do = ["{key}"], or take this out')
        if self.blur and not self.do:
            raise wrong("blur", 'nothing is sent that could be blurred: add do = ["snapshot"], or take this out')
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
