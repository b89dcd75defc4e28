"""One disk, and a node on it whose power is cut again and again."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, TypeAlias

from smartcam.data import Packet
from smartcam.mqtt.subscriber import Subscription
from smartcam.store import NAME
from tests.faults.account import Account, State, orphans, set_aside
from tests.faults.loop_disk import LoopDisk
from tests.faults.node import END, REST, WORK, Kept, Orders, Ready, live
from tests.faults.spoiled import Mutation

Violence: TypeAlias = Literal["cut", "kill"]
READY_S = 10.0
DRAIN_S = 60.0
HEARD_S = 10.0
"""What the broker has is with its subscriber by then, however busy the machine is."""


class Lost(Exception):
    """A power cut did what it must not."""


class Node:
    """A process that lives until it is killed."""

    def __init__(self, orders: Orders) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.faults.node"])
        self.ears, mouth = context.Pipe()
        self._process = context.Process(target=live, args=(orders, mouth), daemon=True)
        self._process.start()
        mouth.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """In peace."""
        self.ears.send(END)
        self._process.join(20)
        if self._process.exitcode != 0:
            raise Lost(f"the process ended with {self._process.exitcode}")


class Ordeal:
    """One disk, and what becomes of a node on it."""

    def __init__(
        self,
        disk: LoopDisk,
        broker: str,
        nobody: str,
        ears: Subscription,
        film: tuple[Packet, ...],
        chance: random.Random,
        mutation: Mutation | None,
    ) -> None:
        self.account = Account()
        self.slowest_s = 0.0
        """To be ready."""
        self.slowest_heard_s = 0.0
        """From the cut until all that the broker had was heard."""
        self._disk = disk
        self._state = disk.folder / "state"
        self._log = disk.folder.with_name(f"{disk.folder.name}.log")
        self._broker = broker
        self._nobody = nobody
        self._ears = ears
        self._film = film
        self._chance = chance
        self._mutation = mutation
        self._cycle = 0
        self._files_before: set[str] = set()

    def suffer(self, act: Violence) -> None:
        """One life of the node, and its end."""
        self._cycle += 1
        self._state.mkdir(exist_ok=True)
        node = self._start()
        try:
            if self._chance.random() < 0.25:
                self.account.figures[f"{act}s while it starts"] += 1
                self._listen(node, self._chance.uniform(0, 0.06))
            else:
                self._wait_until_ready(node)
                if self._chance.random() < 0.5:  # Else it goes to work while it still tidies up.
                    self._wait_until_tidy()
                node.ears.send(WORK)
                self._listen(node, self._chance.uniform(0.02, 0.6))
            if act == "cut":
                self._disk.cut_power()
        finally:
            node.kill()
        if act == "cut":
            self._disk.restore_power()
        else:
            self._note(node.ears)
        node.ears.close()
        self._look()

    def rest(self) -> None:
        """All that is owed arrives, and nothing is left to do."""
        node = self._start(reachable=True)
        try:
            self._wait_until_ready(node)
            self._wait_until_tidy()
            node.ears.send(REST)
            until = time.monotonic() + DRAIN_S
            while (state := State.read(self._state)).owed:
                self._listen(node, 0.05)
                if time.monotonic() > until:
                    raise Lost(f"{state.owed} messages are owed still after {DRAIN_S:g} s")
            node.end()
        finally:
            node.kill()
        self._hear_until_complete(state)
        self._insist([*self.account.wrong(self._state, state), *self.account.wrong_words()])

    def _start(self, *, reachable: bool = False) -> Node:
        away = not reachable and self._chance.random() < 0.4
        return Node(
            Orders(
                self._state,
                self._nobody if away else self._broker,
                self._log,
                f"{self._cycle:04d}{self._chance.randrange(10**4):04d}",
                f"{self._chance.random()}",
                self._chance.choice((0.02, 0.02, 2.0)),
                self._film,
                warm=self._cycle == 1 and self._chance.random() < 0.8,
                mutation=self._mutation,
            )
        )

    def _wait_until_ready(self, node: Node) -> None:
        began = time.monotonic()
        while not node.ears.poll(0.01):
            if not node.alive or time.monotonic() - began > READY_S:
                raise Lost(f"it is not ready within {READY_S:g} s: {self._log.read_text()[-2000:]}")
        assert isinstance(node.ears.recv(), Ready)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self._insist(f"{name} was set aside" for name in set_aside(self._state))

    def _wait_until_tidy(self) -> None:
        """What an earlier life left unfinished is finished, or gone."""
        until = time.monotonic() + READY_S
        while left := orphans(self._state, state := State.read(self._state)):
            if time.monotonic() > until:
                raise Lost(f"nobody names {', '.join(sorted(left))}, and it is not removed")
            time.sleep(0.01)
        self._hear_until_complete(state)  # The link is at work already.
        self.account.figures["salvaged"] += len(set(state.media) - self._files_before)
        self._insist(self.account.wrong(self._state, state))

    def _listen(self, node: Node, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            self._note(node.ears)
            self._hear(min(left_s, 0.005))
        if not node.alive:
            raise Lost(f"the process ended by itself: {self._log.read_text()[-2000:]}")
        self._note(node.ears)

    def _note(self, ears: Connection) -> None:
        """What was committed by now. Its last words may be cut off."""
        try:
            while ears.poll():
                if isinstance(told := ears.recv(), Kept):
                    self.account.commit(*told)
        except (EOFError, ConnectionError):
            pass

    def _hear(self, seconds: float) -> None:
        if received := self._ears.receive(seconds):
            self.account.hear(received)

    def _look(self) -> None:
        """At the disk as it was left, in a copy: nobody has come yet to clean it up."""
        with tempfile.TemporaryDirectory() as copy:
            for suffix in ("", "-wal"):
                if (self._state / (NAME + suffix)).exists():
                    shutil.copy(self._state / (NAME + suffix), copy)
            state = State.read(Path(copy))
        self._files_before = set(state.media)
        self.account.figures["clips under way"] += len(list(self._state.rglob("*.part")))
        self._hear_until_complete(state)
        self._insist(self.account.wrong(self._state, state))

    def _hear_until_complete(self, state: State) -> None:
        """What the broker has is on its way to us."""
        began = time.monotonic()
        while self.account.missing(state) and time.monotonic() - began < HEARD_S:
            self._hear(0.05)
        self.slowest_heard_s = max(self.slowest_heard_s, time.monotonic() - began)

    def _insist(self, wrong: Iterable[str]) -> None:
        found = list(wrong)
        if found:
            raise Lost("; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else ""))
