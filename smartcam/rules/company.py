"""Two kinds together: which things were seen when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from smartcam.data import Track


@dataclass(slots=True)
class Company:
    """When each thing was last seen, by its label: as far back as rules ask for it."""

    wanted: dict[str, float] = field(default_factory=dict)
    """The labels that rules ask for → for how many seconds they are to be remembered."""
    seen_at: dict[str, dict[int, float]] = field(default_factory=dict)
    """Label → track → when it was last seen."""

    def follow(self, tracks: Iterable[Track], at: float) -> None:
        """Take the tracks of the next scene."""
        for track in tracks:
            for label in {track.label, track.sublabel} & self.wanted.keys():
                self.seen_at.setdefault(label, {})[track.id] = track.last_at
        for label, seen in self.seen_at.items():
            kept_s = self.wanted.get(label, 0.0)
            self.seen_at[label] = {id_: last_at for id_, last_at in seen.items() if at - last_at <= kept_s}

    def last_at(self, labels: Iterable[str], but: int) -> float | None:
        """When another track than `but` of any of these labels was last seen; None where that is too long ago."""
        times = [at for label in labels for id_, at in self.seen_at.get(label, {}).items() if id_ != but]
        return max(times, default=None)
