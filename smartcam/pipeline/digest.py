"""What waits here, and why, so that one at the other end knows what there would be to see: N/digest, and a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

from smartcam.config.plain import amount
from smartcam.data import Kind
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.budget import Purpose
from smartcam.mqtt.form import Payload, Time, rfc3339

EVERY_S = 15 * 60.0


class DigestPayload(Payload):
    """N/digest: what waits on the node, and what its link has cost. Bytes are those on the wire, without TCP and IP."""

    v: Literal[1] = 1
    spent_24h: dict[Purpose, int]
    """By what they were for; a state is all that is neither an event nor a picture nor a clip."""
    daily: int | None = None
    """What may be spent in any 24 hours; absent where that is as much as it takes."""
    left: int | None = None
    """Of it, now. Alerts may take more: the reserve."""
    waiting: dict[Kind, tuple[int, int]]
    """Messages, and their bytes; what waits to be fetched too."""
    waits_for: Literal["budget", "fetch"] | None = None
    """Why messages wait; absent where nothing but the way itself holds them up."""
    until: Time | None = None
    """When more goes, if nothing comes between; absent where that is not known."""


class Digest:
    """Looks at what waits, and tells at once that something begins to wait of a kind of which nothing did, and what has
    changed every 15 min.

    `to_fetch` gives how many clips, and bytes, are kept here until somebody asks for them.
    """

    def __init__(
        self,
        allowance: Allowance,
        waiting: Callable[[], Mapping[Kind, tuple[int, int]]],
        tell: Callable[[bytes], None],
        *,
        to_fetch: Callable[[], tuple[int, int]] = lambda: (0, 0),
        clock_ok: Callable[[], bool] = lambda: True,
    ) -> None:
        self._allowance = allowance
        self._waiting = waiting
        self._tell = tell
        self._to_fetch = to_fetch
        self._clock_ok = clock_ok
        self._told: DigestPayload | None = None
        self._told_held: frozenset[Kind] = frozenset()
        self._told_at = 0.0

    def look(self, at: float) -> None:
        """What waits at monotonic time `at`. A node whose way costs nothing tells nothing."""
        uplink = self._allowance.uplink
        if uplink.daily is None and not uplink.metered and self._told is None:
            return
        digest, held = self.digest(), frozenset(self._allowance.held())
        begins = digest.waits_for and (self._told is None or digest.waits_for != self._told.waits_for)
        is_new = self._told is None or begins or not held <= self._told_held
        if is_new or (at - self._told_at >= EVERY_S and _matters(digest) != _matters(self._told)):
            self._told, self._told_at, self._told_held = digest, at, held
            self._tell(digest.encode())

    @property
    def trouble(self) -> str:
        """That what a day may cost is spent, if anything waits for more; or nothing."""
        held = self._allowance.held()
        if not held:
            return ""
        waiting = self._waiting()
        count = sum(waiting[kind][0] for kind in held if kind in waiting)
        messages = "1 message waits" if count == 1 else f"{count} messages wait"
        said = f"{messages}, daily = {amount(self._allowance.uplink.daily or 0)} is spent"
        wait_s = _first_wait_s(held)
        return said if wait_s is None else f"{said}; more goes {self._when(wait_s)}"

    def tell_again(self) -> None:
        """To a new connection, what was told last."""
        if self._told:
            self._tell(self._told.encode())

    def digest(self) -> DigestPayload:
        """As it is now."""
        waiting = {kind: rows for kind, rows in self._waiting().items() if rows[0]}
        held = self._allowance.held()
        to_fetch = self._to_fetch()
        if to_fetch[0]:
            rows, size = waiting.get("clip", (0, 0))
            waiting["clip"] = rows + to_fetch[0], size + to_fetch[1]
        return DigestPayload(
            spent_24h=self._allowance.spent,
            daily=self._allowance.uplink.daily,
            left=self._allowance.left,
            waiting=waiting,
            waits_for="budget" if held else "fetch" if to_fetch[0] else None,
            until=self._until(held),
        )

    def _when(self, wait_s: float) -> str:
        if self._clock_ok():
            return time.strftime("at %H:%M", time.localtime(time.time() + wait_s))
        return f"in {wait_s / 3600:.1f} h"

    def _until(self, held: Mapping[Kind, float | None]) -> str | None:
        wait_s = _first_wait_s(held)
        return rfc3339(time.time() + wait_s) if wait_s is not None and self._clock_ok() else None


def _first_wait_s(held: Mapping[Kind, float | None]) -> float | None:
    """Of the kinds that wait, the most important is the first to go."""
    return next((wait_s for wait_s in held.values() if wait_s is not None), None)


def _matters(digest: DigestPayload | None) -> object:
    """What is worth a message: not that time goes by."""
    return digest and (digest.daily, digest.waiting, digest.waits_for)
