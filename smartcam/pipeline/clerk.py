"""What is noted after each turn of the judge: the alarm's changes, near misses, and the memory that is to be kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from smartcam.data import Event
from smartcam.evidence.album import Candidate
from smartcam.evidence.samples import Samples, Visit
from smartcam.rules.engine import Engine
from smartcam.rules.memory import kept

EVERY_S = 5 * 60.0
"""How much of what the rules merely saw a power cut may take: it is no event, and cards wear out."""
REST = 4.0
"""To write the memory down takes the judge's time: at most one part of so many."""


class Keep(Protocol):
    """Takes the rules' memory, to be written down: soon, or with the message of an event that follows at once."""

    def __call__(self, memory: bytes, /, *, soon: bool) -> None: ...


class Clerk:
    """Used by the judge's thread. `keep` gets the memory after each message of an event and each change of the
    alarm, and every `EVERY_S` if anything changed; `on_alarm` whether it is armed, and the mode. Neither may wait.
    `samples` gets each near miss, and before that the frame of `latest(camera)` whenever a rule comes closer."""

    def __init__(
        self,
        keep: Keep,
        on_alarm: Callable[[bool, str], None],
        *,
        samples: Samples | None = None,
        latest: Callable[[str], Candidate | None] = lambda _camera: None,
    ) -> None:
        self.near_misses: Counter[str] = Counter()
        """By rule, since the start."""
        self.alarm: tuple[bool, str] | None = None
        self._keep = keep
        self._on_alarm = on_alarm
        self._samples = samples
        self._latest = latest
        self._due = True  # Once at the start: whether it can be kept at all is better known then.
        self._looked_at = time.monotonic()
        self._seen = 0
        """What the memory was then, as a hash."""
        self._rests_until = 0.0

    def note(self, engine: Engine, events: Sequence[Event], at: float, wall: float) -> None:
        """Look at what the rules have come to, at the time `at` of their last scene."""
        # Updates too: after a kill, no other message may bear the number of one that was sent.
        self._due |= bool(events)
        while engine.misses:
            miss = engine.misses.popleft()
            self.near_misses[miss.rule] += not miss.held_back
            if self._samples and not miss.held_back:
                self._samples.missed(Visit(miss.rule, miss.camera), miss.wall, miss.reason)
        if self._samples:
            self._sample(self._samples, engine, at)
        if (alarm := (engine.alarm.armed, engine.alarm.mode)) != self.alarm:
            self._due = True
            self.alarm = alarm
            self._on_alarm(*alarm)
        now = time.monotonic()
        if now - self._looked_at >= EVERY_S:
            self._looked_at = now
            self._due |= self._has_changed(engine)
        if self._due and now >= self._rests_until:
            self.write_down(engine, at, wall, soon=not events)

    def due(self) -> None:
        """Keep it again at the next turn, whether or not anything changed."""
        self._due = True

    def write_down(self, engine: Engine, at: float, wall: float, *, soon: bool = True) -> None:
        """Whether or not it is due."""
        began = time.monotonic()
        self._keep(kept(engine.memory, at, wall), soon=soon)
        self._due = False
        self._rests_until = began + REST * (time.monotonic() - began)

    def _sample(self, samples: Samples, engine: Engine, at: float) -> None:
        """Hold the frame of each rule that has just come closer to firing than before in the same visit."""
        samples.turn(time.monotonic())
        going_on = set()
        for camera, rules in engine.memory.rules.items() if samples.are_wanted else ():
            for name, memory in rules.items():
                closest = memory.seen.record.closest if memory.seen else None
                if closest is None or closest.held_back or closest.rank == inf:
                    continue
                going_on.add(visit := Visit(name, camera))
                candidate = self._latest(camera) if closest.best_at == at else None
                if candidate and candidate.frame.at == at:
                    samples.closer(visit, candidate)
        samples.keep_only(going_on)

    def _has_changed(self, engine: Engine) -> bool:
        before, self._seen = self._seen, hash(engine.memory.to_json())
        return self._seen != before
