"""Keeps what is in force in step with its files: a good set replaces it, a bad one is told and changes nothing.

Files are looked at once a second, and read once they have been quiet: editors write in steps, and some by renaming.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from smartcam.config import warnings
from smartcam.config.problems import Problem
from smartcam.config.sources import FOLDERS, read
from smartcam.errors import BadConfig, SmartcamError, Unavailable
from smartcam.mqtt.form import rfc3339
from smartcam.mqtt.health import ConfigPayload, ConfigProblem
from smartcam.pipeline.keeping import LastGood
from smartcam.pipeline.plan import Plan, problems_of
from smartcam.service import notify
from smartcam.service.control import Answer
from smartcam.workers import Alive

log = logging.getLogger(__name__)

SCAN_EVERY_S = 1.0
QUIET_S = 2.0
"""How long files that changed must rest before they are read."""
TURN_S = 0.2
MOST_TOLD = 20
"""Problems in one message."""

Stamp: TypeAlias = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class InForce:
    """What the daemon does, and what is wrong with what it should do instead."""

    plan: Plan
    problems: tuple[Problem, ...] = ()
    """Of the files as they are now; none where they are in force."""
    broken_wall: float = 0.0
    """Since when they have been wrong."""

    @property
    def trouble(self) -> str:
        """One sentence for people, or nothing."""
        if not self.problems:
            return ""
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        since, loaded = (time.strftime("%H:%M", time.localtime(t)) for t in (self.broken_wall, self.plan.loaded_wall))
        return (
            f"configuration broken since {since}: {str(self.problems[0])[:300]}{more}; "
            f"the last good one, {self.plan.sources.hash}, of {loaded}, is in force"
        )

    @property
    def payload(self) -> ConfigPayload:
        """What N/config says."""
        return ConfigPayload(
            ok=not self.problems,
            hash=self.plan.sources.hash,
            loaded_at=rfc3339(self.plan.loaded_wall),
            errors=tuple(
                ConfigProblem(file=each.file, line=each.line, key=each.key or None, message=each.message[:500])
                for each in self.problems[:MOST_TOLD]
            ),
        )


def first(file: Path, last_good: LastGood) -> InForce:
    """What to start with: the files, or the last good set where they cannot be used.

    Raises:
        BadConfig, Unavailable: neither can.
    """
    try:
        in_force = InForce(Plan.of(read(file)))
    except (BadConfig, Unavailable) as error:
        plan = _plan_of(last_good)
        if plan is None:
            raise
        in_force = InForce(plan, problems_of(error, file), time.time())
        for problem in in_force.problems:
            log.error("%s", problem)
        log.error("starting with the last good configuration instead, %s", plan.sources.hash)
    _warn(in_force.plan)
    return in_force


def _warn(plan: Plan) -> None:
    for warning in warnings(plan.config, plan.sources):
        log.warning("%s", warning)


def _plan_of(last_good: LastGood) -> Plan | None:
    try:
        sources = last_good.load()
        return Plan.of(sources) if sources else None
    except (SmartcamError, ValueError) as error:
        log.error("the last good configuration cannot be used either: %s", error)
        return None


class Attendant:
    """Watches the files. `put_in_force` may be called again with the same plan; `told` is called on every news."""

    def __init__(
        self,
        file: Path,
        in_force: InForce,
        last_good: LastGood,
        put_in_force: Callable[[Plan], None],
        told: Callable[[], None],
    ) -> None:
        self.in_force = in_force
        self._file = file
        self._last_good = last_good
        self._put_in_force = put_in_force
        self._told = told
        self._asked = False
        """A plain word, because a signal's handler says it."""
        self._unfinished = False
        """Whether going over to a plan failed half-way: then nobody knows what is in force."""

    def verbs(self) -> dict[str, Answer]:
        """For the control socket."""

        def reload(_: object) -> dict[str, Any]:
            self.ask()
            return {"asked": True}

        return {"reload": reload, "config": lambda _: self.in_force.payload.model_dump() | {"file": str(self._file)}}

    def ask(self) -> None:
        """Look now, and go over to what is there even if the files did not change: the models may have."""
        self._asked = True

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        changes = Changes(self._file)
        self._look()  # They may have changed since they were read; and a failure of this loop may have missed a change.
        if not self.in_force.problems:
            self._last_good.keep(self.in_force.plan.sources)
        while alive():
            if self._asked:
                self._asked = False
                self._look(anyway=True)
            elif changes.settled(time.monotonic()):
                self._look()
            time.sleep(TURN_S)

    def _look(self, *, anyway: bool = False) -> None:
        try:
            sources = read(self._file)
            is_new = sources.hash != self.in_force.plan.sources.hash or bool(self.in_force.problems)
            if not (is_new or anyway or self._unfinished):
                return
            plan = Plan.of(sources)
        except (BadConfig, Unavailable) as error:
            self._refuse(problems_of(error, self._file))
        else:
            self._accept(plan)

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        if problems == self.in_force.problems:
            return
        for problem in problems[:MOST_TOLD]:
            log.error("%s", problem)
        log.error("the configuration is not taken; %s goes on", self.in_force.plan.sources.hash)
        since = self.in_force.broken_wall if self.in_force.problems else time.time()
        self.in_force = replace(self.in_force, problems=problems, broken_wall=since)
        self._told()

    def _accept(self, plan: Plan) -> None:
        notify.reloading()
        self._unfinished = True  # This loop is run again after a failure, and looks again then.
        try:
            self._put_in_force(plan)
        finally:
            notify.ready()
        self._unfinished = False
        log.info("configuration %s is %sin force", plan.sources.hash, "mended and " if self.in_force.problems else "")
        _warn(plan)
        self.in_force = InForce(plan)
        self._last_good.keep(plan.sources)
        self._told()


class Changes:
    """Whether the files of a configuration changed, and have come to rest."""

    def __init__(self, main: Path) -> None:
        self._main = main
        self._scanned_at = self._changed_at = 0.0
        self._seen = self._settled = stamps(main)

    def settled(self, at: float) -> bool:
        """Whether they changed since this was last true, and not for `QUIET_S`. `at` is monotonic."""
        moving = self._seen != self._settled
        # While they change they are looked at more often, so that their rest is noticed soon.
        if not moving and at - self._scanned_at < SCAN_EVERY_S:
            return False
        self._scanned_at = at
        if (now := stamps(self._main)) != self._seen:
            self._seen, self._changed_at = now, at
        if self._seen == self._settled or at - self._changed_at < QUIET_S:
            return False
        self._settled = self._seen
        return True


def stamps(main: Path) -> frozenset[Stamp]:
    """Which files there are: name, inode, size, and when their text and their permissions changed, in ns."""
    return frozenset(_stamps(main))


def _stamps(main: Path) -> Iterator[Stamp]:
    drop_ins = (path for sub in FOLDERS for path in _listed(main.parent / sub))
    for path in (main, *drop_ins):
        try:
            found = path.stat()
        except OSError as error:
            yield str(path), error.errno or 0, 0, 0, 0
        else:
            yield str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ".toml"]
    except OSError:
        return [folder]  # A file there, or one that is not to be looked into, is a change too.
