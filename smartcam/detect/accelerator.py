"""The device that models run on, as the daemon sees it: a child process that is replaced when it dies or hangs."""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from numpy.typing import NDArray

from smartcam.detect.heat import Heat
from smartcam.detect.model import ModelFile
from smartcam.detect.process import ChildProcess, Done, Gone, Greeting, spawn
from smartcam.detect.slots import SLOTS
from smartcam.detect.versions import advice, find_library, installed_runtime, judge
from smartcam.errors import SmartcamError, Unavailable

log = logging.getLogger(__name__)

CRASHES_TO_INCOMPATIBLE = 3
FAILURES_TO_RESET = 2
"""After so many in a row a USB stick's port is reset before the next opening."""
RECENT_INVOKES = 50
WAIT_STEP_S = 0.005
CLOSE_S = 0.5
"""How long a healthy child may take to release its device."""


class AcceleratorLost(Unavailable):
    """The child died, gave up or was killed past its deadline; everything that was in flight is lost with it."""


@dataclass(frozen=True, slots=True)
class AcceleratorState:
    """How it stands. A lost one stays lost, with its reason, until a new child is ready."""

    name: Literal["opening", "ready", "lost", "incompatible"] = "opening"
    reason: str = ""
    device: str = ""
    runtime: str = ""
    """Package and version."""
    threads: int = 0
    restarts: int = 0
    invoke_ms: float | None = None
    """The median of recent ones, as the child measured it."""
    pid: int | None = None
    temperature_c: float | None = None
    hot: bool = False
    """Whether it should be spared: half the rate until it has cooled down."""
    degraded: str = ""
    """Why it works on its slower path: one sentence, or nothing."""


