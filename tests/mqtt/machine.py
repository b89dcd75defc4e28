"""A machine whose clocks a test moves: time that passes, power that goes, a wall clock that is set to anything."""

from __future__ import annotations

from smartcam.clocks import Reading

BEGIN = 1_800_000_000.0


class Machine:
    def __init__(self) -> None:
        self.now = BEGIN
        """The true time."""
        self.clock_is_right = True
        self._boot = 1
        self._booted_at = self.now - 60
        self._off_s = 0.0
        """How wrong the wall clock is."""

    def read(self) -> Reading:
        wall = self.now + self._off_s if self.clock_is_right else None
        return Reading(str(self._boot), self.now - self._booted_at, wall)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def reboot(self, off_s: float) -> None:
        """The power is gone for so long. Nobody has told it the time since."""
        self.wait(off_s)
        self._boot += 1
        self._booted_at = self.now
        self.clock_is_right = False

    def set_clock(self, off_s: float) -> None:
        """By hand, to something wrong."""
        self._off_s = off_s
        self.clock_is_right = False

    def synchronise(self) -> None:
        """Network time is there."""
        self._off_s = 0.0
        self.clock_is_right = True
