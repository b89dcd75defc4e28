"""Two kinds together: which things were seen when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smartcam.data import Track


@dataclass(slots=True)
class Company:
    """When each thing was last seen, by its label: as far back as rules ask for it."""

    seen_at: dict[str, dict[int, float]] = field(default_factory=dict)
    """Label → track → when it was last seen."""

    def follow(self, tracks: Iterable[Track], at: float, wanted: Mapping[str, float]) -> None:
        """Take the tracks of the next scene; `wanted` are the labels that rules ask for, and for how many seconds."""
        for track in tracks:
            for label in {track.label, track.sublabel} & wanted.keys():
                self.seen_at.setdefault(label, {})[track.id] = track.last_at
        for label, seen in self.seen_at.items():
            kept_s = wanted.get(label, 0.0)
            self.seen_at[label] = {id_: last_at for id_, last_at in seen.items() if at - last_at <= kept_s}

    def latest(self, labels: Iterable[str]) -> list[tuple[float, int]]:
        """The two things of these labels that were seen last, the latest first: when, and which track."""
        times: dict[int, float] = {}
        for label in labels:
            for id_, at in self.seen_at.get(label, {}).items():
                times[id_] = max(at, times.get(id_, at))
        return sorted(((at, id_) for id_, at in times.items()), reverse=True)[:2]
