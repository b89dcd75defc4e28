"""All rules on all cameras: scenes in, events out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from smartcam.config import Config, Rule
from smartcam.config.values import closest
from smartcam.data import Event, Scene
from smartcam.errors import SmartcamError
from smartcam.rules.alarm import Alarm
from smartcam.rules.calendar import Calendar
from smartcam.rules.conditions import company_of, conditions_of, seen_of
from smartcam.rules.daily import Daily, DailyState, by_the_clock
from smartcam.rules.gate import Gate
from smartcam.rules.ground import Ground
from smartcam.rules.labels import expand
from smartcam.rules.matching import Asks
from smartcam.rules.memory import CameraMemory, Memory, RuleMemory
from smartcam.rules.misses import Miss
from smartcam.rules.post import Post
from smartcam.rules.still import StillThing
from smartcam.rules.telling import Firing, Telling
from smartcam.rules.watch import State, Watch, without_tracks

MOST_MISSES = 1000
"""Near misses that nobody has asked for are forgotten, the oldest first."""
GONE_S = 3600.0
"""How long a rule that is no longer there is remembered."""
STYLE = {"level", "message", "do", "snapshot"}
"""Keys that change how an event is told, not when."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands on one camera."""

    rule: str
    camera: str
    enabled: bool
    open: bool
    fired: int
    fired_wall: float | None
    near_misses: int
    last_miss: str
    missed_wall: float | None
    why_not: str
    """Why it does not fire now, for a person; empty while its event is open."""


