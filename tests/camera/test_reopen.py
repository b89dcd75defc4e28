"""Attempts, one after the other, and what is told about them."""

from __future__ import annotations

import threading

import pytest

from smartcam.camera.reopen import CameraStatus, Reopening
from smartcam.config.sections import Camera
from smartcam.errors import Unavailable
from smartcam.workers import Alive


def test_a_stop_is_followed_by_no_attempt_and_no_word(caplog: pytest.LogCaptureFixture) -> None:
    """What the stop itself broke off is no failure of the camera."""
    stop = threading.Event()
    told: list[CameraStatus] = []
    attempts: list[int] = []

    def attempt(_: Alive) -> None:
        attempts.append(len(attempts))
        stop.set()
        raise Unavailable("the stream ended")

    Reopening("camera front", Camera(source="-"), told.append).run(attempt, lambda: not stop.is_set())

    assert attempts == [0]
    assert not told
    assert not caplog.records


def test_a_fault_of_our_own_is_told_as_offline_and_left_to_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise the camera would stay online for the world, while its worker fails again and again."""
    told: list[CameraStatus] = []
    reopening = Reopening("camera front", Camera(source="-"), told.append)

    def attempt(_: Alive) -> None:
        reopening.online((640, 480), "h264")
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            reopening.run(attempt, lambda: True)

    assert [status.online for status in told] == [True, False] * 3
    assert "fault in smartcam itself" in told[-1].reason
    assert caplog.text.count("camera front: offline: a fault in smartcam itself") == 1
