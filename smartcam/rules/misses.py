"""Near misses: how close a rule came to firing while things that it looks for were there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

from smartcam.rules.steady import LINGER_S

LONGEST_S = 600.0
"""Where something is always there, as in a street, a visit is cut: it would never be over."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A visit of things that a rule looks for, of which it told nothing."""

    rule: str
    camera: str
    at: float
    """When it came closest."""
    wall: float
    reason: str
    """What was missing then."""
    rank: float
    """How close that was, among the misses of its rule."""
    held_back: bool = False
    """Whether nothing was missing, but the same was told already."""


@dataclass(slots=True)
class Closest:
    """Within one visit."""

    rank: float
    """Conditions that held, and how near the first that did not hold came; infinite once the rule has fired."""
    reason: str
    held_back: bool
    """Whether the same was told already, or stands still."""
    best_at: float
    best_wall: float
    began_at: float
    seen_at: float
    """When something that the rule looks for was last there."""

    def miss(self, rule: str, camera: str) -> Miss:
        return Miss(rule, camera, self.best_at, self.best_wall, self.reason, self.rank, self.held_back)


@dataclass(slots=True)
class Record:
    """What a rule has done so far."""

    fired: int = 0
    fired_wall: float | None = None
    near_misses: int = 0
    """Without those that were held back because the same was told already."""
    last_miss: str = ""
    missed_wall: float | None = None

    closest: Closest | None = None
    """Of the visit that goes on, if one does, and told nothing so far."""

    def fires(self, wall: float) -> None:
        self.fired += 1
        self.fired_wall = wall

    @property
    def has_told(self) -> bool:
        """Whether what is there now was in an event."""
        return self.closest is not None and self.closest.rank == inf

    def tells(self, at: float, wall: float) -> None:
        """An event begins or ends: nothing of this visit is a near miss."""
        self.closest = Closest(inf, "it has told of what is there", True, at, wall, at, at)

    def keeps_silent(self, why: str) -> None:
        """Of what it has told already, which is still there."""
        if self.closest:
            self.closest.reason = why or "it has told of what is there"

    def would_be_closest(self, rank: float) -> bool:
        return self.closest is None or rank > self.closest.rank

    def came_close(self, rank: float, reason: str, at: float, wall: float, *, held_back: bool = False) -> None:
        """So close did the rule come; closer than before in this visit."""
        began_at = self.closest.began_at if self.closest else at
        self.closest = Closest(rank, reason, held_back, at, wall, began_at, at)

    def visit_is_over(self, at: float, *, there: bool) -> bool:
        """Whether what was there has gone, or has been there for too long; `there` says whether it is now."""
        if self.closest is None:
            return False
        if there:
            self.closest.seen_at = at
        is_too_long = at - self.closest.began_at >= LONGEST_S and not self.closest.held_back
        return is_too_long or at - self.closest.seen_at >= LINGER_S

    def visit_ends(self, rule: str, camera: str, misses: deque[Miss]) -> None:
        """Count it as a near miss, unless it was no visit, or was held back."""
        closest, self.closest = self.closest, None
        if closest and closest.rank < inf:
            self.near_misses += not closest.held_back
            self.last_miss, self.missed_wall = closest.reason, closest.best_wall
            misses.append(closest.miss(rule, camera))
