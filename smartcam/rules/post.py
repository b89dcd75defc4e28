"""All rules of one camera: each scene is shown to those that look for something in it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from smartcam.data import Event, Scene, Track
from smartcam.rules.alarm import Alarm
from smartcam.rules.calendar import Calendar
from smartcam.rules.company import Company
from smartcam.rules.conditions import Together
from smartcam.rules.daily import Daily
from smartcam.rules.ground import Ground
from smartcam.rules.look import Look
from smartcam.rules.misses import Miss
from smartcam.rules.watch import Watch


class Post:
    """One camera's rules at work. `company` is a memory, and is changed in place."""

    def __init__(
        self,
        ground: Ground,
        watches: list[Watch],
        dailies: list[Daily],
        companies: list[Together],
        *,
        company: Company,
        calendar: Calendar,
        alarm: Alarm,
        clock_ok: Callable[[float], bool],
        misses: deque[Miss],
    ) -> None:
        self.watches = watches
        self.dailies = dailies
        self.ground = ground
        self._company = company
        self._wanted = _wanted(companies)
        self._calendar = calendar
        self._alarm = alarm
        self._clock_ok = clock_ok
        self._misses = misses
        self._place = {watch: place for place, watch in enumerate(watches)}
        self._by_label: dict[str, list[Watch]] = defaultdict(list)
        self._of_any: list[Watch] = []
        for watch in watches:
            if watch.seen.labels is None:
                self._of_any.append(watch)
            for label in watch.seen.labels or ():
                self._by_label[label].append(watch)
        self._busy = [watch for watch in watches if watch.is_busy]

    def feed(self, scene: Scene) -> list[Event]:
        """What the rules have to say to the next scene: at most one event each, those by the clock last."""
        self.ground.follow(scene)
        if self._wanted:
            self._company.follow(self.ground.tracks, scene.at, self._wanted)
        look = self.look(scene)
        offered = self._offered(self.ground.tracks)
        # In the configuration's order, so that the same scenes give the same ids.
        told = [watch.feed(look, offered[watch]) for watch in sorted(offered, key=self._place.__getitem__)]
        told += [daily.feed(look) for daily in self.dailies]
        self._busy = [watch for watch in offered if watch.is_busy]
        return [event for event in told if event]

    def look(self, scene: Scene) -> Look:
        """The scene as the rules look at it."""
        return Look(
            scene=scene,
            at=scene.at,
            wall=scene.wall,
            ground=self.ground,
            company=self._company,
            calendar=self._calendar,
            alarm=self._alarm,
            clock_ok=self._clock_ok(scene.wall),
            misses=self._misses,
        )

    def _offered(self, tracks: tuple[Track, ...]) -> dict[Watch, list[Track]]:
        """The rules that want this scene, with what they look for in it. The rest costs nothing."""
        offered: dict[Watch, list[Track]] = {watch: [] for watch in self._busy}
        for track in tracks:
            watches = self._by_label.get(track.label, [])
            if track.sublabel and (named := self._by_label.get(track.sublabel)):
                watches = list(dict.fromkeys([*watches, *named]))
            for watch in watches + self._of_any if self._of_any else watches:
                offered.setdefault(watch, []).append(track)
        return offered


def _wanted(companies: list[Together]) -> dict[str, float]:
    """How long each label is to be remembered, for the rule that asks for the longest."""
    wanted: dict[str, float] = {}
    for company in companies:
        for label in company.labels:
            wanted[label] = max(wanted.get(label, 0.0), company.within_s)
    return wanted
