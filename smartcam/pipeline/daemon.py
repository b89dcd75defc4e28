"""The daemon: every part of a configuration, started sinks first and stopped sources first.

A reload goes the same way as the start: what the new configuration asks for is made, and what runs already and is
made of the same goes on. `reload` says when, `parts` how.
"""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from smartcam.config import Config
from smartcam.data import Scene
from smartcam.errors import SmartcamError
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.clerk import Clerk
from smartcam.pipeline.commands import Commands
from smartcam.pipeline.digest import Digest
from smartcam.pipeline.gathering import Gathering
from smartcam.pipeline.health import clock_ok
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.keeping import Keeper, LastGood
from smartcam.pipeline.owing import Owing
from smartcam.pipeline.plan import Plan
from smartcam.pipeline.reload import Attendant, InForce, first
from smartcam.pipeline.reporter import Reporter, can_be_saved, salvaged
from smartcam.pipeline.sensing import Sensing
from smartcam.pipeline.spokesman import Spokesman
from smartcam.pipeline.switches import Switches
from smartcam.pipeline.uplink import Uplink
from smartcam.rules.engine import Engine
from smartcam.rules.ids import Ulids
from smartcam.service import notify
from smartcam.service.control import SOCKET, ControlServer
from smartcam.service.folders import runtime_folder, state_folder
from smartcam.service.watchdog import Watchdog
from smartcam.store.clock import Clock
from smartcam.store.retention import Retention
from smartcam.workers import Worker

log = logging.getLogger(__name__)

SILENT_S = 60.0
"""A worker without a sign of life for so long hangs: the longest honest wait is an opening one of 40 s."""


