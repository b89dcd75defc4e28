"""Things that stand still: a parked car, or a statue that the detector takes for a person 371 times a day.

**Learning.** A confirmed track that stays where it is marks a spot. A spot that was seen for `STILL_S` is a still
thing. The time between two looks that saw something there counts, and at most `GAP_S` of it: a parked car is known
after half a minute, a statue that flickers after six sightings or so, and whoever comes to the same door three times is
neither. Whoever moves off takes the spot with it.

**Knowing again.** A track that was born on the spot of a thing, and is called as that was ever called, is that thing:
after a gap, a restart of the tracker or of the daemon. Something of another name there is another thing. Whatever came
from elsewhere is new, and once it is known as still it takes the place of what stood there before.

**Forgetting.** A thing is forgotten when it moves: once its track is elsewhere, or was off its spot for `MOVED_S`. A
thing that is not seen any more is remembered for as long as it had stood there, within `REMEMBERED_S`. Only time in
which the camera looked counts, and `WATCHED_S` for one look at most: at night, and while nothing moves, nobody sees
that it left.

A spot follows what is seen, so slowly that a shadow stays one thing for a day, while cattle that graze leave
their spots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp

from smartcam.data import Box, Scene, Track
from smartcam.geometry import overlap
from smartcam.rules.steady import Steady

STILL_S = 30.0
"""Longer than people stop to look for a key."""
EVERY_S = 0.4
"""Whether something stands still needs no more looks than that."""
GAP_S = 5.0
"""Looks at what stands are 2 s apart. Of a longer gap nobody knows what stood there meanwhile."""
WATCHED_S = 15.0
"""How long one look that saw nothing there speaks for."""
UNMOVED = 0.7
"""Overlap (IoU) with its spot of what stays there."""
SAME = 0.5
"""The same where the spot is a still thing's: parts of it may be hidden."""
ELSEWHERE = 0.2
"""Overlap below which it is hidden by nothing, but away."""
MOVED_S = 3.0
"""Who walks by in front of a thing changes its box for a moment."""
REMEMBERED_S = 600.0, 86400.0
"""The least and the most. What flickers 371 times a day is away for four minutes on the average."""
FOLLOWS_S = 300.0
"""A spot's box follows what is seen over this time."""
MOST = 64
"""Still things, and spots that may become some, that a camera remembers."""


@dataclass(frozen=True, slots=True)
class StillThing:
    """Something that stands still, as it is shown."""

    id: int
    label: str
    box: Box
    since_wall: float
    """When it was first seen there, in Unix seconds."""
    seen_wall: float


@dataclass(slots=True)
class Spot:
    """A place where something has stayed; a still thing once it has been there for long enough."""

    id: int
    box: Box
    called: list[str]
    """The labels that its tracks have had; the first is the one to show."""
    since_wall: float
    seen_wall: float
    since_s: float
    """On the clock of looked-at time, as the next."""
    seen_s: float
    lasted_s: float = 0.0
    """How much of the time since then counts."""

    @property
    def is_still(self) -> bool:
        return self.lasted_s >= STILL_S

    @property
    def reach(self) -> float:
        """Overlap from which on a box is on it."""
        return SAME if self.is_still else UNMOVED

    def see(self, track: Track, watched_s: float, wall: float) -> None:
        """The track was seen on it."""
        elapsed_s = min(watched_s - self.seen_s, WATCHED_S)
        share = 1 - exp(-elapsed_s / FOLLOWS_S)
        x1, y1, x2, y2 = (old + share * (new - old) for old, new in zip(self.box, track.box, strict=True))
        self.box = x1, y1, x2, y2
        self.lasted_s += min(elapsed_s, GAP_S)
        self.seen_s, self.seen_wall = watched_s, wall
        if track.label not in self.called:
            self.called.append(track.label)


@dataclass(slots=True)
class Pose:
    """A live track that stays where it is, or has just begun to move."""

    box: Box
    """Where it was born, or came to rest."""
    born_here: bool
    stays: Steady = field(default_factory=Steady)
    seen_at: float | None = None
    spot: int | None = None


@dataclass(slots=True)
class StillMemory:
    """All that is remembered of one camera's still things."""

    spots: dict[int, Spot] = field(default_factory=dict)
    poses: dict[int, Pose] = field(default_factory=dict)
    """By track."""
    watched_s: float = 0.0
    """The clock of looked-at time."""
    looked_at: float | None = None
    last_id: int = 0

    def forget_tracks(self) -> None:
        """A new tracker counts anew; the things stay."""
        self.poses = {}


