"""Identities over time. Pure: boxes in, tracks out; the time is what the caller says.

Everything is counted in seconds, never in frames, so that a dropped frame or a slower camera changes nothing.
After SORT (Bewley et al., 2016) and the two rounds of ByteTrack (Zhang et al., 2022), with an alpha-beta filter for
the Kalman filter, whose gains follow from the time between two looks, and a greedy choice for the assignment solver.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp, inf
from statistics import median

import numpy as np

from smartcam.data import Box, Detections, Track
from smartcam.geometry import Floats, iou

# Where no source is named, values were chosen on the MOT sequences TUD-Campus, TUD-Stadtmitte and PETS09-S2L1 at 1 to
# 25 frames/s; around each of them the results are flat.
MIN_IOU = 0.3
"""Overlap of prediction and detection that makes them one (SORT's value)."""
MIN_WEAK_IOU = 0.5
"""The same for weak detections (ByteTrack's second round): noise must not drag a track away."""
MIN_NEARNESS = 0.3
"""The same where boxes hardly overlap; see `_nearness`."""
REACH = 0.5
REACH_PER_S = 4.0
"""Box sides to where nearness ends, at once and per second unseen: a person walks three times their width in a second,
and a young track does not know it yet."""
MAX_REACH = 4.0
"""The most that `REACH_PER_S` adds."""
NEW_LABEL = 0.5
"""What is left of an overlap when the track never had the detection's label: then boxes must nearly coincide."""
MISSED_PER_S = 0.4
"""What an overlap loses when the track was missed for a second: who was hidden gives way to who was seen all along."""
DUPLICATE_IOU = 0.5
"""Overlap with a confirmed track, seen in the same look, above which a detection begins no track of the same label."""
BOX_SETTLES_S = 0.08
"""A detector's jitter is smoothed over this time: at 25 frames/s it shows, at 5 the box is simply the detection's."""
VELOCITY_SETTLES_S = 0.4
"""The same for what the velocity is learnt from."""
VELOCITY_LASTS_S = 1.0
"""After this time unseen, 1/e of the velocity is left: whoever is hidden has probably slowed down."""
MISS_COSTS = 0.2
"""Evidence that a look takes which does not see an unconfirmed track: what flickers now and then is not real."""
RECENT_HITS = 10
"""A track's score is the median of so many."""
THINNEST = 1e-6
"""Sides of a box below it count as this: a box that is cut at the frame's edge may have none."""


def _settled(elapsed_s: float, settles_s: float) -> float:
    """How much of a step an exponential filter has followed after a time, 0..1."""
    return 1 - exp(-elapsed_s / settles_s)


@dataclass(slots=True, eq=False)
class _Live:
    """A track as the tracker keeps it."""

    id: int
    box: Floats
    """(4,) as last seen."""
    first_at: float
    last_at: float
    velocity: Floats
    """(4,) of the centre, twice, per second: a box moves as a whole."""
    hits: int = 0
    evidence: float = 0.0
    """Sum of the scores of all hits, less what misses cost."""
    missed_s: float = 0.0
    """Looked-at time since the last hit."""
    confirmed: bool = False
    votes: dict[str, float] = field(default_factory=dict)
    """Per label, the sum of its scores."""
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_HITS))

    def hit(self, at: float, box: Floats, label: str, score: float) -> None:
        """A detection is this object."""
        expected, elapsed_s = self.expected(at), at - self.last_at
        off = box - expected
        if elapsed_s > 0:
            # Jitter over a short time looks like speed: the shorter the time, the less it says.
            self.velocity += (_settled(elapsed_s, VELOCITY_SETTLES_S) / elapsed_s) * (off + off[[2, 3, 0, 1]]) / 2
            smooth = expected + _settled(elapsed_s, BOX_SETTLES_S) * off
            self.box = np.minimum(np.maximum(smooth, 0), 1)
        self.last_at, self.missed_s = at, 0.0
        self.hits += 1
        self.evidence += score
        self.scores.append(score)
        self.votes[label] = self.votes.get(label, 0.0) + score

    def expected(self, at: float) -> Floats:
        """(4,) where it should be now, at constant but fading velocity."""
        return self.box + self.velocity * (VELOCITY_LASTS_S * _settled(at - self.last_at, VELOCITY_LASTS_S))

    @property
    def label(self) -> str:
        return max(self.votes, key=self.votes.__getitem__)

    def track(self) -> Track:
        """It as it stands now."""
        x1, y1, x2, y2 = self.box.tolist()
        box: Box = (x1, y1, x2, y2)
        return Track(
            id=self.id,
            label=self.label,
            box=box,
            score=median(self.scores),
            first_at=self.first_at,
            last_at=self.last_at,
            hits=self.hits,
            confirmed=self.confirmed,
        )


