"""What the way to the broker may still cost: bytes of the last 24 hours, by what they were for. Pure.

The hours are of time that has really passed. While the machine runs its own clock tells how much that is. Over a time
without power only the wall clock can, and it is believed only where it was known to be right before and is again: else
that time counts for nothing. So neither a restart nor a clock that is set makes anything be forgotten too soon.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, ValidationError

from smartcam.clocks import Reading
from smartcam.data import Kind

Purpose: TypeAlias = Literal[Kind, "state"]
PURPOSES: tuple[Purpose, ...] = (*get_args(Kind), "state")
"""A message's kind; a state is all else: what the node says of itself, pings, answers, the connection's own bytes."""

DAY_S, HOUR_S = 24 * 3600.0, 3600.0
SHARES: dict[Purpose, float] = {"clip": 0.9, "snapshot": 0.9, "event": 0.95}
"""Of a day's bytes: the total that each may bring them to. The rest is for what matters more, and for states, which are
sent in any case."""
HOURS_A_DAY = 20
"""An hour is over sooner where it has cost this share of a day's bytes: what was spent in a burst is free again as it
was spent, and what little goes on afterwards does not put that off."""
MOST_HOURS = 50
"""More than these make only where the machine was started often."""
NEW_BOOT_S = 0.001


@dataclass(slots=True)
class _Hour:
    """What was spent within one."""

    first: float
    last: float
    """On the budget's own clock."""
    spent: dict[Purpose, int]

    def of(self, purposes: Collection[Purpose]) -> int:
        """What was spent on these."""
        return sum(self.spent.get(purpose, 0) for purpose in purposes)


class _Saved(BaseModel):
    v: Literal[1] = 1
    boot: str
    boot_s: NonNegativeFloat
    at: float
    mark: tuple[float, float] | None
    cut: float | None
    ahead: NonNegativeInt
    hours: list[tuple[float, float, tuple[NonNegativeInt, ...]]]


