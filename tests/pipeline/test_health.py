"""What the node says of itself, and when."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from smartcam.config.delivery import Uplink as Section
from smartcam.config.problems import Problem
from smartcam.config.sources import Sources
from smartcam.data import Message
from smartcam.mqtt.health import CameraHealth, HealthPayload, LinkHealth, ModelHealth
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.pipeline.digest import Digest
from smartcam.pipeline.health import EVERY_S, Teller, clock_ok, disk_free_mib, resident_mib, temperature_c
from smartcam.pipeline.plan import Plan
from smartcam.pipeline.reload import InForce
from smartcam.pipeline.sensing import Sensing
from smartcam.pipeline.spokesman import Spokesman, in_a_line
from smartcam.pipeline.uplink import Uplink
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

    def hear(self, *looks: tuple[float, HealthPayload], is_dear: bool = False) -> list[float]:
        for self._now, health in looks:
            self._teller.look(health, self._now, is_dear=is_dear)
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


def test_while_every_byte_counts_only_what_is_newly_wrong_is_told_before_its_time() -> None:
    """And as long afterwards: a day's bytes are free again a few at a time."""
    waits, more_wait = (with_(degraded=(f"uplink: {count} messages wait",)) for count in (3, 303))
    broken = with_(degraded=("uplink: 303 messages wait", "camera front: gone"))
    reconnected = with_(mqtt=LinkHealth(connected=True, reconnects=1))
    ears = Ears()
    assert ears.hear((0, WELL)) == [0]
    assert ears.hear((20, waits), (40, more_wait), (60, reconnected), (80, broken), is_dear=True) == [0, 20, 80]
    assert ears.hear((100, WELL), (120, waits), (80 + EVERY_S, WELL)) == [0, 20, 80, 80 + EVERY_S]
    assert ears.hear((2000, waits)) == [0, 20, 80, 80 + EVERY_S, 2000]


def test_figures_of_what_waits_are_no_change() -> None:
    waits, more_wait = (with_(degraded=(f"uplink: {count} messages wait",)) for count in (3, 303))
    assert Ears().hear((0, waits), (20, more_wait)) == [0]


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
    """Parts of a daemon that never came to work: no camera is there, and no broker was asked for."""
    monkeypatch.chdir(furnish(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    rules = "".join(f'[rule.r{n}]\nsee = "person"\n' for n in range(60))
    plan = Plan.of(Sources("smartcam.toml", {"smartcam.toml": GOOD.replace("clip.mp4", "nowhere.mp4") + rules}))
    in_force = InForce(plan, (Problem("smartcam.toml", 7, "rule.x.zone", "no such zone"),), 1e9)
    outbox = MemoryOutbox(2**20)
    with Sensing(lambda _: None, lambda *_: None, lambda _: None) as sensing:
        uplink = Uplink(plan.config, outbox, lambda *_: None)
        spokesman = Spokesman(
            lambda: in_force,
            uplink,
            sensing,
            outbox=outbox,
            digest=Digest(uplink.allowance, lambda: outbox.backlog.waiting, lambda _: None),
            workers=lambda: sensing.workers,
            near_misses=Counter({f"r{n}": n for n in range(60)} | {"removed": 99}),
            troubles=lambda: ["cannot write the memory"],
        )
        sensing.renew(plan)
        uplink.allowance.renew(Section(daily=100_000), 60.0)
        uplink.allowance.count("state", 99_000)
        outbox.put(Message("t", b"x", "event"))
        monkeypatch.setattr(time, "time", lambda: 86_400.0)
        until = time.monotonic() + 10
        while "opened yet" in str(health := spokesman.health()) or "opening" in str(health):
            assert time.monotonic() < until
            time.sleep(0.02)
        looks: list[bool] = []
        monkeypatch.setattr(Teller, "look", lambda *_, is_dear: looks.append(is_dear))
        monkeypatch.setattr("smartcam.pipeline.spokesman.TURN_S", 0.0)
        spokesman.run(iter([True, False]).__next__)

    assert looks == [True]
    broken, waits, front, back, *rest = health.degraded
    assert waits.startswith("uplink: 1 message waits, daily = 100 kB is spent; more goes at ")
    assert re.match(r"configuration broken since ..:..: smartcam.toml:7: rule.x.zone: no such zone; the last", broken)
    assert front.startswith("camera front: ")
    assert back.startswith("camera back: ")
    assert "no such file" in front
    assert rest == ["mqtt: not connected yet", "cannot write the memory", "clock: not set since power came on"]
    assert not health.clock_ok
    assert health.models["tiny"].state == "ready"
    assert list(health.near_misses.items()) == [(f"r{n}", n) for n in range(59, 9, -1)]
    assert spokesman.info().labels == ("person",)
    assert in_a_line(health) == f"0 of 2 cameras, 0.0 fps, outbox 1; degraded: {broken}"
    assert in_a_line(health.model_copy(update={"degraded": health.degraded[1:]})).endswith(waits)


def test_one_line_says_what_the_daemon_does() -> None:
    assert in_a_line(WELL) == "1 of 1 cameras, 15.0 fps"
