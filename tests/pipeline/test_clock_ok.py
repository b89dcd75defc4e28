"""When the wall clock is taken to be right, on boards of every kind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartcam.pipeline import health
from smartcam.pipeline.health import PATIENCE_S, RELEASED, clock_ok, waits_for_time


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without a battery, a minute after its boot, and systemd's time service has had no answer yet."""
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "sys/class/rtc").mkdir(parents=True)
    monkeypatch.setattr(health, "is_kept_right", lambda: False)
    return tmp_path


def test_while_the_time_service_waits_the_clock_may_show_when_the_power_failed(board: Path) -> None:
    assert waits_for_time(60.0, board)


def test_until_it_has_had_an_answer(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (board / "run/systemd/timesync/synchronized").touch()
    assert not waits_for_time(60.0, board)
    (board / "run/systemd/timesync/synchronized").unlink()
    monkeypatch.setattr(health, "is_kept_right", lambda: True)
    assert not waits_for_time(60.0, board)


def test_it_is_not_waited_for_for_ever(board: Path) -> None:
    """Its port may be closed, and rules that ask for the time of day would never fire."""
    assert not waits_for_time(PATIENCE_S + 1, board)


def test_a_clock_with_a_battery_is_taken_as_it_is(board: Path) -> None:
    (board / "sys/class/rtc/rtc0").mkdir()
    (board / "sys/class/rtc/rtc0/hctosys").write_text("1\n")
    assert not waits_for_time(60.0, board)
    (board / "sys/class/rtc/rtc0/hctosys").write_text("0\n")
    assert waits_for_time(60.0, board)


def test_and_so_is_one_that_nobody_sets(board: Path) -> None:
    (board / "run/systemd/timesync").rmdir()
    assert not waits_for_time(60.0, board)


def test_a_clock_before_the_release_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", lambda _: PATIENCE_S + 1)
    assert not clock_ok(RELEASED - 1)
    assert clock_ok(RELEASED + 1)
