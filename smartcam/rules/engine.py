"""All rules on all cameras: each scene is shown to the rules of its camera."""

from __future__ import annotations

from collections.abc import Callable

from smartcam.config import Config
from smartcam.data import Event, Scene
from smartcam.rules.conditions import conditions_of
from smartcam.rules.places import Places
from smartcam.rules.watch import Watch


class Engine:
    """Scenes in, events out, in the order of the configuration's rules.

    `new_id` makes an event's id from its start in Unix seconds. One thread at a time.
    """

    def __init__(self, config: Config, new_id: Callable[[float], str]) -> None:
        self._places = {
            camera: Places({name: zone.points for name, zone in config.zone.items() if zone.camera == camera})
            for camera in config.camera
        }
        self._watches = {
            camera: [
                Watch(name, rule, camera, conditions_of(rule, config), new_id)
                for name, rule in config.rule.items()
                if rule.enabled and camera in config.cameras_of(rule)
            ]
            for camera in config.camera
        }

    def feed(self, scene: Scene) -> list[Event]:
        """What the camera's rules have to say to its next scene: at most one event each."""
        places = self._places[scene.camera]
        places.follow(scene.confirmed)
        told = [watch.feed(scene, places) for watch in self._watches[scene.camera]]
        return [event for event in told if event]

    def finish(self, at: float, wall: float) -> list[Event]:
        """End every open event, at the end of a replay or of the daemon."""
        ended = [watch.finish(at, wall) for watches in self._watches.values() for watch in watches]
        return [event for event in ended if event]
