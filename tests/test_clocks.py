"""This machine's own clocks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartcam import clocks
from smartcam.clocks import boot_id, is_kept_right, reader


def test_time_goes_on_within_one_boot() -> None:
    first, second = reader()(), reader()()
    assert first.boot == second.boot
    assert 0 <= second.boot_s - first.boot_s < 5
    assert first.wall is None or abs(first.wall - time.time()) < 5


def test_a_clock_that_cannot_be_right_is_not_believed() -> None:
    assert reader(lambda: False)().wall is None


def test_a_kernel_that_does_not_name_its_boots_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "BOOT_ID", Path("/nowhere"))
    assert abs(float(boot_id()) - (time.time() - clocks.boot_s())) < 5


def test_the_kernel_is_asked_and_answers() -> None:
    """Whatever it says here."""
    assert is_kept_right() in (True, False)