class Tracker:
    """The tracks of one camera.

    **Birth.** A detection of at least `start_score` that belongs to no track begins one; weaker ones only keep tracks
    alive. It is confirmed once the scores of its hits, less `MISS_COSTS` for each look that missed it, add up to
    `evidence`, over at least `min_age_s`: two good looks or a few poor ones. One look brings at most 1, so one lucky
    frame never confirms.

    **Death.** Only looks count: an `update` that misses a track adds the time since the look before, but at most half
    of the gap that the track may have, and the track dies when the sum reaches that gap: `max_gap_s` when confirmed,
    `max_young_gap_s` before. At a high frame rate that is just so many seconds; one look alone never ends a track; and
    it outlives any time in which nobody looked, because the motion gate was shut, frames were dropped or the camera
    was away. Only when nobody looked for `max_blind_s` is every identity given up.

    **Label.** The one whose scores add up to most over the track's life. Labels do not part tracks, but a label that
    the track never had must overlap it by more: a dog that is called cat for a moment stays one, a rider and the
    bicycle stay two.

    Boxes of tracks stay where they were last seen: predictions serve to find the object again and nothing else.
    Ids count from 1. `at` never goes back.
    """

    def __init__(
        self,
        *,
        start_score: float = 0.4,
        evidence: float = 1.5,
        min_age_s: float = 0.15,
        max_gap_s: float = 2.0,
        max_young_gap_s: float = 0.6,
        max_blind_s: float = 60.0,
    ) -> None:
        self._start_score = start_score
        self._evidence = evidence
        self._min_age_s = min_age_s
        self._max_gap_s = max_gap_s
        self._max_young_gap_s = max_young_gap_s
        self._max_blind_s = max_blind_s
        self._live: list[_Live] = []
        self._looked_at = -inf
        self._last_id = 0

    def update(self, at: float, detections: Detections) -> tuple[Track, ...]:
        """The tracks after a look at the frame of time `at` found `detections`: unconfirmed ones too, oldest first."""
        self._forget_if_blind(at)
        strong = detections.scores >= self._start_score
        lost, new = self._follow(at, self._live, detections[strong], by_reach=True)
        lost, _ = self._follow(at, lost, detections[~strong], by_reach=False)
        self._age(at, lost)
        self._begin(at, new)
        self._looked_at = at
        return self._tracks()

    def carried(self, at: float) -> tuple[Track, ...]:
        """The tracks at a time when nobody looked: the frame was skipped, or the camera is offline."""
        self._forget_if_blind(at)
        return self._tracks()

    def _tracks(self) -> tuple[Track, ...]:
        return tuple(live.track() for live in self._live)

    def _forget_if_blind(self, at: float) -> None:
        if at - self._looked_at > self._max_blind_s:
            self._live = []

    def _follow(
        self, at: float, lives: list[_Live], found: Detections, *, by_reach: bool
    ) -> tuple[list[_Live], Detections]:
        """Give each track its detection; what is left of both."""
        if not lives or not len(found):
            return lives, found
        pairs = _greedy(_affinity(at, lives, found, by_reach=by_reach))
        for row, column in pairs:
            label = found.labels[found.classes[column]]
            lives[row].hit(at, found.boxes[column], label, float(found.scores[column]))
            self._confirm(lives[row])
        taken = {row for row, _ in pairs}
        free = np.ones(len(found), bool)
        free[[column for _, column in pairs]] = False
        return [live for row, live in enumerate(lives) if row not in taken], found[free]

    def _confirm(self, live: _Live) -> None:
        if live.evidence >= self._evidence and live.last_at - live.first_at >= self._min_age_s:
            live.confirmed = True

    def _age(self, at: float, lost: list[_Live]) -> None:
        """Count this look against the tracks that it missed."""
        for live in lost:
            gap_s = self._max_gap_s if live.confirmed else self._max_young_gap_s
            live.missed_s += min(at - self._looked_at, gap_s / 2)
            live.evidence -= MISS_COSTS
            if live.missed_s >= gap_s:
                self._live.remove(live)

    def _begin(self, at: float, found: Detections) -> None:
        """Begin a track for each detection, unless it is one more box around something that is tracked already."""
        seen = [live for live in self._live if live.confirmed and live.last_at == at]
        for (label, score, _), box in zip(found, found.boxes, strict=True):
            same = [live.box for live in seen if live.label == label]
            if same and iou(box[None], np.array(same)).max() > DUPLICATE_IOU:
                continue
            self._last_id += 1
            live = _Live(self._last_id, box, first_at=at, last_at=at, velocity=np.zeros(4))
            live.hit(at, box, label, score)
            self._live.append(live)


