"""What may be sent now, as the links ask for it: the budget, kept on the disk, and the pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from smartcam.clocks import Reading, reader
from smartcam.config.delivery import Uplink
from smartcam.data import Kind
from smartcam.mqtt import portions
from smartcam.mqtt.budget import Budget, Purpose
from smartcam.mqtt.pace import Pace
from smartcam.owed import KINDS, Outbox

NOTE = "budget"
AHEAD_SHARE = 1000
LEAST_AHEAD_BYTES, MOST_AHEAD_BYTES = 2 * 1024, 16 * 1024
"""What is written down to be spent before it is: few enough writes for a card, and little lost with each crash."""
COUNTED_EVERY_BYTES = 64 * 1024
"""The same where nothing is limited: then it is written down afterwards."""
MEDIA: frozenset[Kind] = frozenset({"snapshot", "clip"})
QUIET_S = 1800.0
"""How long it may lie on the disk unchanged: so much of a day is lost with the power, where no clock was right."""


class Allowance:
    """Shared by the links, which may ask in any thread. Without `renew` everything may be sent, and nothing is counted.

    What is on the disk is never less than what was sent, but for the moment that the disk takes to write.
    """

    def __init__(self, outbox: Outbox, *, read_clocks: Callable[[], Reading] | None = None) -> None:
        self.pace = Pace()
        self.uplink = Uplink()
        self._outbox = outbox
        self._read_clocks = read_clocks or reader()
        self._lock = threading.RLock()
        self._budget: Budget | None = None
        self._needed: dict[Kind, int] = {}
        """Bytes of a row that there was no room for, the next of its kind."""
        self._ahead_bytes = 0
        """What may be spent before it must be written down again."""
        self._saved_at = 0.0
        self._keepalive_s = 60.0
        self._broker_takes: int | None = None

    def renew(self, uplink: Uplink, keepalive_s: float) -> None:
        """Go by this configuration; what was spent stays spent."""
        with self._lock:
            if self._budget is None:
                self._budget = Budget.loaded(self._outbox.noted(NOTE), self._read_clocks())
            self._budget.daily, self._budget.reserve = uplink.daily, uplink.reserve_bytes
            self.uplink, self._keepalive_s, self.pace.rate = uplink, keepalive_s, uplink.rate
            self._needed.clear()
            self._save()
            self._cut_parts()

    def broker_takes(self, most_bytes: int | None) -> None:
        """In one packet, as it says."""
        with self._lock:
            self._broker_takes = most_bytes
            self._cut_parts()

    def close(self) -> None:
        """Write down what is really spent: nothing more will be."""
        with self._lock:
            if self._budget:
                self._go_on()
                self._outbox.note(NOTE, self._budget.saved())

    # Asked by links.

    def open(self, kinds: Collection[Kind]) -> list[Kind]:
        """Those of which a row may be sent, as far as is known. What is less important waits for what is more."""
        with self._lock:
            if not self._budget or self._budget.daily is None:
                return list(kinds)
            self._go_on()
            found: list[Kind] = []
            for kind in (kind for kind in KINDS if kind in kinds):
                if self._is_held(kind):
                    break
                found.append(kind)
            return found

    def ever_fits(self, kind: Kind, size: int) -> bool:
        """Whether a day that has just begun had room for it."""
        limit = self._budget.limit(kind) if self._budget else None
        return limit is None or size <= limit

    def pay(self, kind: Kind, size: int, *, waits: bool = True) -> bool:
        """Count a message before it is sent; false, and not counted, where there is no room for it.

        What `waits` for room holds up all of its kind, and what matters less.
        """
        with self._lock:
            if not self._budget:
                return True
            self._go_on()
            left = self._budget.left(kind)
            if left is not None and size > left:
                if waits:
                    self._needed[kind] = size
                return False
            if waits:
                self._needed.pop(kind, None)
            self._spend(kind, size)
            return True

    def count(self, purpose: Purpose, size: int) -> None:
        """Bytes that went, or came, and were not paid for before."""
        with self._lock:
            if self._budget and size:
                self._go_on()
                self._spend(purpose, size)

    def settled(self) -> None:
        """What was sent has all been answered for. Then the disk writes that down, and this with it."""
        with self._lock:
            if self._budget and self._budget.daily is None and self._ahead_bytes < COUNTED_EVERY_BYTES:
                self._save()

    def refund(self, kind: Kind, size: int) -> None:
        """Of what was paid, so much was not needed."""
        with self._lock:
            if self._budget:
                self._budget.refund(kind, size)

    # Asked by those who make pictures and clips, and by those who tell.

    @property
    def spent(self) -> dict[Purpose, int]:
        """Bytes of the last 24 hours."""
        with self._lock:
            if not self._budget:
                return {}
            self._go_on()
            return self._budget.spent

    @property
    def left(self) -> int | None:
        """Of `daily`; None where there is none."""
        with self._lock:
            if not self._budget or self._budget.daily is None:
                return None
            self._go_on()
            return max(0, self._budget.daily - self._budget.total)

    @property
    def is_spent(self) -> bool:
        """Whether a day's bytes are, but for those kept for what matters more than a clip."""
        return not self.open(["clip"])

    def held(self) -> dict[Kind, float | None]:
        """Kinds that wait for the budget, the most important first, and how many seconds until one of each may go;
        None is never."""
        with self._lock:
            if not self._budget or self._budget.daily is None:
                return {}
            self._go_on()
            waiting = [kind for kind in KINDS if self._outbox.depth([kind])]
            first = next((n for n, kind in enumerate(waiting) if self._is_held(kind)), len(waiting))
            return {kind: self._budget.wait_s(kind, self._needed.get(kind, 1)) for kind in waiting[first:]}

    def picture_bytes(self) -> int:
        """The most that a snapshot should have that is made now."""
        with self._lock:
            left = self._budget.left("snapshot") if self._budget else None
            return portions.picture_bytes(
                self.uplink,
                self._keepalive_s,
                self._broker_takes,
                waiting_bytes=self._media_bytes(),
                left_bytes=left,
            )

    def clip_size(self) -> int | None:
        """The longer side, in pixels, of a clip that is made now; None for as it is."""
        with self._lock:
            a_day = self._budget.limit("clip") if self._budget else None
            return portions.clip_size(self.uplink, self._media_bytes(), a_day)

    def _media_bytes(self) -> int:
        waiting = self._outbox.backlog.waiting
        return sum(waiting[kind][1] for kind in MEDIA if kind in waiting)

    def _is_held(self, kind: Kind) -> bool:
        assert self._budget
        if kind in self._needed and not self._outbox.depth([kind]):
            del self._needed[kind]
        left = self._budget.left(kind)
        return left is not None and left < self._needed.get(kind, 1)

    def _go_on(self) -> None:
        assert self._budget
        now = self._read_clocks()
        self._budget.go_on(now)
        if self._budget.daily is not None and now.boot_s - self._saved_at > QUIET_S:
            self._save()

    def _spend(self, purpose: Purpose, size: int) -> None:
        assert self._budget
        self._budget.spend(purpose, size)
        self._ahead_bytes -= size
        if self._ahead_bytes < 0:
            self._save(soon=self._budget.daily is not None)

    def _save(self, *, soon: bool = False) -> None:
        assert self._budget
        daily = self._budget.daily
        ahead = 0 if daily is None else min(max(daily // AHEAD_SHARE, LEAST_AHEAD_BYTES), MOST_AHEAD_BYTES)
        self._ahead_bytes = ahead or COUNTED_EVERY_BYTES
        self._saved_at = self._read_clocks().boot_s
        self._outbox.note(NOTE, self._budget.saved(ahead), soon=soon)

    def _cut_parts(self) -> None:
        self._outbox.whole_bytes = portions.whole_bytes(self.uplink, self._keepalive_s, self._broker_takes)
        self._outbox.part_bytes = portions.part_bytes(self.uplink, self._keepalive_s, self._broker_takes)