class Engine:
    """Scenes in, events out, in the order of the configuration's rules. One thread at a time.

    `new_id` makes an event's id from its start in Unix seconds. `memory` is changed in place; an engine that is
    given another one's goes on where that was, with every rule that asks for the same. `clock_ok` tells whether a wall
    time can be right: until then, rules that need the clock wait. With `ground_of`, what stands where is followed once
    for both engines: their zones and lines must be the same, and each scene must be fed to both.
    """

    def __init__(
        self,
        config: Config,
        new_id: Callable[[float], str],
        *,
        memory: Memory | None = None,
        clock_ok: Callable[[float], bool] = lambda _wall: True,
        ground_of: Engine | None = None,
    ) -> None:
        self.memory = memory or Memory()
        self.calendar = Calendar(config.site)
        self.alarm = Alarm(config, self.calendar, self.memory.alarm)
        self.misses: deque[Miss] = deque(maxlen=MOST_MISSES)
        self.config = config
        self._new_id = new_id
        self._clock_ok = clock_ok
        self._last: dict[str, Scene] = {}
        self._asked = {name: asked_by(rule, config) for name, rule in config.rule.items()}
        self._left: list[tuple[str, str, Firing]] = []
        """Camera and rule of open events that nothing here goes on with."""
        grounds = ground_of.grounds if ground_of else {camera: self._ground(camera) for camera in config.camera}
        self.grounds: dict[str, Ground] = grounds
        self._posts = {camera: self._post(camera) for camera in config.camera}

    def feed(self, scene: Scene) -> list[Event]:
        """What the camera's rules have to say to its next scene: at most one event each."""
        self._last[scene.camera] = scene
        if self._clock_ok(scene.wall):
            self.alarm.follow(scene.wall)
        return self._posts[scene.camera].feed(scene)

    def finish(self, at: float, wall: float) -> list[Event]:
        """End every open event, and every visit that led to none, at the end of a replay or of the daemon."""
        ended = [rule.finish(at, wall, self.misses) for _, rule in self._at_work()]
        return [event for event in ended if event]

    def settle(self, at: float, wall: float) -> list[Event]:
        """End the events in the memory that no rule goes on with: theirs changed or went while nobody was running."""
        for camera, rules in self.memory.rules.items():
            for name, memory in rules.items():
                if not self._is_at_work(name, camera) and memory.gone_at is None:
                    self._leave(camera, name, memory)
                    memory.gone_at = at
        self._forget_long_gone(self.config, at)
        left, self._left = self._left, []
        return [self._voice(camera, name).tell(firing, "end", at, wall) for camera, name, firing in left]

    def replaced(self, config: Config, at: float, wall: float) -> tuple[Engine, list[Event]]:
        """The engine of another configuration, and the ends of the events that it does not go on with.

        Takes effect between two scenes. Rules that ask for the same keep all that they remember.
        """
        ends = []
        asked = {name: asked_by(rule, config) for name, rule in config.rule.items()}
        for camera, rule in self._at_work():
            if not self._goes_on(rule, camera, config, asked):
                ends.append(rule.finish(at, wall, self.misses))
                self.memory.rules[camera][rule.telling.name].gone_at = at
        self._forget_long_gone(config, at)
        engine = Engine(config, self._new_id, memory=self.memory, clock_ok=self._clock_ok)
        engine.misses = self.misses
        engine._last = {camera: scene for camera, scene in self._last.items() if camera in config.camera}
        return engine, [event for event in ends if event]

    def fire(self, name: str, camera: str | None, at: float, wall: float) -> list[Event]:
        """A test event of this rule, start and end. Raises SmartcamError where there is no such rule or camera."""
        rule = self.config.rule.get(name)
        if rule is None:
            raise SmartcamError(
                f'no rule "{name}"{closest(name, self.config.rule)}; there are {", ".join(self.config.rule)}'
            )
        cameras = self.config.cameras_of(rule)
        if camera and camera not in cameras:
            raise SmartcamError(f'the rule "{name}" is not on camera "{camera}": it is on {", ".join(cameras)}')
        on = camera or cameras[0]
        telling = Telling(name, rule, on, self.calendar)
        firing = by_the_clock(self._new_id(wall), at, wall, "a test: nothing was seen", test=True)
        return [telling.tell(firing, "start", at, wall), telling.tell(firing, "end", at, wall)]

    def standings(self) -> list[Standing]:
        """How each rule stands on each of its cameras, those that are switched off too."""
        return [
            self._standing(name, rule, camera)
            for name, rule in self.config.rule.items()
            for camera in self.config.cameras_of(rule)
        ]

    def still(self) -> dict[str, tuple[StillThing, ...]]:
        """What stands still where, by camera."""
        return {camera: post.ground.still.things for camera, post in self._posts.items()}

    def _ground(self, camera: str) -> Ground:
        memory = self.memory.cameras.setdefault(camera, CameraMemory())
        return Ground(camera, self.config, memory.places, memory.still)

    def _post(self, camera: str) -> Post:
        rules = {
            name: rule
            for name, rule in self.config.rule.items()
            if rule.enabled and camera in self.config.cameras_of(rule)
        }
        return Post(
            self.grounds[camera],
            [self._watch(name, rule, camera) for name, rule in rules.items() if not rule.at],
            [self._daily(name, rule, camera) for name, rule in rules.items() if rule.at],
            [company for rule in rules.values() if (company := company_of(rule, self.config))],
            company=self.memory.cameras.setdefault(camera, CameraMemory()).company,
            calendar=self.calendar,
            alarm=self.alarm,
            clock_ok=self._clock_ok,
            misses=self.misses,
        )

    def _watch(self, name: str, rule: Rule, camera: str) -> Watch:
        memory = self._remembered(name, camera)
        if memory.seen is None:
            memory.seen = State()
        asks = Asks(
            seen_of(rule, self.config),
            conditions_of(rule, self.config),
            company_of(rule, self.config),
            Gate.of(rule),
        )
        return Watch(Telling(name, rule, camera, self.calendar), asks, memory.seen, self._new_id)

    def _daily(self, name: str, rule: Rule, camera: str) -> Daily:
        memory = self._remembered(name, camera)
        if memory.daily is None:
            memory.daily = DailyState()
        return Daily(Telling(name, rule, camera, self.calendar), Gate.of(rule), memory.daily, self._new_id)

    def _remembered(self, name: str, camera: str) -> RuleMemory:
        """What this very rule remembers; nothing where it has changed."""
        asks = self._asked[name]
        rules = self.memory.rules.setdefault(camera, {})
        memory = rules.get(name)
        if memory is None or memory.asks != asks:
            if memory:
                self._leave(camera, name, memory)
            memory = rules[name] = RuleMemory(asks)
        if memory.gone_at is not None and memory.seen:
            memory.seen = without_tracks(memory.seen)  # Nobody has followed them meanwhile.
        memory.gone_at = None
        return memory

    def _leave(self, camera: str, name: str, memory: RuleMemory) -> None:
        """Take the open event out of a memory that nothing goes on with."""
        for state in (memory.seen, memory.daily):
            if state and state.firing:
                self._left.append((camera, name, state.firing))
                state.firing = None

    def _voice(self, camera: str, name: str) -> Telling:
        """That of the rule as it is now; of one that is gone, with nothing but its name."""
        rule = self.config.rule.get(name) or Rule(see=(name,))
        return Telling(name, rule, camera, self.calendar)

    def _is_at_work(self, name: str, camera: str) -> bool:
        rule = self.config.rule.get(name)
        return bool(rule and rule.enabled and camera in self.config.cameras_of(rule))

    def _forget_long_gone(self, config: Config, at: float) -> None:
        """Rules that have not been there for `GONE_S`, and cameras of which nothing else is known."""
        for camera, rules in list(self.memory.rules.items()):
            for name, memory in list(rules.items()):
                if memory.gone_at is not None and at - memory.gone_at > GONE_S:
                    del rules[name]
            if not rules and camera not in config.camera:
                del self.memory.rules[camera]
                self.memory.cameras.pop(camera, None)

    def _goes_on(self, rule: Watch | Daily, camera: str, config: Config, asked: dict[str, str]) -> bool:
        """Whether the same is asked on this camera in another configuration, whose rules ask for `asked`."""
        name = rule.telling.name
        new = config.rule.get(name)
        if not new or not new.enabled or camera not in config.camera or camera not in config.cameras_of(new):
            return False
        return asked[name] == self._asked[name]

    def _at_work(self) -> Iterator[tuple[str, Watch | Daily]]:
        for camera, post in self._posts.items():
            at_work: Iterable[Watch | Daily] = (*post.watches, *post.dailies)
            yield from ((camera, rule) for rule in at_work)

    def _standing(self, name: str, rule: Rule, camera: str) -> Standing:
        memory = self.memory.rules.get(camera, {}).get(name) or RuleMemory("")
        state = memory.seen or memory.daily or State()
        return Standing(
            rule=name,
            camera=camera,
            enabled=rule.enabled,
            open=state.firing is not None,
            fired=state.record.fired,
            fired_wall=state.record.fired_wall,
            near_misses=state.record.near_misses,
            last_miss=state.record.last_miss,
            missed_wall=state.record.missed_wall,
            why_not="" if state.firing else self._why_not(rule, camera, state),
        )

    def _why_not(self, rule: Rule, camera: str, state: State | DailyState) -> str:
        if not rule.enabled:
            return "it is switched off (enabled = false)"
        scene = self._last.get(camera)
        if scene is None:
            return "the camera has given no picture yet"
        if closed := Gate.of(rule).closed(self._posts[camera].look(scene)):
            return closed
        if isinstance(state, DailyState):
            return f"it waits for {' and '.join(f'{time // 60:02d}:{time % 60:02d}' for time in rule.at)}"
        if state.record.closest:
            return state.record.closest.reason
        return "the camera is offline" if not scene.online else f"no {' or '.join(rule.see)} seen now"


def asked_by(rule: Rule, config: Config) -> str:
    """A checksum of all that decides when a rule fires, with what it refers to: equal ones behave alike."""
    groups = {name: expand([name], config.group) for name in (*rule.see, *rule.with_) if name.startswith("@")}
    keys = rule.model_dump(exclude=STYLE)
    drawn = config.zone.get(rule.zone or ""), config.line.get(rule.crosses or "")
    everything = repr((keys, {name: sorted(labels or ()) for name, labels in groups.items()}, drawn, config.site))
    return hashlib.sha256(everything.encode()).hexdigest()[:16]
