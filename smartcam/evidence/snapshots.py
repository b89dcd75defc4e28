"""When an event's pictures are taken and sent.

An alert's first picture goes at once; that of any other event at its end, or `SOON_S` after its start if it lasts
longer. At the end a better one follows, if it is clearly better than what was sent.

What is decided depends on scenes and events alone, so a replay sends what the daemon sends. The judge's thread
decides and never waits: encoding is left to a worker behind a short queue. When that is full, a picture is tried again
at the next scene, and at the event's end it is given up and counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from smartcam.config import Config
from smartcam.config.grammar import Polygon
from smartcam.data import Box, Detections, Event, Picture, Scene, Track
from smartcam.evidence.album import Album, Candidate, hidden_in
from smartcam.evidence.blur import to_blur
from smartcam.evidence.cover import Cover, Labels, named, things
from smartcam.evidence.snapshot import MAX_BYTES, Mark, jpeg
from smartcam.workers import Alive, Channel

log = logging.getLogger(__name__)

SOON_S = 5.0
"""How long a picture may wait for a better one while its event goes on."""
CLEARLY_BETTER = 1.2
RING_S = 20.0
"""How far back `large` remembers."""
LARGE_OFF_S = 2.0
"""How far the larger stream's picture may be from the moment that was asked for."""
MAX_WAITING = 8
"""Pictures that may wait to be encoded: each may keep a frame of several megabytes alive."""


class _Veil(NamedTuple):
    """What must not be seen in a picture."""

    labels: Labels
    mask: tuple[Polygon, ...]


class _Rendered(NamedTuple):
    candidate: Candidate
    veil: _Veil
    jpeg: bytes


@dataclass(slots=True, eq=False)
class _Owed:
    """An open event that wants pictures."""

    # Of the judge's thread.
    event: Event
    """As last told."""
    start_at: float
    kept: Candidate | None = None
    """Made into a picture already, because it was about to grow too old."""
    sent: int = 0
    sent_quality: float = 0.0
    # Of the evidence thread.
    rendered: _Rendered | None = None
    """What became of `kept`."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One picture to be made."""

    owed: _Owed
    event: Event
    candidate: Candidate
    marks: tuple[Mark, ...]
    crop: Box | None
    veil: _Veil
    number: int
    """Counts the event's pictures from 1; one that is only kept has 0."""


