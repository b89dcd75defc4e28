"""An Edge TPU, and the CPU that steps in while it is lost: one accelerator to those who use it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self, TypeAlias

from numpy.typing import NDArray

from smartcam.detect.accelerator import Accelerator, AcceleratorLost, AcceleratorState
from smartcam.detect.devices import find_edge_tpus
from smartcam.detect.interpreter import is_compiled
from smartcam.detect.model import ModelFile
from smartcam.detect.process import Greeting
from smartcam.errors import BadConfig, SmartcamError

log = logging.getLogger(__name__)

Shapes: TypeAlias = list[tuple[int, ...]]

HEAD_START_S = 5.0
"""How long a first opening may take before the CPU steps in: a USB stick gets its firmware then."""
LOOK_EVERY_S = 1.0
"""How often it is looked for in sysfs while there is none."""


class Failover:
    """Compiled models on the Edge TPU; their twins on the CPU while it is lost, opening for long, or not there.

    The TPU is tried again by its own backoff, and taken back as soon as it is ready: what is in flight on the CPU
    then is still collected, in order. Used by one thread, like `Accelerator`, and in the same way.
    """

    def __init__(
        self,
        tpu: Accelerator,
        twin: Accelerator,
        *,
        demanded: bool,
        in_sight: Callable[[], bool],
        head_start_s: float = HEAD_START_S,
    ) -> None:
        self.models: tuple[ModelFile, ...] = tpu.models
        self._tpu = tpu
        self._twin = twin
        self._active = tpu
        self._demanded = demanded
        self._in_sight = in_sight
        self._head_start_s = head_start_s
        self._looked_at, self._seen = -LOOK_EVERY_S, False
        self._asked_at: float | None = None
        self._missed = demanded
        """Whether it matters that the TPU does not work: it was asked for, or is there, or was there before."""
        self._shapes: dict[Accelerator, list[Shapes]] = {}
        """The outputs of each one's models, once it was ready."""
        self._unlike = ""
        """How the outputs of the two differ, if they do: one sentence."""
        self._order: deque[Accelerator] = deque()
        """Where each picture in flight is, the oldest first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hellos(self) -> Greeting:
        return self._active.hellos

    @property
    def error(self) -> SmartcamError | None:
        """What keeps both from working."""
        return self._twin.error and (self._tpu.error or self._twin.error)

    @property
    def proven(self) -> bool:
        return self._active.proven

    @property
    def hot(self) -> bool:
        return self._active.hot

    @property
    def in_flight(self) -> int:
        return len(self._order)

    @property
    def free(self) -> int:
        return self._active.free

    @property
    def state(self) -> AcceleratorState:
        """The active one's; restarts are those of both."""
        state, restarts = self._active.state, self._tpu.state.restarts + self._twin.state.restarts
        if self._active is self._twin and self._missed:
            tpu = self._tpu.state
            why = tpu.reason or ("it is being opened" if tpu.pid else "it is not there")
            told = "; ".join(filter(None, [f"on the CPU instead of the Edge TPU: {why}", self._unlike]))
            return replace(state, restarts=restarts, degraded=told)
        return replace(state, restarts=restarts)

    def ready(self) -> bool:
        """Whether pictures may be submitted; moves things on, see `Accelerator.ready`."""
        if self._try_tpu():
            self._active = self._tpu
            self._meet(self._tpu)
            if self._tpu.proven and not self._twin.in_flight:
                self._twin.rest()
            return True
        if self._waits_for_tpu():
            return False
        if self._twin.ready():
            self._active = self._twin
            self._meet(self._twin)
        return bool(self._active.hellos)

    def submit(self, write: Callable[[NDArray[Any]], None], model: int = 0) -> None:
        """As `Accelerator.submit`."""
        active = self._active
        try:
            active.submit(write, model)
        except AcceleratorLost:
            self._lose_all()
            raise
        self._order.append(active)

    def collect(self) -> list[NDArray[Any]]:
        """As `Accelerator.collect`; the oldest may be on the one that is not active any more."""
        try:
            outputs = self._order[0].collect() if self._order else self._active.collect()
        except AcceleratorLost:
            self._lose_all()
            raise
        self._order.popleft()
        return outputs

    def close(self) -> None:
        self._tpu.close()
        self._twin.close()

    def _try_tpu(self) -> bool:
        # A stick is out of sight for a moment when it is opened for the first time: its child goes on.
        if not (self._tpu.state.pid or self._demanded or self._sees_one()):
            return False
        self._missed = True
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        return self._tpu.ready()

    def _sees_one(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at, self._seen = now, self._in_sight()
        return self._seen

    def _waits_for_tpu(self) -> bool:
        """While it opens for the first time, and does not take too long."""
        if self._asked_at is None or self._tpu.state.name != "opening" or self._twin.hellos:
            return False
        return time.monotonic() - self._asked_at < self._head_start_s

    def _meet(self, accelerator: Accelerator) -> None:
        """The first time that it is ready: say so where its models do not answer as the other's do."""
        if accelerator in self._shapes:
            return
        self._shapes[accelerator] = [[output.shape for output in hello.outputs] for hello in accelerator.hellos]
        if len(self._shapes) == 2:
            pairs = zip(self.models, self._shapes[self._tpu], self._shapes[self._twin], strict=True)
            self._unlike = "; ".join(_unlike(*pair) for pair in pairs if pair[1] != pair[2])
            if self._unlike:
                log.warning("%s", self._unlike)

    def _lose_all(self) -> None:
        """Whoever submitted takes all that was in flight for lost, so nothing may come of the other one either."""
        self._order.clear()
        for each in (self._tpu, self._twin):
            with suppress(AcceleratorLost):
                while each.in_flight:
                    each.collect()


def _unlike(model: ModelFile, on_tpu: Shapes, on_cpu: Shapes) -> str:
    """That the two versions of a model differ, which may be meant (a smaller one for the CPU), or a slip."""
    told = [" ".join(str(list(shape)) for shape in shapes) for shapes in (on_tpu, on_cpu)]
    return (
        f"the outputs of {model.compiled} are {told[0]}, and those of {model.path} {told[1]}: "
        "give the CPU version of the model that was compiled"
    )


def accelerator_for(*models: ModelFile, wanted: str, **settings: Any) -> Accelerator | Failover:
    """What runs these models together: `wanted` is "auto", "cpu", "edgetpu[:DEVICE]" or "standin:MS";
    `settings` are `Accelerator`'s.

    With "auto" compiled models run on an Edge TPU where there is one, and the CPU is no second choice.

    Raises BadConfig for a model that is not compiled where an Edge TPU is wanted.
    """
    without_twin = [model for model in models if not model.compiled and is_compiled(model.path)]
    only_for_cpu = [model for model in models if not model.compiled and model not in without_twin]
    if wanted == "auto" and only_for_cpu:
        wanted = "cpu"
    if wanted != "auto" and not wanted.startswith("edgetpu"):
        return Accelerator(*models, device=wanted, **settings)
    if only_for_cpu:
        raise BadConfig(
            f"accelerator = {wanted}: {only_for_cpu[0].path} is not compiled for the Edge TPU: compile it with "
            'edgetpu_compiler and name the result as compiled, or use accelerator = "cpu"'
        )
    tpu = Accelerator(*models, device="edgetpu" if wanted == "auto" else wanted, **settings)
    if without_twin:
        return tpu
    twin = Accelerator(*models, device="cpu", **settings)
    return Failover(tpu, twin, demanded=wanted != "auto", in_sight=lambda: bool(find_edge_tpus()))
