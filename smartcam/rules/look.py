"""What a rule may look at: one scene, the ground that it shows, and the moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    _latest: dict[frozenset[str], list[tuple[float, int]]] = field(default_factory=dict)
    """Company that was asked for already: many rules ask for the same."""

    def company_at(self, labels: frozenset[str], but: int) -> float | None:
        """When another track than `but` of any of these labels was last seen; None where that is too long ago."""
        latest = self._latest.get(labels)
        if latest is None:
            latest = self._latest[labels] = self.company.latest(labels)
        return next((at for at, id_ in latest if id_ != but), None)

    def settled(self, tracks: Sequence[Track]) -> tuple[str, ...]:
        """The zones that any of these stands in; those that have left stand in none."""
        here = self.ground.here
        return self.ground.places.settled([track.id for track in tracks if track.id in here])
