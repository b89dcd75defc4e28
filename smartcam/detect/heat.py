"""How warm an Edge TPU is, from the sensor that its driver shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from smartcam.detect.devices import EdgeTpu, find_edge_tpus, trouble

EVERY_S = 1.0
COOLER_C = 3.0
"""How far below the trip point it must be before it is cool again."""


@dataclass(slots=True)
class Heat:
    """Looks at one device, at most once a second; a stick has no sensor, and is never hot."""

    find: Callable[[], list[EdgeTpu]] = find_edge_tpus
    temperature_c: float | None = None
    trip_c: float | None = None
    """The first trip point: there the driver begins to slow the card down."""
    hot: bool = False
    trouble: str | None = None
    """Why the device cannot be used any more: a card that fell off its bus."""
    _looked_at: float = -EVERY_S

    def look(self, device: str) -> bool:
        """Look at "edgetpu:NAME", if a second has passed; whether it became hot, or cool again."""
        if time.monotonic() - self._looked_at < EVERY_S:
            return False
        self._looked_at = time.monotonic()
        tpu = next((tpu for tpu in self.find() if f"edgetpu:{tpu.name}" == device), None)
        if tpu is None:
            return False
        self.trouble = trouble(tpu) if tpu.state == "dead" else None
        self.temperature_c = tpu.temperature_c
        self.trip_c = tpu.trip_points_c[0] if tpu.trip_points_c else None
        was_hot = self.hot
        if self.temperature_c is not None and self.trip_c is not None:
            self.hot = self.temperature_c >= self.trip_c - (COOLER_C if was_hot else 0)
        return self.hot != was_hot

    def __str__(self) -> str:
        return f"{self.temperature_c:.0f} °C" if self.temperature_c is not None else "of unknown temperature"
