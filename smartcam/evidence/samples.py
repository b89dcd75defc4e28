"""Pictures of what the rules did not tell: one near miss of each period, drawn at random.

Every near miss of a period has the same chance, so that what one finds in the samples can be reckoned up to all of
them: each says of how many it was drawn. The picture is the frame of the moment when the rule came closest. Whether a
visit will have been a near miss is known only once it is over, so that frame is held until then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from smartcam.config import Config
from smartcam.data import Box, Exhibit
from smartcam.evidence.album import Candidate, frame_bytes, hidden_in
from smartcam.evidence.blur import to_blur
from smartcam.evidence.cover import Cover, Labels
from smartcam.evidence.snapshot import jpeg
from smartcam.workers import Alive, Channel

MOST_HELD = 4
"""Frames of visits that go on."""
MOST_BYTES = 12 << 20
MAX_WAITING = 4


class Visit(NamedTuple):
    """Something that a rule looks for is there, on one camera."""

    rule: str
    camera: str


@dataclass(slots=True)
class _Held:
    """A visit that goes on."""

    lot: float
    """In 0..1, at random: the greatest of a period wins."""
    candidate: Candidate | None
    """None where there was no room for its frame."""


class Drawn(NamedTuple):
    """The near miss that a period has come to."""

    lot: float
    visit: Visit
    wall: float
    reason: str
    candidate: Candidate
    among: int
    """How many there were."""


class Draw:
    """Draws one of all near misses: uniformly, as the greatest of independent random numbers is anybody's. Pure.

    Where more than `most_held` frames would be held at once, those go whose lots are the least, and cannot be drawn.
    """

    def __init__(self, random: Random, *, most_held: int = MOST_HELD, most_bytes: int = MOST_BYTES) -> None:
        self._random = random
        self._most_held = most_held
        self._most_bytes = most_bytes
        self._open: dict[Visit, _Held] = {}
        self._best: Drawn | None = None
        self._count = 0

    def closer(self, visit: Visit, candidate: Candidate) -> None:
        """The rule has never come closer in this visit than now."""
        held = self._open.setdefault(visit, _Held(self._random.random(), None))
        held.candidate = candidate
        self._shrink()

    def missed(self, visit: Visit, wall: float, reason: str) -> Drawn | None:
        """The visit is over, and was a near miss; given where it is the one that is drawn so far."""
        self._count += 1
        held = self._open.pop(visit, None)
        if held is None or held.candidate is None or (self._best and held.lot <= self._best.lot):
            return None
        self._best = Drawn(held.lot, visit, wall, reason, held.candidate, self._count)
        return self._best

    def keep_only(self, visits: Collection[Visit]) -> None:
        """All others have come to something else."""
        if not self._open.keys() <= set(visits):
            self._open = {visit: held for visit, held in self._open.items() if visit in visits}

    def end(self) -> Drawn | None:
        """The period's; the next one begins. None where nothing can be shown."""
        best, count = self._best, self._count
        self._best, self._count = None, 0
        return best._replace(among=count) if best else None

    @property
    def held_bytes(self) -> int:
        """Of visits that go on."""
        frames = {id(held.candidate.frame): held.candidate.frame for held in self._open.values() if held.candidate}
        return sum(map(frame_bytes, frames.values()))

    def _shrink(self) -> None:
        while True:
            held = [each for each in self._open.values() if each.candidate]
            frames = {id(each.candidate.frame) for each in held if each.candidate}
            if len(frames) <= 1 or (len(frames) <= self._most_held and self.held_bytes <= self._most_bytes):
                return
            min(held, key=lambda each: each.lot).candidate = None


@dataclass(frozen=True, slots=True)
class _Job:
    """One sample to be made."""

    drawn: Drawn
    blur: list[Box] | None
    """Where; None is everywhere."""
    hides: Labels
    """What is blurred there."""
    exhibit: Exhibit


