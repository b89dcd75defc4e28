"""Parts of the daemon that run, each kept for as long as the configuration asks for the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from smartcam.workers import Worker

Made = TypeVar("Made")
"""The piece of the configuration that a part was made of."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Part(Generic[Made, T]):
    made_of: Made
    thing: T
    workers: tuple[Worker, ...]
    stack: ExitStack
    """Ends it."""


class Parts(Generic[Made, T]):
    """Running parts of one kind, by name. Changed by one thread at a time; asked by any."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part[Made, T]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    @property
    def things(self) -> dict[str, T]:
        """By name, as of now."""
        return {name: part.thing for name, part in self._parts.copy().items()}

    @property
    def workers(self) -> list[Worker]:
        return [worker for part in self._parts.copy().values() for worker in part.workers]

    def get(self, name: str) -> T | None:
        part = self._parts.get(name)
        return part.thing if part else None

    def unlike(self, wanted: Mapping[str, Made]) -> list[str]:
        """Those that are not wanted any more, or made of something else."""
        return [name for name, part in self._parts.items() if name not in wanted or wanted[name] != part.made_of]

    def start(self, name: str, made_of: Made, thing: T, workers: Iterable[Worker], stack: ExitStack) -> None:
        """Run its workers; `stack` closes what they use, once they have ended."""
        started = tuple(stack.enter_context(worker) for worker in workers)
        self._parts[name] = _Part(made_of, thing, started, stack)

    def end(self, names: Iterable[str]) -> None:
        """All at once, so that the slowest is waited for, and not the sum of them."""
        ending = [self._parts.pop(name) for name in tuple(names)]
        for worker in (worker for part in ending for worker in part.workers):
            worker.stop()
        for part in ending:
            part.stack.close()

    def end_all(self) -> None:
        self.end(self._parts)