class StillThings:
    """Knows one camera's still things, and goes on where `memory` stands."""

    def __init__(self, memory: StillMemory) -> None:
        self._memory = memory

    @property
    def things(self) -> tuple[StillThing, ...]:
        """Those that are known, the oldest first."""
        still = [spot for spot in self._memory.spots.values() if spot.is_still]
        return tuple(StillThing(spot.id, spot.called[0], spot.box, spot.since_wall, spot.seen_wall) for spot in still)

    def thing_of(self, track_id: int) -> int | None:
        """The still thing that this track is; its id is never used for another."""
        pose = self._memory.poses.get(track_id)
        spot = self._spot_of(pose) if pose else None
        return spot.id if spot and spot.is_still else None

    def among(self, tracks: Iterable[Track]) -> dict[int, int]:
        """The still things that these tracks are, by track."""
        if not any(spot.is_still for spot in self._memory.spots.values()):
            return {}
        things = {track.id: self.thing_of(track.id) for track in tracks}
        return {id_: thing for id_, thing in things.items() if thing is not None}

    def follow(self, scene: Scene) -> None:
        """Take the camera's next scene. One that nobody looked at says nothing."""
        if not scene.looked:
            return
        memory = self._memory
        if memory.looked_at is not None:
            memory.watched_s += min(max(scene.at - memory.looked_at, 0.0), WATCHED_S)
        memory.looked_at = scene.at
        before, memory.poses = memory.poses, {}
        for track in scene.tracks:
            pose = before.get(track.id) or Pose(track.box, born_here=True)
            is_due = pose.seen_at is None or track.last_at - pose.seen_at >= EVERY_S
            memory.poses[track.id] = self._seen(pose, track, scene.wall) if is_due else pose
        self._forget_gone()

    def _seen(self, pose: Pose, track: Track, wall: float) -> Pose:
        """The track's pose after a look that saw it."""
        pose.seen_at = track.last_at
        spot = self._spot_of(pose)
        if spot is None and track.confirmed and pose.born_here and (spot := self._born_on(pose, track)):
            pose.spot = spot.id
        near = overlap(spot.box if spot else pose.box, track.box)
        stays = near >= (spot.reach if spot else UNMOVED)
        if not pose.stays.see(stays, track.last_at, MOVED_S if near >= ELSEWHERE else 0.0):
            if spot:
                del self._memory.spots[spot.id]
            return Pose(track.box, born_here=False, seen_at=track.last_at)
        if stays and track.confirmed:
            spot = spot or self._new_spot(pose, track, wall)
            was_still = spot.is_still
            spot.see(track, self._memory.watched_s, wall)
            if spot.is_still and not was_still:
                self._take_the_place(spot, track.last_at)
        return pose

    def _spot_of(self, pose: Pose) -> Spot | None:
        return self._memory.spots.get(pose.spot) if pose.spot is not None else None

    def _born_on(self, pose: Pose, track: Track) -> Spot | None:
        """The spot that the track was born on: by its first box or by its present one, for either may show a part."""
        best, nearest = None, 0.0
        for spot in self._alike((track.label,), track.last_at):
            near = max(overlap(spot.box, pose.box), overlap(spot.box, track.box))
            if near >= spot.reach and near > nearest:
                best, nearest = spot, near
        return best

    def _new_spot(self, pose: Pose, track: Track, wall: float) -> Spot:
        memory = self._memory
        memory.last_id += 1
        now_s = memory.watched_s
        spot = Spot(
            memory.last_id, pose.box, [track.label], since_wall=wall, seen_wall=wall, since_s=now_s, seen_s=now_s
        )
        pose.spot, memory.spots[spot.id] = spot.id, spot
        return spot

    def _take_the_place(self, new: Spot, at: float) -> None:
        """What stood where this has come to stand is gone."""
        for old in self._alike(new.called, at):
            if old is not new and overlap(old.box, new.box) >= SAME:
                del self._memory.spots[old.id]

    def _alike(self, labels: Iterable[str], at: float) -> list[Spot]:
        """The spots of things of these names, but for those on which a track is seen at this time."""
        poses = self._memory.poses.values()
        taken = {pose.spot for pose in poses if pose.seen_at is not None and at - pose.seen_at < EVERY_S}
        spots = [spot for spot in self._memory.spots.values() if spot.id not in taken]
        return [spot for spot in spots if not set(labels).isdisjoint(spot.called)]

    def _forget_gone(self) -> None:
        spots, now_s = self._memory.spots, self._memory.watched_s
        least_s, most_s = REMEMBERED_S
        for spot in list(spots.values()):
            if now_s - spot.seen_s > min(max(spot.seen_s - spot.since_s, least_s), most_s):
                del spots[spot.id]
        if len(spots) > MOST:
            for still in (True, False):
                latest_first = sorted(spots.values(), key=lambda spot: -spot.seen_s)
                for spot in [spot for spot in latest_first if spot.is_still == still][MOST:]:
                    del spots[spot.id]