class Snapshots:
    """Keeps the best frames, and sends each event's pictures.

    `deliver(event, jpeg, number)` gets every picture, on the evidence thread; `number` counts an event's pictures from
    1. Without it nothing is kept and no picture is made. `large(camera, at)` gives the same moment from the camera's
    larger stream, or None; it remembers `RING_S`. Where that stream's picture cannot be had, the frame's own is sent.
    `max_bytes()` is what a picture may have when it is made.

    Masks and what a rule blurs are as they are when the picture is made, not when its frame was taken.

    What a rule blurs is blurred wherever it may have been, see `cover`, which is fed here. The larger stream's picture
    is a little earlier or later than it should be: where things were then may not be known yet. A picture of a moment
    that nobody knows of is looked at now, by `glance(camera, picture)`. Where that gives None too, the larger stream's
    is not used for such a rule, and the frame's own is blurred as a whole.
    """

    def __init__(
        self,
        config: Config,
        deliver: Callable[[Event, bytes, int], None] | None,
        *,
        large: Callable[[str, float], Picture | None] = lambda _camera, _at: None,
        max_bytes: Callable[[], int] = lambda: MAX_BYTES,
        glance: Callable[[str, Picture], Detections | None] = lambda _camera, _picture: None,
    ) -> None:
        self.album = Album()
        self.cover = Cover(config)
        self.dropped = 0
        """Pictures that were given up because the queue was full."""
        self._config = config
        self._deliver = deliver
        self._large = large
        self._max_bytes = max_bytes
        self._glance = glance
        self._broken: set[str] = set()
        """Cameras whose larger stream gave no sound picture when it was last asked."""
        self._owed: dict[str, _Owed] = {}
        self._jobs: Channel[_Job] = Channel(MAX_WAITING)

    def renew(self, config: Config) -> None:
        """Go on for other rules and cameras. Events of rules that are no more have been ended before."""
        self._config = config
        self.cover.renew(config)
        for owed in tuple(self._owed.values()):
            if "snapshot" not in config.rule[owed.event.rule].do:
                del self._owed[owed.event.id]
                self.album.release(owed.event.camera, owed.event.id)
        self.album.keep_only(config.camera)

    def on_scene(self, scene: Scene) -> None:
        """Take the next scene, before the rules see it. Never waits."""
        if not self._deliver:
            return
        self.cover.on_scene(scene)
        self.album.look(scene)
        for owed in self._owed.values():
            if owed.event.camera == scene.camera:
                self._while_open(owed, scene.at)

    def on_event(self, event: Event) -> None:
        """Take what the rules say. Never waits."""
        if not self._deliver or "snapshot" not in event.evidence:
            return
        owed = self._owed.setdefault(event.id, _Owed(event, start_at=event.at))
        owed.event = event
        self.album.hold(event.camera, event.id, (track.id for track in event.tracks))
        if event.phase == "end":
            self._at_end(self._owed.pop(event.id))
            self.album.release(event.camera, event.id)
        else:
            self._while_open(owed, event.at)

    def run(self, alive: Alive) -> None:
        """The worker's loop: make and deliver pictures, and all that wait before it ends."""
        while alive() or self._jobs:
            if job := self._jobs.take(timeout_s=0.5):
                self._make(job)

    @property
    def waiting(self) -> int:
        """Pictures that are to be made."""
        return len(self._jobs)

    def work(self) -> None:
        """The same without a thread: make and deliver all that waits now."""
        while job := self._jobs.take(timeout_s=0):
            self._make(job)

    def _while_open(self, owed: _Owed, at: float) -> None:
        best = self._best(owed)
        if not best:
            return
        is_due = owed.event.level == "alert" or at - owed.start_at >= SOON_S
        if is_due and not owed.sent:
            self._send(owed, best)
        # Half of the ring is left for the evidence thread to get to it.
        is_old = at - best.frame.at >= RING_S / 2
        if is_old and best is not owed.kept and _is_worth_sending(owed, best) and self._ask(owed, best, 0):
            owed.kept = best

    def _at_end(self, owed: _Owed) -> None:
        best = self._best(owed)
        if best and _is_worth_sending(owed, best) and not self._send(owed, best):
            self.dropped += 1

    def _best(self, owed: _Owed) -> Candidate | None:
        best = self.album.best(owed.event.camera, self._tracks(owed.event))
        if owed.kept and (not best or best.quality <= owed.kept.quality):
            return owed.kept
        return best

    def _tracks(self, event: Event) -> frozenset[int]:
        """All that were ever told to be in it and can matter to a picture."""
        return self.album.held(event.camera, event.id)

    def _send(self, owed: _Owed, best: Candidate) -> bool:
        """Whether there was room."""
        if not self._ask(owed, best, owed.sent + 1):
            return False
        owed.sent += 1
        owed.sent_quality = best.quality
        return True

    def _ask(self, owed: _Owed, best: Candidate, number: int) -> bool:
        """Whether there was room."""
        rule = owed.event.rule
        look, veil = self._config.rule[rule].snapshot, _veil(self._config, owed.event, _Veil(None, ()))
        mine = self._tracks(owed.event)
        marks = tuple(_mark(track) for track in best.tracks if look.boxes and track.id in mine)
        crop = best.track.box if look.crop and best.track else None
        return self._jobs.put(_Job(owed, owed.event, best, marks, crop, veil, number), alive=lambda: False)

    def _make(self, job: _Job) -> None:
        veil = _veil(self._config, job.event, job.veil)
        picture = self._render(replace(job, veil=veil))
        if veil != _veil(self._config, job.event, job.veil):  # It was made by what is no longer in force.
            self._make(job)
        elif not job.number:
            job.owed.rendered = _Rendered(job.candidate, veil, picture)
        elif self._deliver:
            self._deliver(job.event, picture, job.number)

    def _render(self, job: _Job) -> bytes:
        kept = job.owed.rendered
        if kept and kept[:2] == (job.candidate, job.veil) and len(kept.jpeg) <= self._max_bytes():
            return kept.jpeg
        picture = job.candidate.frame.picture
        return self._from_larger_stream(job) or self._jpeg(job, picture, self._to_blur(job))

    def _from_larger_stream(self, job: _Job) -> bytes | None:
        """None where there is no such picture, or it is broken: what a decoder makes of damage shows only here.

        And where it is not known what must be blurred in it.
        """
        import av
        import cv2

        camera = job.candidate.frame.camera
        try:
            picture = self._large(camera, job.candidate.frame.at)
            blur = self._to_blur_about(job, picture) if picture else None
            data = self._jpeg(job, picture, blur) if picture and blur is not None else None
        except (av.FFmpegError, cv2.error, ValueError, MemoryError) as error:
            if camera not in self._broken:
                log.warning("camera %s: no picture from its record stream (%s): the small one serves", camera, error)
            self._broken.add(camera)
            return None
        self._broken.discard(camera)
        return data

    def _jpeg(self, job: _Job, picture: Picture, blur: Sequence[Box] | None) -> bytes:
        return jpeg(picture, job.marks, crop=job.crop, blur=blur, mask=job.veil.mask, max_bytes=self._max_bytes())

    def _to_blur(self, job: _Job) -> list[Box] | None:
        """Where it is to be blurred in the frame's own picture; None is everywhere."""
        found = hidden_in(job.candidate, job.veil.labels, self.cover)
        return self._seen_now(job, job.candidate.frame.picture) if found is None else found

    def _to_blur_about(self, job: _Job, picture: Picture) -> list[Box] | None:
        """Where it is to be blurred in the larger picture, of about the same moment; None where nobody knows."""
        if job.veil.labels == frozenset():
            return []
        frame = job.candidate.frame
        start, end = frame.at - LARGE_OFF_S, frame.at + LARGE_OFF_S
        found = self.cover.boxes_over(frame.camera, start, end, job.veil.labels)
        if found is None and (now := self._seen_now(job, picture)) is not None:
            return now + (hidden_in(job.candidate, job.veil.labels, self.cover) or [])
        return found

    def _seen_now(self, job: _Job, picture: Picture) -> list[Box] | None:
        seen = self._glance(job.candidate.frame.camera, picture)
        return None if seen is None else named(things(seen), job.veil.labels)


def _veil(config: Config, event: Event, before: _Veil) -> _Veil:
    """What must not be seen of an event; as it was `before`, where its rule or its camera is no more."""
    labels = to_blur(config, event.rule) if event.rule in config.rule else before.labels
    camera = config.camera.get(event.camera)
    return _Veil(labels, camera.mask if camera else before.mask)


def _is_worth_sending(owed: _Owed, best: Candidate) -> bool:
    return not owed.sent or best.quality > CLEARLY_BETTER * owed.sent_quality


def _mark(track: Track) -> Mark:
    return Mark(track.box, f"{track.label} {track.score:.2f}")
