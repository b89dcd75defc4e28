"""Second looks: what kind of thing a track is, voted over its life.

A crop of each track that wants one waits; whole batches run between two frames. Models that were compiled apart
evict each other from an Edge TPU's memory at every switch, so alternating would cost more than the inferences.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from smartcam.data import Frame, Track
from smartcam.detect.accelerator import AcceleratorLost
from smartcam.detect.classifier import Classifier, Guess, names_nothing

BATCH = 4
WAIT_S = 0.5
"""A crop waits so long for others before it goes alone."""
ENOUGH = 12
"""Looks at one track; more would hardly change the vote."""
EVERY_S = 0.3
"""Between two looks at one track: neighbouring frames say the same."""
REST = 3.0
"""After a batch, detection has the accelerator for at least so many times as long as the batch took."""


@dataclass(frozen=True, slots=True)
class Second:
    """One `then` of a detector: who gets a second look, by which model, and how sure that has to be."""

    labels: frozenset[str] | None
    """None is every label."""
    classifier: Classifier
    score: float


@dataclass(slots=True)
class _Votes:
    """What was said about one track."""

    looks: int = 0
    asked_at: float = -EVERY_S
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, guesses: Iterable[Guess]) -> None:
        self.looks += 1
        for guess in guesses:
            self.sums[guess.label] = self.sums.get(guess.label, 0.0) + guess.score

    def best(self) -> Guess | None:
        """The label with the largest mean probability over all looks."""
        label = max(self.sums, key=lambda each: self.sums[each], default=None)
        return None if label is None else Guess(label, self.sums[label] / self.looks)


class _Wish(NamedTuple):
    second: Second
    frame: Frame
    track: Track


class Cascade:
    """Second looks for the tracks of one eye's cameras. Used by the eye's thread."""

    def __init__(self, seconds: Iterable[Second] = (), *, strict: bool = False) -> None:
        self._seconds = tuple(seconds)
        self._strict = strict
        self._votes: dict[tuple[str, int], _Votes] = {}
        self._wishes: list[_Wish] = []
        self._rest_until = 0.0

    def keep_ready(self) -> None:
        """Move the classifiers' accelerators on, as their owner must; see `Accelerator.ready`."""
        for second in self._seconds:
            second.classifier.ready()

    def wait_ready(self, timeout_s: float) -> None:
        """For a replay: wait for every classifier, or raise what prevents it."""
        for second in self._seconds:
            second.classifier.wait_ready(timeout_s)

    def forget(self) -> None:
        """Begin anew: the tracks to come have nothing to do with those so far."""
        self._votes.clear()
        self._wishes.clear()

    def name(self, frame: Frame, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """The tracks with what is known of their kind; those that want a look are remembered."""
        if not self._seconds:
            return tracks
        self._forget(frame.camera, {track.id for track in tracks})
        return tuple(self._named(frame, track) for track in tracks)

    def due(self, at: float) -> bool:
        """Whether a batch should run now, at the time `at` of a frame."""
        if not self._wishes or (not self._strict and time.monotonic() < self._rest_until):
            return False
        return len(self._wishes) >= BATCH or at - self._wishes[0].frame.at >= WAIT_S

    def run(self) -> None:
        """Look at what waits, one model after the other. Nothing else may be in flight on their accelerators."""
        began = time.monotonic()
        wishes, self._wishes = self._wishes, []
        for second in self._seconds:
            batch = [wish for wish in wishes if wish.second is second]
            if batch and second.classifier.ready():
                with suppress(AcceleratorLost):
                    self._look(second.classifier, batch)
        self._rest_until = time.monotonic() + REST * (time.monotonic() - began)

    def _look(self, classifier: Classifier, batch: list[_Wish]) -> None:
        asked: list[_Wish] = []
        for wish in batch:
            classifier.submit(wish.frame, wish.track.box)
            asked.append(wish)
            if len(asked) > 1:
                self._hear(classifier, asked.pop(0))
        for wish in asked:
            self._hear(classifier, wish)

    def _hear(self, classifier: Classifier, wish: _Wish) -> None:
        self._votes[wish.frame.camera, wish.track.id].add(classifier.collect())

    def _named(self, frame: Frame, track: Track) -> Track:
        second = next((s for s in self._seconds if s.labels is None or track.label in s.labels), None)
        if second is None or not track.confirmed:
            return track
        votes = self._votes.setdefault((frame.camera, track.id), _Votes())
        if track.last_at == frame.at and votes.looks < ENOUGH and frame.at - votes.asked_at >= EVERY_S:
            votes.asked_at = frame.at
            self._wishes.append(_Wish(second, frame, track))
        best = votes.best()
        if best is None or best.score < second.score or names_nothing(best.label):
            return track
        return replace(track, sublabel=best.label, sublabel_score=best.score)

    def _forget(self, camera: str, live: set[int]) -> None:
        for key in [key for key in self._votes if key[0] == camera and key[1] not in live]:
            del self._votes[key]
        self._wishes = [w for w in self._wishes if w.frame.camera != camera or w.track.id in live]