def _affinity(at: float, lives: list[_Live], found: Detections, *, by_reach: bool) -> Floats:
    """(tracks, detections) how well they belong together; 0 where they do not.

    Overlap with the expected box decides, above 1. Where there is too little, and with `by_reach`, nearness does,
    below 1: fast or small things at low frame rates, and what has stopped while nobody looked.
    """
    expected = np.array([live.expected(at) for live in lives])
    labels = [found.labels[index] for index in found.classes.tolist()]
    known = np.array([[label in live.votes for label in labels] for live in lives])
    missed_s = np.array([[live.missed_s] for live in lives])
    weight = np.where(known, 1.0, NEW_LABEL) * (1 - MISSED_PER_S * np.minimum(missed_s, 1))
    overlap = weight * iou(expected, found.boxes)
    if not by_reach:
        return np.where(overlap >= MIN_WEAK_IOU, overlap, 0)
    unseen_s = at - np.array([live.last_at for live in lives])
    near = weight * _nearness(expected, found.boxes, REACH + np.minimum(REACH_PER_S * unseen_s, MAX_REACH))
    return np.where(overlap >= MIN_IOU, 1 + overlap, np.where(near >= MIN_NEARNESS, near, 0))


def _nearness(a: Floats, b: Floats, reach: Floats) -> Floats:
    """(n, 4) and (m, 4) boxes → (n, m): 1 for the same box, falling with their distance in box sides, to 0 at
    `reach` (n,), and with the difference of their sizes."""
    size_a = np.maximum(a[:, 2:] - a[:, :2], THINNEST)[:, None]
    size_b = np.maximum(b[:, 2:] - b[:, :2], THINNEST)[None, :]
    apart = (a[:, 2:] + a[:, :2])[:, None] - (b[:, 2:] + b[:, :2])[None, :]
    sides = np.hypot(*np.moveaxis(apart / (size_a + size_b), 2, 0))
    alike = np.prod(np.minimum(size_a, size_b) / np.maximum(size_a, size_b), axis=2)
    near: Floats = alike * np.maximum(0, 1 - sides / reach[:, None])
    return near


def _greedy(affinity: Floats) -> list[tuple[int, int]]:
    """(row, column) pairs, the best first.

    Greedy on purpose: objects are few, and the global optimum of a solver buys a better sum with pairs that are each
    a little wrong: one such match swaps two people. Equal ones go to the older track, so that a replay repeats.
    """
    pairs = []
    order = np.argsort(-affinity, axis=None, kind="stable")[: np.count_nonzero(affinity)]
    rows, columns = set[int](), set[int]()
    for row, column in zip(*(index.tolist() for index in np.unravel_index(order, affinity.shape)), strict=True):
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            pairs.append((row, column))
    return pairs
