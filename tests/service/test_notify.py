"""What systemd hears, over a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcam.service import notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end of $NOTIFY_SOCKET."""
    address = str(tmp_path / "notify")
    shown = address
    if request.param == "abstract":
        address, shown = f"\0smartcam-test-{os.getpid()}", f"@smartcam-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", shown)
        yield listener


def test_the_manager_hears_that_the_service_is_ready_and_how_it_is(manager: socket.socket) -> None:
    assert notify.ready("2 cameras")
    assert manager.recv(4096) == b"READY=1\nSTATUS=2 cameras"


def test_the_manager_hears_of_status_shutdown_and_the_watchdog(manager: socket.socket) -> None:
    assert notify.status("front is offline")
    assert notify.feed_watchdog()
    assert notify.stopping()
    assert [manager.recv(4096) for _ in range(3)] == [b"STATUS=front is offline", b"WATCHDOG=1", b"STOPPING=1"]


def test_the_manager_hears_that_a_reload_has_begun_and_when(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    assert notify.reloading()
    assert notify.ready()
    begun, over = manager.recv(4096).decode(), manager.recv(4096)
    state, moment = begun.split("\nMONOTONIC_USEC=")
    assert state == "RELOADING=1"
    assert before <= int(moment) <= time.monotonic_ns() // 1000
    assert over == b"READY=1"


def test_a_status_cannot_smuggle_in_another_assignment(manager: socket.socket) -> None:
    """A camera's error text may hold line breaks."""
    notify.status("refused\nMAINPID=1\r\nby the camera")
    assert manager.recv(4096) == b"STATUS=refused MAINPID=1 by the camera"


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:9"])
def test_without_a_manager_nothing_happens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify.ready("up")


def test_a_manager_that_has_gone_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.feed_watchdog()


def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue blocks a datagram's sender for ever, unless it has a time-out."""
    monkeypatch.setattr(notify, "TIMEOUT_S", 0.05)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "full"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "full"))
        assert not all(notify.feed_watchdog() for _ in range(5000))


@pytest.mark.parametrize(
    ("limit_us", "watched", "interval_s"),
    [
        ("60000000", None, 30.0),
        ("60000000", "self", 30.0),
        ("60000000", "1", None),
        (None, None, None),
        ("", None, None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_limit_by_the_process_it_watches(
    limit_us: str | None, watched: str | None, interval_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables reach the inference child too, which must not feed."""
    pid = str(os.getpid()) if watched == "self" else watched
    for name, value in {"WATCHDOG_USEC": limit_us, "WATCHDOG_PID": pid}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert notify.watchdog_interval_s() == interval_s
