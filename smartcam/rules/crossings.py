"""Which way things cross a line.

A foot point trembles, so a line is crossed only by who comes clear of it, on the other side than before: whoever stands
on it crosses once at most. What counts is the straight way from where the foot last was before the line, however long
that step is. Going around the end of a line is no crossing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from smartcam.data import Point, Track
from smartcam.geometry import crossings, distance, height

Way: TypeAlias = Literal["in", "out"]

CLEAR_BOX = 0.05
"""How far beyond a line a foot must come, as a share of the thing's height: detectors miss by shares of a box."""
LEAST_CLEAR = 0.005
"""The same for what is small, as a share of the picture: two pixels of a detector's input."""


@dataclass(slots=True)
class Crossing:
    """One track and one line."""

    before: Point
    """Where the foot last was on the side on which it is believed to be."""
    way: Way | None = None
    """The latest crossing. Where a thing first appears, it has crossed nothing."""

    def step(self, line: Sequence[Point], track: Track) -> None:
        """The track was seen again."""
        foot = track.foot
        if net := crossings(line, self.before, foot):
            if distance(line, foot) <= max(LEAST_CLEAR, CLEAR_BOX * height(track.box)):
                return  # It may as well stand before the line.
            self.way = "in" if net > 0 else "out"
        self.before = foot
