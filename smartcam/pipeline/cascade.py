"""Second looks: what kind of thing a track is, voted over its life.

Between two frames a batch may run: each second model sees up to `BATCH` tracks, those first that it saw least. Whole
batches, because models that were compiled apart evict each other from an Edge TPU's memory at every switch: to
alternate would cost more than the inferences. Nothing queues: a crop is cut from the newest frame that shows its track,
so one frame a camera is all that is held. A model that is not ready only leaves the votes as they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import NamedTuple

from smartcam.data import Box, Frame, Track
from smartcam.detect.accelerator import AcceleratorLost
from smartcam.detect.classifier import Classifier, Guess
from smartcam.errors import Unavailable

BATCH = 4
EVERY_S = 0.5
"""Between two batches, and between a track's first two looks: neighbouring frames say the same. Each look makes the
wait for the track's next one longer by as much: the vote changes ever less, but a bird that comes nearer is seen."""
ENOUGH = 2
"""Looks before a name is given: one lucky frame names nothing, as it makes no track."""
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
    """What one second model said about one track."""

    second: Second
    looks: int = 0
    next_at: float = -inf
    sums: dict[str, float] = field(default_factory=dict)
    """Per label, the sum of its probabilities."""

    def add(self, guesses: Iterable[Guess], at: float) -> None:
        self.looks += 1
        self.next_at = at + EVERY_S * self.looks
        for guess in guesses:
            self.sums[guess.label] = self.sums.get(guess.label, 0.0) + guess.score

    def named(self, track: Track) -> Track:
        """The track with the label that is likeliest on average, where that is sure enough to be said."""
        if self.looks < ENOUGH or not self.sums:
            return track
        label = max(self.sums, key=self.sums.__getitem__)
        best = Guess(label, self.sums[label] / self.looks)
        if best.names_nothing or best.score < self.second.score:
            return track
        return replace(track, sublabel=best.label, sublabel_score=best.score)


class _Wish(NamedTuple):
    """A look that a track is due for."""

    votes: _Votes
    frame: Frame
    box: Box


class Cascade:
    """Second looks for the tracks of one eye's cameras. Used by the eye's thread.

    For a label that several seconds name, the first one counts. A `strict` one, for recordings, rests by the frames'
    time and not by the clock, and raises Unavailable where a model is lost.
    """

    def __init__(self, seconds: Iterable[Second] = (), *, strict: bool = False) -> None:
        self._seconds = tuple(seconds)
        self._strict = strict
        self._votes: dict[tuple[str, int, Second], _Votes] = {}
        """By camera, track and second: a track whose label flips, and flips back, keeps both."""
        self._wishes: dict[str, list[_Wish]] = {}
        """Of each camera's newest frame that shows a track which is due."""
        self._rests_until = -inf

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The second models, each once."""
        return tuple(dict.fromkeys(second.classifier for second in self._seconds))

    def keep_ready(self) -> None:
        """Move the classifiers' accelerators on, as their owner must; see `Accelerator.ready`."""
        for classifier in self.classifiers:
            classifier.ready()

    def wait_ready(self, timeout_s: float) -> None:
        """For a replay: wait for every classifier, or raise what prevents it."""
        for classifier in self.classifiers:
            classifier.wait_ready(timeout_s)

    def forget(self) -> None:
        """Begin anew: the tracks to come have nothing to do with those so far, and their time neither."""
        self._votes.clear()
        self._wishes.clear()
        self._rests_until = -inf

    def name(self, frame: Frame, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """The frame's tracks, with what is known of their kind; those that are due for a look are noted."""
        if not self._seconds:
            return tracks
        live = {track.id for track in tracks}
        self._votes = {key: votes for key, votes in self._votes.items() if key[0] != frame.camera or key[1] in live}
        about = [(track, self._votes_about(frame.camera, track)) for track in tracks]
        wishes = [
            _Wish(votes, frame, track.box)
            for track, votes in about
            if votes and track.last_at == frame.at >= votes.next_at
        ]
        if wishes:
            self._wishes[frame.camera] = wishes
        return tuple(votes.named(track) if votes else track for track, votes in about)

    def due(self, at: float) -> bool:
        """Whether a batch should run now, at the time `at` of a frame."""
        return bool(self._wishes) and self._now(at) >= self._rests_until

    def run(self) -> None:
        """Look at what is due, one model after the other. Nothing else may be in flight on their accelerators.

        Raises Unavailable if strict. A model that hangs holds the detector up until its own deadline; the rest after
        it is in proportion.
        """
        wishes = sorted(chain(*self._wishes.values()), key=lambda wish: wish.votes.looks)
        self._wishes.clear()
        began = time.monotonic()
        for classifier in self.classifiers:
            self._look(classifier, [wish for wish in wishes if wish.votes.second.classifier is classifier][:BATCH])
        rest_s = EVERY_S if self._strict else max(EVERY_S, REST * (time.monotonic() - began))
        self._rests_until = self._now(max(wish.frame.at for wish in wishes)) + rest_s

    def _now(self, at: float) -> float:
        return at if self._strict else time.monotonic()

    def _look(self, classifier: Classifier, batch: list[_Wish]) -> None:
        try:
            for votes, frame, box in batch:
                votes.add(classifier.guess(frame, box), frame.at)
        except AcceleratorLost as loss:
            # Whoever was not seen stays due, and is asked for again with the next frame.
            if self._strict:
                raise Unavailable(f"the recording was not seen to its end: {loss}") from loss

    def _votes_about(self, camera: str, track: Track) -> _Votes | None:
        """None for a track that gets no second look."""
        second = next((s for s in self._seconds if s.labels is None or track.label in s.labels), None)
        if second is None or not track.confirmed:
            return None
        return self._votes.setdefault((camera, track.id, second), _Votes(second))
