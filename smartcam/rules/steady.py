"""What lasts, with hysteresis in seconds."""

from __future__ import annotations

from dataclasses import dataclass

GRACE_S = 1.0
"""What was true goes on being true until it has failed for this long: a foot point trembles by several pixels from look
to look, and a score dips. Long enough for three looks at 3 frames a second, short enough that nobody waits for it."""

LINGER_S = 3.0
"""Longer than the tracker bridges gaps, so that one visit makes one event; short enough for an end to be news."""


@dataclass(slots=True)
class Steady:
    """Something that becomes true at once, and is over once it has failed for a while."""

    since: float | None = None
    """Since when it has been true without a break; None while it is not."""
    last_at: float = 0.0
    """When it was last true without any grace; says nothing before it ever was."""
    failing_since: float | None = None

    def see(self, true: bool, at: float, grace_s: float = GRACE_S) -> bool:
        """Take one look's answer; whether it counts as true now."""
        if true:
            self.since = at if self.since is None else self.since
            self.last_at, self.failing_since = at, None
        elif self.since is not None:
            self.failing_since = at if self.failing_since is None else self.failing_since
            if at - self.failing_since >= grace_s:
                self.since = self.failing_since = None
        return self.since is not None

    @property
    def lasted_s(self) -> float:
        """From the first look that found it true to the last; 0 while it is not true."""
        return 0.0 if self.since is None else self.last_at - self.since