class Samples:
    """Takes a sample of each period of ``[sampling] rejects``, and none without that.

    `deliver(exhibit, jpeg)` gets each on the samples' thread; `new_id(wall)` gives it an id. All but `run` is for the
    judge's thread, and never waits. What a rule blurs is blurred as far as `cover` knows where it was, or everywhere;
    where it blurs something else by the time when the picture is made, there is none. A mask holds as it is then.
    """

    def __init__(
        self,
        config: Config,
        deliver: Callable[[Exhibit, bytes], object],
        new_id: Callable[[float], str],
        *,
        cover: Cover | None = None,
        random: Random | None = None,
    ) -> None:
        self._config = config
        self._deliver = deliver
        self._new_id = new_id
        self._cover = cover
        self._draw = Draw(random or Random())
        self._blur: list[Box] | None = None
        """Of the one that is drawn so far: where is forgotten before the period ends."""
        self._began_at: float | None = None
        self._jobs: Channel[_Job] = Channel(MAX_WAITING)

    @property
    def are_wanted(self) -> bool:
        return self._config.sampling.rejects is not None

    def renew(self, config: Config) -> None:
        """Go on for other rules. Where one blurs something else, what was drawn goes: its cover may be forgotten."""
        both = config.rule.keys() & self._config.rule.keys()
        if any(to_blur(config, rule) != to_blur(self._config, rule) for rule in both):
            self._draw.end()
        self._config = config

    def closer(self, visit: Visit, candidate: Candidate) -> None:
        """A rule has come closer to a visit's things than before, in this frame."""
        self._draw.closer(visit, candidate)

    def missed(self, visit: Visit, wall: float, reason: str) -> None:
        """A visit is over, and its rule told nothing of it: it came closest at `wall`, and that is why."""
        if drawn := self._draw.missed(visit, wall, reason):
            self._blur = self._to_blur(visit.rule, drawn.candidate)

    def keep_only(self, visits: Collection[Visit]) -> None:
        """Those that go on."""
        self._draw.keep_only(visits)

    def turn(self, at: float) -> None:
        """At monotonic time `at`: is the period over?"""
        rejects_s = self._config.sampling.rejects
        if rejects_s is None or self._began_at is None:
            self._began_at = at
        elif at - self._began_at >= rejects_s:
            self._began_at = at
            self.finish()

    def finish(self) -> None:
        """The period is over, or the daemon ends."""
        drawn, blur = self._draw.end(), self._blur
        rule = self._config.rule.get(drawn.visit.rule) if drawn else None
        if drawn is None or rule is None or not self.are_wanted:
            return
        exhibit = Exhibit(
            event=self._new_id(drawn.wall),
            kind="sample",
            camera=drawn.visit.camera,
            rule=drawn.visit.rule,
            level=rule.level,
            score=0.0,
            start=drawn.wall,
            end=drawn.wall,
            reasons=(drawn.reason, f"drawn from {drawn.among} near {'miss' if drawn.among == 1 else 'misses'}"),
        )
        hides = to_blur(self._config, drawn.visit.rule)
        self._jobs.put(_Job(drawn, blur, hides, exhibit), alive=lambda: False)

    def run(self, alive: Alive) -> None:
        """The worker's loop: make and deliver samples, and all that wait before it ends."""
        while alive() or self._jobs:
            if job := self._jobs.take(timeout_s=0.5):
                self._make(job)

    def _make(self, job: _Job) -> None:
        config = self._config
        rule, camera = job.drawn.visit
        if rule not in config.rule or camera not in config.camera or to_blur(config, rule) != job.hides:
            return
        picture = jpeg(job.drawn.candidate.frame.picture, blur=job.blur, mask=config.camera[camera].mask)
        if self._config is not config:  # It was made by what is no longer in force.
            self._make(job)
            return
        digest = hashlib.sha256(picture).hexdigest()
        self._deliver(replace(job.exhibit, bytes=len(picture), sha256=digest), picture)

    def _to_blur(self, rule: str, candidate: Candidate) -> list[Box] | None:
        """None is everywhere."""
        if rule not in self._config.rule:
            return None
        return hidden_in(candidate, to_blur(self._config, rule), self._cover)