class Daemon:
    """Runs while the `with` block lasts; `serve` stays in it until there is a reason to leave.

    Raises on entering:
        BadConfig: the configuration in `file` cannot be used, and no earlier one either.
        Unavailable: a model was not fetched, or another daemon runs.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._workers: list[Worker] = []
        """Those that last as long as the daemon."""
        self._stack = ExitStack()
        self._stopped_by = 0
        """The signal that asked for the end; 0 while none has."""

    def __enter__(self) -> Self:
        last_good = LastGood(state_folder(), self._file)
        in_force = first(self._file, last_good)
        plan = in_force.plan
        _log_as(plan)
        folder = state_folder(plan.config.node.data, make=True)
        self._clock = Clock(clock_ok)
        self._retention = Retention(folder, plan.config.keep, lambda: self._clock.believed)
        with ExitStack() as stack:
            self._owing = Owing(
                plan.config,
                salvage=can_be_saved,
                finish=partial(salvaged, plan.config),
                chores=(self._clock, self._retention),
            )
            stack.enter_context(self._owing)
            self._make(in_force, last_good)
            # First of all, because it refuses a second daemon before that disturbs the first one's broker and cameras.
            stack.enter_context(self._control)
            stack.enter_context(_signals(self._stop, self._attendant.ask))
            self._start(stack, Worker("store", self._owing.run))
            stack.enter_context(self._uplink).renew(plan.config)
            self._spokesman.tell_config()
            gatherers = tuple(self._gathering.workers())
            for worker in gatherers:
                self._start(stack, worker)
            stack.callback(_stop, gatherers)
            self._judge.settle()
            stack.callback(self._finish)
            self._start(stack, Worker("judge", self._judge.run))
            stack.enter_context(self._sensing).renew(plan)
            beside = [
                Worker("control", self._control.run),
                Worker("health", self._spokesman.run),
                Worker("reload", self._attendant.run),
                Worker("commands", self._commands.run),
                *([Worker("retention", self._retention.run)] if self._owing.folder else []),
            ]
            for worker in beside:
                self._start(stack, worker)
            stack.callback(_stop, beside)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        notify.stopping()
        self._stack.close()

    def serve(self) -> None:
        """Feed the watchdog until SIGTERM, SIGINT, or the end of every recording that does not repeat.

        The first signal drains; the second one ends the process at once. SIGHUP asks for a reload.

        Raises SmartcamError when the disk breaks under the store.
        """
        notify.ready("running")
        watchdog = Watchdog(self._all_workers, SILENT_S)
        watchdog.run(lambda: not (self._stopped_by or self._sensing.over or self._owing.broken))
        if self._owing.broken:
            raise SmartcamError(self._owing.broken)
        if self._stopped_by:
            log.info("%s: stopping", signal.Signals(self._stopped_by).name)

    def _stop(self, number: int) -> None:
        self._stopped_by = number

    def _make(self, in_force: InForce, last_good: LastGood) -> None:
        """Every part that lasts as long as the daemon; nothing of it works yet."""
        config = in_force.plan.config
        outbox = self._owing.outbox
        ids = Ulids(random.SystemRandom())
        self._uplink = Uplink(config, outbox, self._hear, clock_ok=clock_ok)
        self._reporter = Reporter(
            self._uplink.topics,
            in_force.plan.models.title,
            outbox.put,
            clock_ok=clock_ok,
            last_n=self._owing.last_n,
            keep=outbox.keep,
            clips_wait=lambda: self._uplink.clips_wait,
            corrected=self._clock.corrected,
        )
        self._sensing = Sensing(
            self._seen,
            on_status=lambda *status: self._spokesman.tell_camera(*status),
            on_gone=self._uplink.forget_camera,
        )
        self._gathering = Gathering(
            config,
            self._reporter,
            self._sensing,
            media_folder=self._owing.folder and self._owing.folder / "media",
            picture_bytes=self._uplink.allowance.picture_bytes,
            clip_size=self._uplink.allowance.clip_size,
            new_id=ids,
        )
        keeper = Keeper(outbox)
        self._clerk = Clerk(
            keeper.take,
            on_alarm=lambda *alarm: self._switches.say(*alarm),
            samples=self._gathering.samples,
            latest=self._gathering.latest_candidate,
        )
        memory = keeper.restored(time.monotonic(), time.time())
        engine = Engine(config, ids, memory=memory, clock_ok=clock_ok)
        self._judge = Judge(engine, self._gathering, self._reporter.event, note=self._clerk.note)
        digest = Digest(
            self._uplink.allowance,
            lambda: outbox.backlog.waiting,
            lambda text: self._uplink.publish_state(self._uplink.topics.digest, text),
            to_fetch=self._owing.to_fetch,
            clock_ok=clock_ok,
        )
        self._spokesman = Spokesman(
            lambda: self._attendant.in_force,
            self._uplink,
            self._sensing,
            outbox=outbox,
            digest=digest,
            workers=self._all_workers,
            near_misses=self._clerk.near_misses,
            troubles=lambda: filter(None, (last_good.trouble, self._owing.trouble, *self._gathering.troubles())),
        )
        self._attendant = Attendant(
            self._file, in_force, last_good, self._put_in_force, told=self._spokesman.tell_config
        )
        self._switches = Switches(self._config, self._judge, self._gathering.latest, self._uplink)
        verbs = self._spokesman.verbs() | self._attendant.verbs() | self._switches.verbs()
        self._commands = Commands(self._config, outbox, verbs, Ulids(random.SystemRandom()))
        self._control = ControlServer(runtime_folder() / SOCKET, verbs)

    def _config(self) -> Config:
        """What is in force now."""
        return self._attendant.in_force.plan.config

    def _hear(self, topic: str, payload: bytes) -> None:
        """What comes from the broker, in the connection's thread."""
        if not self._commands.take(topic, payload):
            self._switches.on_set(topic, payload)

    def _start(self, stack: ExitStack, worker: Worker) -> None:
        self._workers.append(stack.enter_context(worker))

    def _all_workers(self) -> list[Worker]:
        return [*self._workers, *self._uplink.workers, *self._sensing.workers]

    def _put_in_force(self, plan: Plan) -> None:
        """Go over to another configuration: the rules first, as they are what is edited most."""
        _log_as(plan)
        self._judge.do(partial(self._renew_rules, plan))
        self._retention.renew(plan.config.keep)
        if self._uplink.renew(plan.config):
            self._spokesman.tell_all()
            if alarm := self._clerk.alarm:
                self._switches.say(*alarm)
        self._sensing.renew(plan)

    def _renew_rules(self, plan: Plan) -> None:
        """Between two scenes; what ends by it is told as the old configuration says."""
        self._judge.renew(plan.config)
        self._reporter.renew(Topics(plan.config.node.name), plan.models.title, plan.config.camera)

    def _seen(self, scene: Scene) -> None:
        """The eyes' way on: to the rules, and to those who want every box."""
        self._judge.put(scene)
        if scene.frame:
            self._uplink.show(scene)

    def _finish(self) -> None:
        """What is open ends, and what the rules know by then is kept."""
        self._judge.finish()
        self._gathering.samples.finish()
        self._clerk.write_down(self._judge.engine, *self._judge.now)


def _stop(workers: Iterable[Worker]) -> None:
    """All at once, so that the slowest is waited for, and not the sum of them."""
    for worker in workers:
        worker.stop()


def _log_as(plan: Plan) -> None:
    logging.getLogger("smartcam").setLevel(plan.config.log.level.upper())


@contextmanager
def _signals(stop: Callable[[int], None], reload: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT calls `stop`; the second ends the process at once, and the kernel its children.

    A handler runs in the middle of anything, itself too: it may assign, and must not log or take a lock.
    """

    def on_signal(number: int, _: object) -> None:
        stop(number)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    def on_hangup(_number: int, _: object) -> None:
        reload()

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    for each in before:
        signal.signal(each, on_hangup if each is signal.SIGHUP else on_signal)
    try:
        yield
    finally:
        for each, old in before.items():
            # One that comes too late to be a reload must not end the process before its last words are sent.
            signal.signal(each, signal.SIG_IGN if each is signal.SIGHUP else old)
