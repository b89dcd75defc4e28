"""The wall clock: when somebody sets it, what that changes in the store, and what time it is at the least.

A board without a battery begins in 1970, or where it was switched off, and is set when a time server answers. Its
wall clock then jumps against the clock that counts its running time (CLOCK_BOOTTIME), and the jump tells how wrong it
was. **Correction:** what was kept in this boot while the clock was not to be trusted is moved by the jump that sets it;
so is what was kept after a leap of more than a day into the future, once that is taken back. What was sent already is
not sent again: it says `clock_ok` false. What a boot kept whose clock was never set keeps its odd times.

**Belief:** a wall clock alone is no proof that a month has passed, and deleting cannot be undone. So ages are counted
by a time that is believed: it runs with the board, follows the wall clock back at once, and forward by up to `LEAP_S`.
Where the clock is further ahead, that is believed once it has run so for `STOOD_S`, restarts included, without another
leap. What passes while the board is off cannot be witnessed: it is believed, or not, in the same way. So an age that is
believed may be too small, and a leap makes it too great by a day at most, unless it has stood for a day.

All this is the writer's thread's; `believed` and `corrected` may be asked by any.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from smartcam.clocks import boot_id, boot_s
from smartcam.store.correction import LATE_S, LEAP_S, STEP_S, Marks, Step, moved

NOTE = "clock"
STOOD_S = 86_400.0
SAVE_S = 3600.0
"""How much running time a power cut may take from the belief: cards wear out."""


class Now(NamedTuple):
    """Both clocks, read together."""

    wall: float
    """Unix seconds, as they are set."""
    ran_s: float
    """Seconds since the boot, with those in sleep."""


def now() -> Now:
    """Read again where something came between."""
    while True:
        before, wall, after = boot_s(), time.time(), boot_s()
        if after - before < STEP_S / 4:
            return Now(wall, after)


@dataclass(frozen=True, slots=True)
class Belief:
    """What time it is at the least."""

    wall: float
    lead_s: float = 0.0
    """How far ahead of that the wall clock is …"""
    stood_s: float = 0.0
    """… and for how long it has been so."""

    def after(self, ran_s: float, wall: float | None) -> Belief:
        """`ran_s` of running time later, where the clock shows `wall`, or is not set."""
        here = replace(self, wall=self.wall + ran_s)
        if wall is None:
            return here
        lead_s = wall - here.wall
        if lead_s <= LEAP_S:
            return Belief(wall)
        stood_s = self.stood_s + ran_s if abs(lead_s - self.lead_s) <= LEAP_S else 0.0
        return Belief(wall) if stood_s >= STOOD_S else Belief(here.wall, lead_s, stood_s)


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of the clock, as it is kept in a note."""

    boot: str
    offset_s: float
    """Between the two clocks, when they were last looked at."""
    ran_s: float
    """When that was."""
    unsure_since_s: float | None
    """Since when, in running time, the clock has not been to be trusted."""
    marks: Marks
    """What is to be moved comes after these."""
    belief: Belief | None = None
    steps: tuple[Step, ...] = ()
    """For which something is to be moved."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Known | None:
        """None where it is nothing that we wrote."""
        try:
            found = json.loads(text)
            found["marks"] = Marks(**found["marks"])
            found["belief"] = found["belief"] and Belief(**found["belief"])
            found["steps"] = tuple(Step(**{**step, "marks": Marks(**step["marks"])}) for step in found["steps"])
            return cls(**found)
        except (ValueError, TypeError, KeyError):
            return None

    def after(self, now: Now, *, is_set: bool) -> Known:
        """The same boot, when the clocks show `now`, and that is a time to which a clock was set, or not."""
        offset_s, wall = now.wall - now.ran_s, now.wall if is_set else None
        belief = _believed(self.belief, now.ran_s - self.ran_s, wall)
        looked = replace(self, offset_s=offset_s, ran_s=now.ran_s, belief=belief)
        seconds, unsure_since_s = offset_s - self.offset_s, self.unsure_since_s
        if unsure_since_s is None:  # It may have leapt as soon as it was looked at last.
            return replace(looked, unsure_since_s=self.ran_s) if seconds > LEAP_S or not is_set else looked
        if abs(seconds) < STEP_S:
            is_believed = is_set and belief and not belief.lead_s
            return replace(looked, unsure_since_s=None) if is_believed else looked
        before = self.offset_s + unsure_since_s, self.offset_s + now.ran_s
        step = Step(seconds, *before, at_s=now.ran_s, sets=is_set, marks=self.marks)
        return replace(looked, unsure_since_s=None if is_set else unsure_since_s, steps=(*self.steps, step))


class Clock:
    """A chore of the store's writer: notices that the clock was set, and corrects what was kept before.

    `is_set(wall)` tells whether a clock that shows this has been set.
    """

    def __init__(
        self,
        is_set: Callable[[float], bool],
        *,
        read: Callable[[], Now] = now,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._is_set = is_set
        self._read = read
        self._boot = boot
        self._known: Known | None = None
        self._working: Known | None = None
        """As it is once the transaction is committed …"""
        self._writes = False
        """… and whether it writes the note."""
        self._is_saved = False
        self._saved_s = 0.0
        """When, in running time."""
        self._seen: tuple[Step, ...] = ()
        """Every step since this process began."""

    @property
    def believed(self) -> float | None:
        """What time it is at the least, in Unix seconds; None while nothing is known of that."""
        known = self._known
        return known.belief.wall + self._read().ran_s - known.ran_s if known and known.belief else None

    def corrected(self, wall: float) -> float:
        """What the clock would have shown, had it been set then as it is now."""
        for step in self._seen:
            since, until = step.span
            if since <= wall <= until and not step.is_ambiguous:
                wall += step.seconds
        return wall

    def begin(self, db: sqlite3.Connection) -> None:
        now, boot = self._read(), self._boot()
        row = db.execute("SELECT text FROM note WHERE name = ?", (NOTE,)).fetchone()
        # A store that is begun anew knows nothing, but we do.
        before = Known.from_json(row[0]) if row else self._known and replace(self._known, marks=Marks.of(db), steps=())
        self._is_saved = False
        if before and before.boot == boot:
            self._known = before
            return
        wall = now.wall if self._is_set(now.wall) else None
        belief = _believed(before.belief if before else None, 0.0, wall)
        unsure_since_s = 0.0 if wall is None else None
        self._known = Known(boot, now.wall - now.ran_s, now.ran_s, unsure_since_s, Marks.of(db), belief)

    @property
    def is_due(self) -> bool:
        """Looks at the clocks, too."""
        if self._known is None:
            return False
        now, before = self._read(), self._known
        self._known = known = before.after(now, is_set=self._is_set(now.wall))
        self._seen += known.steps[len(before.steps) :]
        self._is_saved &= now.ran_s - self._saved_s < SAVE_S
        return not self._is_saved or any(not step.is_swept or now.ran_s - step.at_s >= LATE_S for step in known.steps)

    def work(self, db: sqlite3.Connection) -> tuple[str, ...]:
        if known := self._known:
            left = tuple([step for each in known.steps if (step := moved(db, each, known.ran_s))])
            self._writes = left != known.steps or not self._is_saved
            is_sure = known.unsure_since_s is None and not left
            self._working = replace(known, steps=left, marks=Marks.of(db) if is_sure else known.marks)
            if self._writes:
                db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (NOTE, self._working.to_json()))
        return ()

    def committed(self) -> None:
        if self._working:
            self._known = self._working
            if self._writes:
                self._is_saved, self._saved_s = True, self._known.ran_s


def _believed(before: Belief | None, ran_s: float, wall: float | None) -> Belief | None:
    if before:
        return before.after(ran_s, wall)
    return None if wall is None else Belief(wall)
