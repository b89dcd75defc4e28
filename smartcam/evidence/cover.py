"""Where things were over the last two minutes, seen or not at the very moment: what must be blurred then."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from smartcam.config import Config
from smartcam.data import Box, Detections, Scene, Track

HOLD_S = 1.0
"""How long before it was first seen, and after it was last, a thing may have been there. Two looks that are twice as
far from each other, at most, tell of all moments between them: of any other moment nobody knows."""
MEMORY_S = 120.0
SETTLES_S = 2.0
"""After this time a moment's cover no longer changes: who was missed has been found again by then, or is given up."""
LATE_S = 0.5
"""How far beyond `look_again` a look may come before a scene without one proves nothing, where no motion gate tells."""
FORGET_EVERY_S = 10.0
SAME = 1.05
"""Sides of a hull, in those of the newer box, up to which a thing is taken to stand still: it is remembered once."""
NEAR = 1.5
"""Box sides that a thing moves between two looks, at most, to be taken for the same without hesitation."""

Labels: TypeAlias = Collection[str] | None
"""None is every label."""
Things: TypeAlias = tuple[tuple[str, Box], ...]


def things(detections: Detections, tracks: Iterable[Track] = ()) -> Things:
    """Label and box of all that is known to be in a frame: detections of any score, and tracks, also carried ones."""
    return (*((label, box) for label, _, box in detections), *((track.label, track.box) for track in tracks))


def named(seen: Things, labels: Labels) -> list[Box]:
    """The boxes of these labels."""
    return [box for label, box in seen if labels is None or label in labels]


class Cover:
    """Remembers `MEMORY_S` of every camera's looks. Fed by one thread, read by any.

    Between two looks that saw a thing its cover is the hull of both boxes, so that it holds wherever the thing was
    if it moved straight on. `blurred` adds the padding.
    """

    def __init__(self, config: Config) -> None:
        self._sections = config.camera
        self._pages: dict[str, _Page] = {}
        self._lock = threading.Lock()

    def renew(self, config: Config) -> None:
        """Go on for these cameras, and forget all others."""
        with self._lock:
            self._sections = config.camera
            self._pages = {name: page for name, page in self._pages.items() if name in config.camera}

    def on_scene(self, scene: Scene) -> None:
        """Take a camera's next scene."""
        with self._lock:
            page = self._pages.get(scene.camera)
            if page is None or scene.at < page.at:  # A recording that played faster than time may be ahead of it.
                page = self._pages[scene.camera] = _Page()
            section = self._sections.get(scene.camera)
            page.take(scene, (section.look_again if section else 0.0) + LATE_S)

    def boxes_at(self, camera: str, at: float, labels: Labels) -> list[Box] | None:
        """Where things of these labels may have been at that moment; None where nobody looked then."""
        return self.boxes_over(camera, at, at, labels)

    def boxes_over(self, camera: str, start: float, end: float, labels: Labels) -> list[Box] | None:
        """Where they may have been at any moment from `start` to `end`; None where nobody looked at one of them."""
        with self._lock:
            page = self._pages.get(camera)
            if page is None or not page.watched(start, end):
                return None
            wanted = (strand for strand in page.strands if labels is None or not strand.labels.isdisjoint(labels))
            return [box for strand in wanted if (box := strand.over(start, end))]

    def settled_until(self, camera: str) -> float | None:
        """What is said of moments before this one no longer changes; None before the camera's first scene."""
        with self._lock:
            page = self._pages.get(camera)
            return page.at - SETTLES_S if page else None


@dataclass(slots=True, eq=False)
class _Sighting:
    at: float
    until: float
    """Later than `at` where it stood still, or is taken to be there still though nobody saw it."""
    box: Box


@dataclass(slots=True, eq=False)
class _Strand:
    """One thing's boxes over time: of a track, or of detections that follow upon each other."""

    labels: set[str]
    """All that it was ever taken for."""
    sightings: list[_Sighting]

    @property
    def last(self) -> _Sighting:
        return self.sightings[-1]

    def see(self, at: float, box: Box) -> None:
        """It is here now."""
        both = hull((self.last.box, box))
        if both[2] - both[0] <= SAME * (box[2] - box[0]) and both[3] - both[1] <= SAME * (box[3] - box[1]):
            self.last.until, self.last.box = at, both
        else:
            self.sightings.append(_Sighting(at, at, box))

    def over(self, start: float, end: float) -> Box | None:
        """The hull of all places where it may have been; None where it was not there."""
        if start > self.last.until + HOLD_S or end < self.sightings[0].at - HOLD_S:
            return None
        first = max(0, bisect_right(self.sightings, start, key=_at) - 1)
        after = bisect_left(self.sightings, end, lo=first, key=_at)
        return hull(sighting.box for sighting in self.sightings[first : after + 1])

    def forget(self, before: float) -> None:
        """Of what is older, one sighting is enough to join the next with."""
        del self.sightings[: max(0, bisect_right(self.sightings, before, key=_at) - 1)]


