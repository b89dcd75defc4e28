"""How this node is: the figures of N/health, and when they are worth a message."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartcam.clocks import boot_s, is_kept_right
from smartcam.mqtt.health import HealthPayload

EVERY_S = 15 * 60.0
UPLINK = "uplink: "
"""What a sentence begins with that tells of what waits: its figures move all the time."""

RELEASED = 1_764_547_200.0
"""2025-12-01: a clock before this version was written has not been set since power came on."""
PATIENCE_S = 10 * 60.0
"""After the boot: a time server that has not answered by then may be out of reach for good, and a clock that somebody
has set by hand must do."""


def clock_ok(wall: float | None = None) -> bool:
    """Whether the wall clock can be right, now or when it showed `wall`.

    A board without a battery begins in 1970, or where it was switched off: in the latter case only the time service
    knows that it is still waiting for an answer. Where there is none, or a battery, the clock is taken as it is.
    """
    return (time.time() if wall is None else wall) > RELEASED and not waits_for_time()


def waits_for_time(ran_s: float | None = None, root: Path = Path("/")) -> bool:
    """Whether a time service is at work and has had no answer yet, so soon after the boot, on a board without a
    battery for its clock."""
    if (boot_s() if ran_s is None else ran_s) > PATIENCE_S:
        return False
    if not any((root / "run" / name).is_dir() for name in ("systemd/timesync", "chrony")):
        return False
    return not _has_battery(root) and not (root / "run/systemd/timesync/synchronized").exists() and not is_kept_right()


def _has_battery(root: Path) -> bool:
    """Whether the kernel took the time from a clock that goes on without power."""
    return any(file.read_text().strip() == "1" for file in root.glob("sys/class/rtc/rtc*/hctosys"))


def temperature_c(sysfs: Path = Path("/sys")) -> float | None:
    """The hottest thermal zone of the board in °C, or None where it has none."""
    found = []
    for zone in sysfs.glob("class/thermal/thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(found, default=None)


def resident_mib(pid: int | str = "self") -> float | None:
    """Resident memory of a process in MiB, or None once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return round(int(kib) / 1024, 1) if kib else None


def disk_free_mib(folder: Path) -> float | None:
    """What is left for `folder`, or for the nearest of its parents that exists."""
    existing = next((path for path in [folder, *folder.parents] if path.exists()), None)
    return round(shutil.disk_usage(existing).free / 2**20) if existing else None


class Teller:
    """Decides when health is told: on a change that matters, at most every `pause_s`, and every 15 min anyway.

    While every byte counts (`is_dear`), it is so only where something is wrong that was well.
    """

    def __init__(self, tell: Callable[[HealthPayload], None], pause_s: float) -> None:
        self.pause_s = pause_s
        """May be changed at any time."""
        self._tell = tell
        self._told: HealthPayload | None = None
        self._told_at = 0.0
        self._was_dear = False

    def look(self, health: HealthPayload, at: float, *, is_dear: bool = False) -> None:
        """`health` at monotonic time `at`."""
        quiet_s = at - self._told_at
        if self._told is None or quiet_s >= EVERY_S or (quiet_s >= self.pause_s and self._is_news(health, is_dear)):
            self._told, self._told_at, self._was_dear = health, at, is_dear
            self._tell(health)

    def _is_news(self, health: HealthPayload, is_dear: bool) -> bool:
        assert self._told
        # A day's bytes are free again a few at a time: that they are, and are not, would be told each time.
        if is_dear or self._was_dear:
            return not _wrong(health) <= _wrong(self._told)
        return bool(_matters(health) != _matters(self._told))


def _wrong(health: HealthPayload) -> set[str]:
    return {UPLINK if sentence.startswith(UPLINK) else sentence for sentence in health.degraded}


def _matters(health: HealthPayload) -> Any:
    """What is worth a message of its own: states, reasons and restarts, not figures that always move."""
    return (
        _wrong(health),
        health.clock_ok,
        {name: camera.online for name, camera in health.cameras.items()},
        {name: (model.state, model.restarts) for name, model in health.models.items()},
        health.mqtt and health.mqtt.reconnects,
    )
