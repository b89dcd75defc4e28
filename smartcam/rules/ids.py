"""Event ids that sort by time: ULIDs (github.com/ulid/spec)."""

from __future__ import annotations

from random import Random

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
RANDOM_BITS = 80
LAST_MS = (1 << 48) - 1


class Ulids:
    """Gives ids: 48 bits of milliseconds, then 80 bits from `randomness`.

    A seeded `Random` gives the same ids again (replay); the daemon hands in a `SystemRandom`. Ids of the same
    millisecond count upwards, so that they sort as they were given. A clock that is set back is followed: an id
    tells its own time.
    """

    def __init__(self, randomness: Random) -> None:
        self._randomness = randomness
        self._last = -1

    def __call__(self, wall: float) -> str:
        """A new id for the time `wall` (Unix seconds)."""
        ms = min(max(round(wall * 1000), 0), LAST_MS)
        if ms == self._last >> RANDOM_BITS:
            self._last += 1
        else:
            self._last = ms << RANDOM_BITS | self._randomness.getrandbits(RANDOM_BITS)
        return "".join(CROCKFORD[self._last >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
