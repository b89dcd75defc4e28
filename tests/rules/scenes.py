"""Scenes and configurations, as short as a sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from smartcam.config import Config, parse
from smartcam.data import Box, Event, Point, Scene, Track
from smartcam.rules import Engine, Ulids
from tests.evidence.pictures import frame

WALL = 1_000_000.0
"""Unix time of `at` = 0."""
YARD: Point = (0.25, 0.5)
STREET: Point = (0.75, 0.5)
BASE = """
[camera.front]
source = "front.mp4"

[camera.back]
source = "back.mp4"

[zone.yard]
camera = "front"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]

[zone.shed]
camera = "front"
points = [[0, 0], [0.1, 0], [0.1, 1], [0, 1]]

[group]
pets = ["dog", "cat"]
"""


@dataclass(frozen=True)
class Thing:
    """Something in front of the camera."""

    id: int
    label: str
    score: float = 0.87
    foot: Point = YARD
    confirmed: bool = True
    kind: tuple[str, float] = ("", 0.0)
    """Sublabel and its score."""

    def at(self, foot: Point) -> Thing:
        return replace(self, foot=foot)

    def named(self, label: str) -> Thing:
        return replace(self, label=label)

    def known_as(self, sublabel: str, score: float) -> Thing:
        return replace(self, kind=(sublabel, score))

    def scored(self, score: float) -> Thing:
        return replace(self, score=score)

    def track(self, last_at: float) -> Track:
        x, y = self.foot
        box: Box = (x - 0.05, y - 0.2, x + 0.05, y)
        return Track(self.id, self.label, box, self.score, last_at, last_at, 3, self.confirmed, *self.kind)


person = Thing(1, "person")
visitor = Thing(2, "person", 0.71)
dog = Thing(3, "dog", 0.66)
cat = Thing(4, "cat", 0.58)
cattle = tuple(Thing(10 + number, "cattle", 0.5 + number / 100) for number in range(5))


def scene(at: float, *things: Thing, camera: str = "front") -> Scene:
    """A look that sees these things."""
    tracks = tuple(thing.track(at) for thing in things)
    return Scene(camera, at, WALL + at, tracks, looked=True, frame=frame(at, camera=camera))


def walk(*things: Thing, at: Iterable[float]) -> list[Scene]:
    """The same things at each of these times."""
    return [scene(time, *things) for time in at]


def carried(at: float, *things: Thing, last_at: float) -> Scene:
    """A look that sees none of these things, which the tracker bridges."""
    tracks = tuple(thing.track(last_at) for thing in things)
    return Scene("front", at, WALL + at, tracks, looked=True, frame=frame(at))


def skipped(at: float, *things: Thing, last_at: float) -> Scene:
    """Nobody looked: the motion gate was shut."""
    return replace(carried(at, *things, last_at=last_at), looked=False)


def offline(at: float, *things: Thing, last_at: float = 0.0) -> Scene:
    """A tick of a camera that is away."""
    return replace(skipped(at, *things, last_at=last_at), frame=None, online=False)


def every(step_s: float, start: float, end: float) -> list[float]:
    """Times from `start` to `end`, both included."""
    return [round(start + n * step_s, 6) for n in range(round((end - start) / step_s) + 1)]


def config(*rules: str) -> Config:
    """Two cameras, two zones, and these rules, called rule.r0, r1, …"""
    texts = [f"[rule.r{number}]\n{textwrap.dedent(rule)}" for number, rule in enumerate(rules)]
    return parse("\n".join([BASE, *texts]))


def engine(*rules: str) -> Engine:
    return Engine(config(*rules), Ulids(Random(0)))


def fed(engine: Engine, scenes: Iterable[Scene]) -> list[Event]:
    """All that an engine says to these scenes."""
    return [event for scene in scenes for event in engine.feed(scene)]


def told(events: Iterable[Event]) -> list[tuple[str, float]]:
    """What was said when."""
    return [(event.phase, event.at) for event in events]
