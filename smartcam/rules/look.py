"""What a rule may look at: one scene, the ground that it shows, and the moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from smartcam.data import Scene, Track
from smartcam.rules.alarm import Alarm
from smartcam.rules.calendar import Calendar
from smartcam.rules.company import Company
from smartcam.rules.ground import Ground
from smartcam.rules.misses import Miss


@dataclass(slots=True)
class Look:
    """One scene of one camera, with all that is known besides."""

    scene: Scene
    at: float
    wall: float
    ground: Ground
    """After it has taken the scene."""
    company: Company
    calendar: Calendar
    alarm: Alarm
    clock_ok: bool
    misses: deque[Miss]
    """Where near misses are told."""

    def settled(self, tracks: Sequence[Track]) -> tuple[str, ...]:
        """The zones that any of these stands in; those that have left stand in none."""
        here = self.ground.here
        return self.ground.places.settled([track.id for track in tracks if track.id in here])