@dataclass(slots=True, eq=False)
class _Page:
    """One camera's memory."""

    at: float = float("-inf")
    """Of its last scene."""
    looked_at: float = float("-inf")
    missed_motion: bool = False
    """Whether anything moved since then that nobody looked at."""
    forgot_at: float = float("-inf")
    spans: list[tuple[float, float]] = field(default_factory=list)
    """When it was watched, from look to look."""
    strands: list[_Strand] = field(default_factory=list)
    """All that are remembered."""
    recent: list[_Strand] = field(default_factory=list)
    """Those of detections that may go on yet."""
    tracks: dict[int, _Strand] = field(default_factory=dict)

    def take(self, scene: Scene, looks_last_s: float) -> None:
        self.at = scene.at
        if scene.looked:
            self._watch(scene.at)
            self._follow_detections(scene)
            self.looked_at = scene.at
            self.missed_motion = False
        elif scene.online and self._is_still(scene, looks_last_s):
            self._watch(scene.at)
            self._stay(scene.at)
        self._follow_tracks(scene)
        if scene.at - self.forgot_at >= FORGET_EVERY_S:
            self.forgot_at = scene.at
            self._forget(scene.at - MEMORY_S)

    def _is_still(self, scene: Scene, looks_last_s: float) -> bool:
        """Whether a scene that nobody looked at is as the last look saw it; where no motion gate tells, soon after."""
        if scene.moved is None:
            return scene.at - self.looked_at <= looks_last_s
        self.missed_motion |= scene.moved
        return not self.missed_motion and self.looked_at > float("-inf")

    def watched(self, start: float, end: float) -> bool:
        """Whether somebody looked all that time. What a look shows is no word on the moments before and after it."""
        return any(begin <= start and end <= over for begin, over in reversed(self.spans))

    def _watch(self, at: float) -> None:
        """It is watched now, and all the time since the last look if that is not long ago."""
        if self.spans and at - self.spans[-1][1] <= 2 * HOLD_S:
            self.spans[-1] = self.spans[-1][0], at
        else:
            self.spans.append((at, at))

    def _stay(self, at: float) -> None:
        """Nothing moved: what the last look saw is there still, also where it was too unsure for a track."""
        for strand in self.recent:
            if strand.last.until >= self.looked_at:
                strand.last.until = at

    def _follow_tracks(self, scene: Scene) -> None:
        for track in scene.tracks:
            strand = self.tracks.get(track.id)
            if strand is None:
                seen_at = min(track.last_at, scene.at)
                strand = self._begin(track.label, _Sighting(seen_at, scene.at, track.box))
                self.tracks[track.id] = strand
            elif track.last_at > strand.last.until:
                strand.see(track.last_at, track.box)
            strand.last.until = scene.at
            strand.labels.add(track.label)

    def _follow_detections(self, scene: Scene) -> None:
        self.recent = [strand for strand in self.recent if scene.at - strand.last.until <= 2 * HOLD_S]
        for label in dict.fromkeys(label for label, _, _ in scene.detections):
            boxes = [box for name, _, box in scene.detections if name == label]
            self._continue([strand for strand in self.recent if label in strand.labels], scene.at, label, boxes)

    def _begin(self, label: str, *sightings: _Sighting) -> _Strand:
        strand = _Strand({label}, list(sightings))
        self.strands.append(strand)
        return strand

    def _continue(self, strands: list[_Strand], at: float, label: str, boxes: list[Box]) -> None:
        """Give each box to a strand that it is near to, one to one: the last seen first, then the nearest.

        One that was not seen by the look before may yet be the thing that is missed elsewhere now, having moved fast:
        so another strand leads to it from there.
        """
        pairs = sorted(
            (-strand.last.until, distance, n, m)
            for n, strand in enumerate(strands)
            for m, box in enumerate(boxes)
            if (distance := apart(strand.last.box, box)) <= NEAR
        )
        strand_of: dict[int, _Strand] = {}
        for *_, n, m in pairs:
            if m not in strand_of and strands[n] not in strand_of.values():
                strand_of[m] = strands[n]
        missed = [strand.last for strand in strands if strand not in strand_of.values()]
        for m, box in enumerate(boxes):
            strand = strand_of.get(m)
            goes_on = strand is not None and strand.last.until >= self.looked_at
            if strand:
                strand.see(at, box)
            if not goes_on and missed:
                before = min(missed, key=partial(_less_likely, box))
                self.recent.append(self._begin(label, replace(before), _Sighting(at, at, box)))
            elif not strand:
                self.recent.append(self._begin(label, _Sighting(at, at, box)))

    def _forget(self, before: float) -> None:
        self.spans = [(max(start, before), end) for start, end in self.spans if end >= before]
        self.strands = [strand for strand in self.strands if strand.last.until >= before]
        self.tracks = {id_: strand for id_, strand in self.tracks.items() if strand.last.until >= before}
        for strand in self.strands:
            strand.forget(before)


def apart(a: Box, b: Box) -> float:
    """How far two boxes' middles are from each other, in mean sides, along the axis where that is more."""
    across = abs(a[0] + a[2] - b[0] - b[2]) / max(a[2] - a[0] + b[2] - b[0], 1e-6)
    down = abs(a[1] + a[3] - b[1] - b[3]) / max(a[3] - a[1] + b[3] - b[1], 1e-6)
    return max(across, down)


def hull(boxes: Iterable[Box]) -> Box:
    """The smallest box around all of them, of which there must be one."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def _less_likely(box: Box, sighting: _Sighting) -> tuple[float, float]:
    """For an order of where the thing in the box was before: the last seen first, then the nearest."""
    return -sighting.until, apart(sighting.box, box)


def _at(sighting: _Sighting) -> float:
    return sighting.at
