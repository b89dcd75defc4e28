"""This machine's own clocks."""

from __future__ import annotations

import time

from smartcam.mqtt.elapsed import clocks


def test_time_goes_on_within_one_boot() -> None:
    read = clocks()
    first, second = read(), clocks()()
    assert first.boot == second.boot
    assert 0 <= second.boot_s - first.boot_s < 5
    assert first.wall is None or abs(first.wall - time.time()) < 5


def test_a_clock_that_cannot_be_right_is_not_believed() -> None:
    assert clocks(lambda: False)().wall is None
