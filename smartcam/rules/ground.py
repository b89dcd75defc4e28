"""What is known of one camera's place: what is there, where it stands, and what of it stands still."""

from __future__ import annotations

from smartcam.config import Config
from smartcam.data import Scene, Track
from smartcam.rules.places import Places, PlacesMemory
from smartcam.rules.still import StillMemory, StillThings


class Ground:
    """Follows a camera's scenes. Several sets of rules may stand on one ground: it takes each scene once.

    The memories are changed in place.
    """

    def __init__(self, camera: str, config: Config, places: PlacesMemory, still: StillMemory) -> None:
        self.places = Places(
            {name: zone for name, zone in config.zone.items() if zone.camera == camera},
            {name: line for name, line in config.line.items() if line.camera == camera},
            places,
        )
        self.still = StillThings(still)
        self.tracks: tuple[Track, ...] = ()
        """The confirmed ones of the last scene."""
        self.here: frozenset[int] = frozenset()
        """Their ids."""
        self.alive: frozenset[int] = frozenset()
        """The ids of all its tracks, confirmed or not."""
        self.things: dict[int, int] = {}
        """The still things among the confirmed ones, by track."""
        self._followed: Scene | None = None

    def follow(self, scene: Scene) -> None:
        """Take the next scene."""
        if scene is self._followed:
            return
        self._followed = scene
        self.places.follow(scene.tracks)
        self.still.follow(scene)
        self.tracks = scene.confirmed
        self.here = frozenset([track.id for track in self.tracks])
        self.alive = frozenset([track.id for track in scene.tracks])
        self.things = self.still.among(self.tracks)
