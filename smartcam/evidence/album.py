"""The best frame of every live track since its birth, bounded in number and bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from smartcam.data import Box, Frame, Scene, Track
from smartcam.evidence.cover import Cover, Labels, Things, named, things
from smartcam.evidence.quality import quality_but_sharpness, sharpness

CLEARLY = 1.1
"""A picture must be this much better to take the place of another: below, it is noise, and frames cost memory."""
I420_BYTES = 1.5
"""Bytes a pixel takes in a decoder's frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A picture that may be sent."""

    frame: Frame
    track: Track | None
    """The one that the picture is of, as it stood in this frame; None for a picture of nothing in particular."""
    tracks: tuple[Track, ...]
    """All that were seen in this frame."""
    quality: float
    """In 0..1; 0 for a picture of nothing in particular."""
    things: Things | None = None
    """All that the model saw in this very frame, at any score, and all that is tracked; None where it did not look."""


@dataclass(slots=True)
class _Page:
    """One camera's candidates."""

    best: dict[int, Candidate] = field(default_factory=dict)
    """By track."""
    latest: Candidate | None = None
    """Of nothing in particular."""
    events: dict[str, frozenset[int]] = field(default_factory=dict)
    """The tracks that each open event holds."""

    @property
    def held(self) -> frozenset[int]:
        return frozenset[int]().union(*self.events.values())


class Album:
    """Looks at every scene, also before a track is confirmed, and keeps one candidate for each live track.

    A track's candidate goes when the track has ended and no event holds it, or when its frame is the least valuable
    of more than `max_frames` frames or `max_bytes` of one camera. One thread at a time.
    """

    def __init__(self, *, max_frames: int = 16, max_bytes: int = 12 << 20) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._pages: dict[str, _Page] = {}

    def look(self, scene: Scene) -> None:
        """Take the camera's next scene."""
        page = self._pages.setdefault(scene.camera, _Page())
        if scene.frame:
            seen = things(scene.detections, scene.tracks) if scene.looked else None
            page.latest = Candidate(scene.frame, None, (), 0.0, seen)
            self._compare(page, scene, page.latest)
        live = {track.id for track in scene.tracks}
        self._forget(page, live)
        self._shrink(page, {track.id for track in scene.confirmed})
        self._let_go(page, live)

    def hold(self, camera: str, event: str, track_ids: Iterable[int]) -> None:
        """Keep these tracks' candidates until the event releases them, even when the tracks have ended."""
        events = self._pages.setdefault(camera, _Page()).events
        events[event] = events.get(event, frozenset()) | frozenset(track_ids)

    def held(self, camera: str, event: str) -> frozenset[int]:
        """The event's tracks, as far as they live or can still be seen in a candidate."""
        return self._pages.get(camera, _Page()).events.get(event, frozenset())

    def release(self, camera: str, event: str) -> None:
        """What the event held may go with the camera's next scene."""
        self._pages.setdefault(camera, _Page()).events.pop(event, None)

    def best(self, camera: str, track_ids: Iterable[int]) -> Candidate | None:
        """The best picture of any of these tracks, or else the camera's latest frame; None before its first."""
        page = self._pages.get(camera, _Page())
        found = [page.best[track_id] for track_id in track_ids if track_id in page.best]
        if found:
            return max(found, key=lambda candidate: candidate.quality)
        return page.latest

    def keep_only(self, cameras: Collection[str]) -> None:
        """Forget the pictures of all other cameras."""
        self._pages = {camera: page for camera, page in self._pages.items() if camera in cameras}

    @property
    def held_bytes(self) -> int:
        """Memory of all the frames that candidates keep, about."""
        return sum(frame_bytes(frame) for page in self._pages.values() for frame in _frames(page))

    def _compare(self, page: _Page, scene: Scene, latest: Candidate) -> None:
        frame = latest.frame
        seen = tuple(track for track in scene.tracks if track.last_at >= scene.at)
        for track in seen:
            to_beat = page.best[track.id].quality * CLEARLY if track.id in page.best else 0.0
            quality = quality_but_sharpness(track, scene.detections)
            # Sharpness costs pixels, so it is only measured where it can decide.
            if quality > to_beat and (quality := quality * sharpness(frame.picture.luma, track.box)) > to_beat:
                page.best[track.id] = replace(latest, track=track, tracks=seen, quality=quality)

    def _forget(self, page: _Page, live: set[int]) -> None:
        held = page.held
        page.best = {id_: candidate for id_, candidate in page.best.items() if id_ in live or id_ in held}

    def _shrink(self, page: _Page, confirmed: set[int]) -> None:
        """Let the least valuable frames go: first those of tracks that may be nothing at all."""
        held = page.held
        frames = _frames(page)
        while len(frames) > self._max_frames or (len(frames) > 1 and sum(map(frame_bytes, frames)) > self._max_bytes):
            value = {
                frame.seq: max(
                    (id_ in held, id_ in confirmed, candidate.quality)
                    for id_, candidate in page.best.items()
                    if candidate.frame is frame
                )
                for frame in frames
            }
            least = min(frames, key=lambda frame: value[frame.seq])
            page.best = {id_: candidate for id_, candidate in page.best.items() if candidate.frame is not least}
            frames = _frames(page)

    def _let_go(self, page: _Page, live: set[int]) -> None:
        """An event may never end: forget its tracks that have ended and are to be seen in no candidate."""
        if not page.held <= live:
            shown = {track.id for candidate in page.best.values() for track in candidate.tracks}
            page.events = {event: held & (live | shown) for event, held in page.events.items()}


def hidden_in(candidate: Candidate, labels: Labels, cover: Cover | None) -> list[Box] | None:
    """Where a candidate's frame is to be blurred, so that nothing of these labels is recognised; None is everywhere."""
    if labels == frozenset():
        return []
    frame = candidate.frame
    around = cover.boxes_at(frame.camera, frame.at, labels) if cover else None
    return around if candidate.things is None else named(candidate.things, labels) + (around or [])


def frame_bytes(frame: Frame) -> int:
    """Of its picture's memory, about."""
    width, height = frame.picture.size
    return int(width * height * I420_BYTES)


def _frames(page: _Page) -> list[Frame]:
    """Each frame once, however many tracks share it."""
    return list({id(candidate.frame): candidate.frame for candidate in page.best.values()}.values())