class Budget:
    """Counts what is spent, and tells what may be. Not for more than one thread at a time."""

    def __init__(self, now: Reading) -> None:
        self.daily: int | None = None
        """Bytes of any 24 hours; None is as many as it takes."""
        self.reserve = 0
        """What alerts may take beyond, and have in any case: states, which nothing limits, leave them that."""
        self._now = now
        self._at = 0.0
        """Seconds that have passed, at least: the budget's clock."""
        self._mark = None if now.wall is None else (now.wall, 0.0)
        """Wall clock and `_at` when the wall clock was last known to be right …"""
        self._cut: float | None = None
        """… and `_at` when the machine was first off after that."""
        self._hours: list[_Hour] = []

    @classmethod
    def loaded(cls, text: str, now: Reading) -> Budget:
        """What `saved` wrote, gone on to `now`; one of which nothing is spent where it wrote nothing readable."""
        budget = cls(now)
        try:
            saved = _Saved.model_validate_json(text)
        except ValidationError:
            return budget
        budget._now = Reading(saved.boot, saved.boot_s, None)
        budget._at, budget._mark, budget._cut = saved.at, saved.mark, saved.cut
        for first, last, spent in saved.hours:
            budget._hours.append(_Hour(first, last, dict(zip(PURPOSES, spent, strict=False))))
        budget.spend("state", saved.ahead)
        budget.go_on(now)
        return budget

    def saved(self, ahead: int = 0) -> str:
        """As text, as if `ahead` bytes more were spent: so many may be before it is saved again."""
        hours = [
            (hour.first, hour.last, tuple(hour.spent.get(purpose, 0) for purpose in PURPOSES)) for hour in self._hours
        ]
        return _Saved(
            boot=self._now.boot,
            boot_s=self._now.boot_s,
            at=self._at,
            mark=self._mark,
            cut=self._cut,
            ahead=ahead,
            hours=hours,
        ).model_dump_json()

    def go_on(self, now: Reading) -> None:
        """Let time pass, as much as is certain."""
        if now.boot == self._now.boot:
            self._at += max(0.0, now.boot_s - self._now.boot_s)
        else:
            if self._cut is None:
                self._cut = self._at
            self._at += max(NEW_BOOT_S, now.boot_s)
        self._now = now
        if now.wall is not None:
            self._credit_time_off(now.wall)
            self._mark, self._cut = (now.wall, self._at), None
        self._hours = [hour for hour in self._hours if self._at - hour.last < DAY_S]

    def spend(self, purpose: Purpose, size: int) -> None:
        """Count bytes, as of the time that `go_on` was told."""
        if size <= 0:
            return
        hour = self._hours[-1] if self._hours else None
        if hour is None or self._is_over(hour):
            hour = _Hour(self._at, self._at, {})
            self._hours.append(hour)
            self._merge()
        hour.last = self._at
        hour.spent[purpose] = hour.spent.get(purpose, 0) + size

    def refund(self, purpose: Purpose, size: int) -> None:
        """They were not needed: of the latest that were counted."""
        for hour in reversed(self._hours):
            back = min(size, hour.spent.get(purpose, 0))
            hour.spent[purpose] = hour.spent.get(purpose, 0) - back
            size -= back

    @property
    def spent(self) -> dict[Purpose, int]:
        """In the last 24 hours."""
        return {purpose: sum(hour.of([purpose]) for hour in self._hours) for purpose in PURPOSES}

    @property
    def total(self) -> int:
        return sum(hour.of(PURPOSES) for hour in self._hours)

    def limit(self, purpose: Purpose) -> int | None:
        """What all together may be brought to by this one."""
        if self.daily is None or purpose == "state":
            return None
        return self.daily + self.reserve if purpose == "alert" else int(self.daily * SHARES[purpose])

    def left(self, purpose: Purpose) -> int | None:
        """What may be spent on it now; None is as much as it takes."""
        limit = self.limit(purpose)
        if limit is None:
            return None
        own = self.reserve - self.spent["alert"] if purpose == "alert" else 0
        return max(0, limit - self.total, own)

    def wait_s(self, purpose: Purpose, size: int) -> float | None:
        """How long until so many bytes may be spent on it, if nothing else is; None where that is never."""
        limit = self.limit(purpose)
        if limit is None:
            return 0.0
        waits_s = [self._until_free_s(PURPOSES, size, limit)]
        if purpose == "alert":
            waits_s.append(self._until_free_s([purpose], size, self.reserve))
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def _until_free_s(self, purposes: Collection[Purpose], size: int, limit: int) -> float | None:
        """How long until these have left so many bytes of a limit: the oldest hours are free first."""
        if size > limit:
            return None
        spent, wait_s = [(hour.last, hour.of(purposes)) for hour in self._hours], 0.0
        over = sum(each for _, each in spent) + size - limit
        for last, each in spent:
            if over <= 0:
                break
            over -= each
            wait_s = max(wait_s, last + DAY_S - self._at)
        return wait_s

    def _is_over(self, hour: _Hour) -> bool:
        is_dear = self.daily is not None and hour.of(PURPOSES) >= self.daily / HOURS_A_DAY
        return is_dear or self._at - hour.first >= HOUR_S or (self._cut is not None and hour.last <= self._cut)

    def _credit_time_off(self, wall: float) -> None:
        """What was spent before the machine was first off is older by all the time that nothing has told of."""
        if self._mark is None or self._cut is None:
            return
        off_s = (wall - self._mark[0]) - (self._at - self._mark[1])
        for hour in self._hours:
            if off_s > 0 and hour.last <= self._cut:
                hour.first -= off_s
                hour.last -= off_s

    def _merge(self) -> None:
        """Two into one that ends as late as the later one: forgotten later, never sooner."""
        while len(self._hours) > MOST_HOURS:
            old, new = self._hours[:2]
            spent = {purpose: old.of([purpose]) + new.of([purpose]) for purpose in PURPOSES}
            self._hours[:2] = [_Hour(old.first, new.last, spent)]