class Accelerator:
    """Runs one model, or several that share a device, in a child process, up to two pictures at a time.

    Used by one thread, which calls `ready` at every turn of its loop, also when it has nothing to submit:
    that is how an idle child's death is noticed and a new one comes to be. `state` may be read by any.
    """

    def __init__(
        self,
        *models: ModelFile,
        device: str = "cpu",
        runtime: str = "auto",
        performance: str | None = None,
        threads: int = 0,
        open_timeout_s: float = 40.0,
        invoke_timeout_s: float = 10.0,
        retry_min_s: float = 1.0,
        retry_max_s: float = 15.0,
    ) -> None:
        self.models = models
        self.hellos: Greeting = ()
        """What the present child said when it was ready, for each model; empty while there is none."""
        self.error: SmartcamError | None = None
        """Why the last child was lost, until the next one is ready."""
        files = [model.on(device) for model in models]
        self._job: dict[str, Any] = {
            "models": [{"path": os.fspath(path.absolute()), "sha256": sha256} for path, sha256 in files],
            "device": device,
            "runtime": runtime,
            "threads": threads or _spare_cores(),
            "options": {"Performance": performance.capitalize()} if performance else {},
        }
        self._heat = Heat()
        self._open_timeout_s = open_timeout_s
        self._invoke_timeout_s = invoke_timeout_s
        self._retry_s = (retry_min_s, retry_max_s)
        # PDEATHSIG fires when the spawning thread ends: this one lives as long as the accelerator does,
        # so that a worker may end, and another adopt the running child.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")
        self._child: ChildProcess | None = None
        self._deadline = 0.0
        self._spawn_at = 0.0
        self._submitted: deque[int] = deque()
        """The models of the pictures in flight, the oldest first."""
        self._next_slots: list[int] = []
        self._failures = 0
        self._crashes = 0
        self.last_ms = 0.0
        """How long the last inference took."""
        self.proven = False
        """Whether it ever did an inference."""
        self._recent_ms: deque[float] = deque(maxlen=RECENT_INVOKES)
        self._state = AcceleratorState(threads=threads or _spare_cores())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state(self) -> AcceleratorState:
        """How it is right now, for N/health."""
        recent = list(self._recent_ms)
        heat = self._heat
        return replace(
            self._state,
            invoke_ms=statistics.median(recent) if recent else None,
            temperature_c=heat.temperature_c,
            hot=heat.hot,
            degraded=f"the Edge TPU is too hot ({heat}): at half the rate until it has cooled down" if heat.hot else "",
        )

    @property
    def hot(self) -> bool:
        """Whether the device should be spared."""
        return self._heat.hot

    @property
    def in_flight(self) -> int:
        """Pictures that were submitted and not collected."""
        return len(self._submitted)

    @property
    def free(self) -> int:
        """How many more may be submitted now."""
        return SLOTS - self.in_flight if self.hellos else 0

    def ready(self) -> bool:
        """Whether pictures may be submitted. Moves things on and waits for nothing but the end of a dead child:
        spawns when the backoff allows, hears the child's hello, holds it to its deadline for opening, and
        notices the death of an idle one.
        """
        try:
            if self._child is None:
                self._spawn_if_due()
            elif not self.hellos:
                self._open()
            elif not self._submitted:
                self._child.receive(0)
            self._feel()
        except Gone as gone:
            self._lose(gone)
        return bool(self.hellos)

    def wait_ready(self, timeout_s: float) -> None:
        """For commands that do one thing: wait until `ready`, or raise what prevents it: Unavailable or BadConfig."""
        wait_until(self.ready, lambda: self.error, self._names, timeout_s)

    def submit(self, write: Callable[[NDArray[Any]], None], model: int = 0) -> None:
        """Have `write` fill the model's next picture, shaped and typed like its input, and start on it.

        `write` must not keep the array. Only while `free`. Raises AcceleratorLost.
        """
        if self._child is None or not self.hellos:
            raise AcceleratorLost(self._state.reason or "no accelerator is ready")
        if not self.free:
            raise RuntimeError("two pictures are in flight: collect one first")
        slot = self._next_slots[model]
        write(self.hellos[model].slots[slot].picture)
        try:
            self._child.invoke(model, slot)
        except Gone as gone:
            raise self._lose(gone) from None
        if not self._submitted:
            self._deadline = time.monotonic() + self._invoke_timeout_s
        self._submitted.append(model)
        self._next_slots[model] = (slot + 1) % SLOTS

    def collect(self) -> list[NDArray[Any]]:
        """Copies of the outputs of the oldest picture in flight; waits for it. Raises AcceleratorLost."""
        if self._child is None or not self.hellos or not self._submitted:
            raise AcceleratorLost(self._state.reason or "nothing is in flight")
        try:
            done = self._child.receive(self._deadline - time.monotonic())
            if not isinstance(done, Done):
                raise Gone(Unavailable(f"no inference within {self._invoke_timeout_s:g} s: {self._where} hangs"))
        except Gone as gone:
            raise self._lose(gone) from None
        # The child begins with the next one now, not when that was submitted.
        self._deadline = time.monotonic() + self._invoke_timeout_s
        self.last_ms = done.ms
        if done.model == 0:
            self._recent_ms.append(done.ms)
        self.proven, self._failures, self._crashes = True, 0, 0
        self._submitted.popleft()
        return [output.copy() for output in self.hellos[done.model].slots[done.slot].outputs]

    def rest(self) -> None:
        """End the child, which has a moment to release its device, until `ready` is asked again."""
        if self._child is not None:
            self._child.end(CLOSE_S)
        self._child, self.hellos = None, ()
        self._submitted.clear()

    def close(self) -> None:
        """End the child for good."""
        self.rest()
        self._spawner.shutdown(wait=False)

    def _feel(self) -> None:
        """Notice a card that is too hot, or dead: an invoke on that one would hang until its deadline."""
        if not self.hellos or not self._state.device.startswith("edgetpu"):
            return
        turned = self._heat.look(self._state.device)
        if self._heat.trouble:
            raise Gone(Unavailable(self._heat.trouble))
        if turned and self._heat.hot:
            log.warning("%s is too hot (%s): at half the rate until it has cooled down", self._where, self._heat)
        elif turned:
            log.info("%s has cooled down to %s: at the full rate again", self._where, self._heat)

    @property
    def _where(self) -> str:
        return self._state.device or str(self._job["device"])

    @property
    def _names(self) -> str:
        return " and ".join(model.name for model in self.models)

    @property
    def _files(self) -> str:
        return " and ".join(model["path"] for model in self._job["models"])

    def _spawn_if_due(self) -> None:
        now = time.monotonic()
        if now < self._spawn_at:
            return
        try:
            job = {**self._job, "reset": self._failures >= FAILURES_TO_RESET}
            self._child = self._spawner.submit(spawn, job).result()
        except OSError as error:
            raise Gone(Unavailable(f"the inference process cannot be started: {error.strerror}")) from error
        self._deadline = now + self._open_timeout_s
        self._change(replace(self._state, pid=self._child.pid))

    def _open(self) -> None:
        assert self._child is not None
        greeting = self._child.receive(0)
        if isinstance(greeting, tuple):
            self.hellos, self.error, self._next_slots = greeting, None, [0] * len(greeting)
            first = greeting[0]
            self._change(replace(self._state, name="ready", reason="", device=first.device, runtime=first.runtime))
        elif time.monotonic() > self._deadline:
            late = f"{self._files} did not open on {self._where} within {self._open_timeout_s:g} s"
            raise Gone(Unavailable(late))

    def _lose(self, gone: Gone) -> AcceleratorLost:
        """Forget the child, and set the time for the next one."""
        if self._child is not None:
            self._child.end()
        opening = not self.hellos
        self._child, self.hellos = None, ()
        self._submitted.clear()
        self._recent_ms.clear()
        self._heat = Heat()
        self._crashes += gone.crashed
        least, most = self._retry_s
        wait_s = min(most, least * 2 ** min(self._failures, 16))
        self._failures += 1
        name: Literal["lost", "incompatible"] = "lost"
        self.error = gone.reason
        if gone.crashed and opening:
            self.error = Unavailable(f"{self._files}: {gone} while opening it: is the file damaged?")
        if self._crashes >= CRASHES_TO_INCOMPATIBLE and not self.proven:
            name, wait_s = "incompatible", most
            self.error = Unavailable(
                f"{self._files} and this runtime or device do not go together: "
                f"{CRASHES_TO_INCOMPATIBLE} crashes in a row before a first good inference; {gone}{self._advice()}"
            )
        self._spawn_at = time.monotonic() + wait_s
        restarts = self._state.restarts + 1
        self._change(replace(self._state, name=name, reason=str(self.error), pid=None, restarts=restarts))
        return AcceleratorLost(str(self.error))

    def _advice(self) -> str:
        """What fits the Edge TPU's library and the interpreter that crash together."""
        if not self._job["device"].startswith("edgetpu"):
            return ""
        runtime = installed_runtime(str(self._job["runtime"]))
        return f"; {advice(judge(find_library(), runtime))}" if runtime else ""

    def _change(self, state: AcceleratorState) -> None:
        """One line for each change of name or reason: not for each attempt that fails like the one before."""
        before, self._state = self._state, state
        if (before.name, before.reason) == (state.name, state.reason):
            return
        if state.name == "ready":
            log.info("%s is ready on %s (%s)", self._names, state.device, state.runtime)
        else:
            log.warning("%s is %s: %s", self._names, state.name, state.reason)


def wait_until(
    ready: Callable[[], bool], error: Callable[[], SmartcamError | None], name: str, timeout_s: float
) -> None:
    """Ask until `ready`; raises what `error` gives meanwhile, and Unavailable after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while not ready():
        if (problem := error()) is not None:
            raise problem
        if time.monotonic() > until:
            raise Unavailable(f"{name} is not ready after {timeout_s:g} s")
        time.sleep(WAIT_STEP_S)


def _spare_cores() -> int:
    """One core is left to the rest of the daemon."""
    return max(1, len(os.sched_getaffinity(0)) - 1)
