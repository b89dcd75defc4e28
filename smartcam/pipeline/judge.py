"""Scenes → events → messages: rules decide, evidence is gathered, the reporter writes it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Protocol, TypeVar

from smartcam.config import Config
from smartcam.data import Event, Scene
from smartcam.errors import SmartcamError, Unavailable
from smartcam.rules.engine import Engine
from smartcam.workers import Alive, Channel

T = TypeVar("T")

SCENES = 16
"""Scenes that may wait for the rules; when they are that far behind, the detector waits too."""
ANSWER_S = 5.0
"""How long somebody who asks the rules waits: as long as a local client has patience."""


class _Task:
    """What is to be done between two scenes."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.result: Future[Any] = Future()

    def run(self) -> None:
        try:
            self.result.set_result(self.call())
        except SmartcamError as error:
            self.result.set_exception(error)
        finally:
            self.result.cancel()  # Whoever waits is let go also when the call failed in any other way.


class Witness(Protocol):
    """Who keeps evidence. Called by the judge's thread alone; none of it waits."""

    def on_scene(self, scene: Scene) -> None:
        """A scene that the rules have not seen yet."""

    def on_event(self, event: Event) -> None:
        """What they said."""

    def renew(self, config: Config) -> None:
        """Go on for other rules and cameras."""


class Judge:
    """Lets the rules look at each scene, once. All that touches rules and their evidence is done by its thread.

    `note(engine, events, at, wall)` is called after each turn, before the events go out.
    """

    def __init__(
        self,
        engine: Engine,
        witness: Witness,
        report: Callable[[Event], None],
        *,
        note: Callable[[Engine, Sequence[Event], float, float], None] = lambda *_: None,
    ) -> None:
        self.engine = engine
        self._witness = witness
        self._report = report
        self._note = note
        self._work: Channel[Scene | _Task] = Channel(SCENES)
        self._cameras: Collection[str] | None = None
        self._last: Scene | None = None

    @property
    def now(self) -> tuple[float, float]:
        """`at` and `wall` of the last scene."""
        return (self._last.at, self._last.wall) if self._last else (time.monotonic(), time.time())

    def put(self, scene: Scene) -> None:
        """Hand over a scene; waits while the rules are too far behind."""
        self._work.put(scene)

    def do(self, call: Callable[[], T], timeout_s: float = ANSWER_S) -> T:
        """Have this called between two scenes, and give its result, or raise its SmartcamError. Of any other thread.

        Raises Unavailable when it does not come to it in time; it is done later then.
        """
        until = time.monotonic() + timeout_s
        task = _Task(call)
        try:
            if self._work.put(task, alive=lambda: time.monotonic() < until):
                result: T = task.result.result(max(0.0, until - time.monotonic()))
                return result
        except TimeoutError:
            pass
        except CancelledError:
            raise Unavailable("it failed: see smartcam's log") from None
        raise Unavailable(f"the rules do not answer within {timeout_s:g} s: is the machine too busy?")

    def run(self, alive: Alive) -> None:
        """The worker's loop: judges what comes, and drains it at the end."""
        while alive() or self._work:
            work = self._work.take(timeout_s=0.5)
            if isinstance(work, Scene):
                self.judge(work)
            elif work:
                work.run()
                self.tell([])
            else:
                self.tell([])

    def judge(self, scene: Scene) -> None:
        """One scene: its frame may become evidence before the rules have their say."""
        if self._cameras is not None and scene.camera not in self._cameras:
            return  # It was removed; this scene was under way.
        self._last = scene
        self._witness.on_scene(scene)
        self.tell(self.engine.feed(scene))

    def settle(self) -> None:
        """End what an earlier process left open and no rule goes on with. Before anything is judged."""
        self.tell(self.engine.settle(*self.now))

    def renew(self, config: Config) -> None:
        """Go on with other rules; what was removed or changed ends. In its own thread: by `do`."""
        self.engine, ended = self.engine.replaced(config, *self.now)
        self.tell(ended)
        self._witness.renew(config)
        self._cameras = frozenset(config.camera)

    def finish(self) -> None:
        """End every event that is still open, at the time of the last scene."""
        if self._last:
            self.tell(self.engine.finish(self._last.at, self._last.wall))

    def tell(self, events: Sequence[Event]) -> None:
        """Let them go out. In its own thread: by `do`."""
        self._note(self.engine, events, *self.now)
        for event in events:
            self._report(event)
            self._witness.on_event(event)
