"""What the node says of itself, and when."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from smartcam.config import Camera, Mqtt, parse
from smartcam.detect.accelerator import Accelerator
from smartcam.detect.detector import Detector
from smartcam.evidence.snapshots import Snapshots
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.payloads import CameraHealth, HealthPayload, LinkHealth, ModelHealth
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.eye import Eye
from smartcam.pipeline.health import EVERY_S, Teller, clock_ok, disk_free_mib, resident_mib, temperature_c
from smartcam.pipeline.lookout import Lookout
from smartcam.pipeline.models import Models
from smartcam.pipeline.spokesman import Spokesman, in_a_line
from smartcam.workers import LatestFrames
from tests.commands import GOOD, furnish

WELL = HealthPayload(
    node="ridge1",
    version="1",
    uptime_s=1.0,
    clock_ok=True,
    degraded=(),
    cameras={"front": CameraHealth(online=True, fps=15.0, frames=1, dropped=0)},
    models={"tiny": ModelHealth(state="ready", invoke_ms=8.0, restarts=0, looks=1)},
    mqtt=LinkHealth(connected=True),
    memory_mib=100.0,
)


def with_(**fields: Any) -> HealthPayload:
    return WELL.model_copy(update=fields)


class Ears:
    """A teller, and when it told something."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self._now = 0.0
        self._teller = Teller(lambda _: self.told.append(self._now), pause_s=10.0)

    def hear(self, *looks: tuple[float, HealthPayload]) -> list[float]:
        for self._now, health in looks:
            self._teller.look(health, self._now)
        return self.told


def test_health_is_told_at_once_and_then_when_something_changes() -> None:
    broken = with_(degraded=("camera front: gone",))
    assert Ears().hear((5, WELL), (20, WELL), (40, broken), (60, broken), (80, WELL)) == [5, 40, 80]


def test_a_change_that_comes_too_soon_waits_and_is_not_forgotten() -> None:
    broken = with_(degraded=("camera front: gone",))
    assert Ears().hear((0, WELL), (1, broken), (9, broken), (10, broken)) == [0, 10]


def test_a_change_that_is_undone_before_it_could_be_told_is_not_told() -> None:
    assert Ears().hear((0, WELL), (1, with_(degraded=("x",))), (2, WELL), (20, WELL)) == [0]


def test_figures_that_always_move_are_told_every_quarter_of_an_hour() -> None:
    moving = [(at, with_(uptime_s=float(at), memory_mib=100.0 + at)) for at in range(0, 2000, 10)]
    assert Ears().hear(*((float(at), health) for at, health in moving)) == [0, EVERY_S, 2 * EVERY_S]


@pytest.mark.parametrize(
    "change",
    [
        {"clock_ok": False},
        {"cameras": {"front": CameraHealth(online=False)}},
        {"models": {"tiny": ModelHealth(state="lost", restarts=0)}},
        {"models": {"tiny": ModelHealth(state="ready", restarts=1)}},
        {"mqtt": LinkHealth(connected=True, reconnects=1)},
    ],
    ids=str,
)
def test_what_matters_is_a_change(change: dict[str, Any]) -> None:
    assert Ears().hear((0, WELL), (20, with_(**change))) == [0, 20]


def test_a_clock_before_this_version_was_written_cannot_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock_ok()
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert not clock_ok()


def test_the_hottest_zone_counts_and_one_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    for n, text in enumerate(["41000\n", "63500\n", "", "n/a\n"]):
        zone = tmp_path / "class" / "thermal" / f"thermal_zone{n}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(text)
    assert temperature_c(tmp_path) == 63.5
    assert temperature_c(tmp_path / "nowhere") is None


def test_memory_is_that_of_a_process_that_lives() -> None:
    assert (resident_mib() or 0) > 10
    assert resident_mib(2**22 + 1) is None


def test_room_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert disk_free_mib(tmp_path / "not" / "yet") == pytest.approx(disk_free_mib(tmp_path), abs=100)


def test_what_is_not_as_it_should_be_is_a_sentence_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a daemon that was not started yet: nothing is as it should be."""
    monkeypatch.chdir(furnish(tmp_path))
    settings = parse(GOOD)
    models = Models.find(settings)
    waiting = LatestFrames()
    lookouts = {
        name: Lookout(name, Camera(source="-"), waiting, on_status=lambda *_: None, on_tick=lambda *_: None)
        for name in settings.camera
    }
    eye = Eye(Detector(models.files["tiny"], Accelerator(models.files["tiny"])), settings.camera, lambda _: None)
    outbox = MemoryOutbox(2**20)
    link = Link(Mqtt(), "ridge1", outbox=outbox, kinds=("alert", "event"))
    spokesman = Spokesman(
        settings,
        models,
        Topics("ridge1"),
        link,
        outbox=outbox,
        lookouts=lookouts,
        eyes={"tiny": eye},
        workers=[],
        snapshots=Snapshots(settings, lambda *_: None),
    )
    monkeypatch.setattr(time, "time", lambda: 86_400.0)

    health = spokesman.health()

    assert health.degraded == (
        "camera front: not opened yet",
        "camera back: not opened yet",
        "model tiny: opening",
        "mqtt: not connected yet",
        "clock: not set since power came on",
    )
    assert not health.clock_ok
    assert health.models["tiny"].state == "opening"
    assert spokesman.info().labels == ("person",)
    assert in_a_line(health) == "0 of 2 cameras, 0.0 fps, outbox 0; degraded: camera front: not opened yet"


def test_one_line_says_what_the_daemon_does() -> None:
    assert in_a_line(WELL) == "1 of 1 cameras, 15.0 fps"
