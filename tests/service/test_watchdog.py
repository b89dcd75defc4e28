"""Real workers, and a real socket that counts how often the watchdog is fed."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smartcam.service import Watchdog
from smartcam.workers import Alive, Worker


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "40000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listener


def busy(alive: Alive) -> None:
    while alive():
        time.sleep(0.01)


def stuck_until(released: threading.Event) -> Callable[[Alive], None]:
    """A loop that hangs after its first sign of life, and works once it is released."""

    def loop(alive: Alive) -> None:
        alive()
        released.wait(10)
        busy(alive)

    return loop


def until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def drain(manager: socket.socket) -> None:
    manager.setblocking(False)
    try:
        while manager.recv(4096):
            pass
    except BlockingIOError:
        manager.settimeout(5)


def test_it_feeds_while_every_worker_gives_signs_of_life(manager: socket.socket) -> None:
    with Worker("eye", busy) as eye, Worker("watchdog", Watchdog(lambda: [eye], limit_s=1.0).run):
        assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3


def test_one_worker_that_hangs_starves_it_and_is_named_once(
    manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """A feeding that goes on by itself would prove nothing."""
    release = threading.Event()
    with Worker("eye", busy) as eye, Worker("judge", stuck_until(release)) as judge:
        watchdog = Watchdog(lambda: [eye, judge], limit_s=0.3)
        with caplog.at_level(logging.WARNING, "smartcam"), Worker("watchdog", watchdog.run):
            assert until(lambda: watchdog.silent == {"judge"})
            drain(manager)
            manager.settimeout(0.3)
            with pytest.raises(TimeoutError):
                manager.recv(4096)
            release.set()
            manager.settimeout(5)
            assert manager.recv(4096) == b"WATCHDOG=1"
    assert [record.message for record in caplog.records] == [
        "judge gives no sign of life for over 0.3 s; the watchdog goes hungry",
        "judge gives signs of life again",
    ]


def test_a_worker_that_is_done_is_not_missed(manager: socket.socket) -> None:
    """A recording that has played to its end is silent for good reason."""
    with Worker("clip", lambda _: None) as clip:
        assert until(lambda: clip.done)
        time.sleep(0.1)
        with Worker("watchdog", Watchdog(lambda: [clip], limit_s=0.05).run):
            assert manager.recv(4096) == b"WATCHDOG=1"


def test_workers_are_asked_for_anew_so_that_a_reload_can_replace_them(manager: socket.socket) -> None:
    stuck = threading.Event()
    workers: list[Worker] = []
    watchdog = Watchdog(lambda: workers, limit_s=0.1)
    with Worker("old", stuck_until(stuck)) as old:
        workers.append(old)
        with Worker("watchdog", watchdog.run):
            assert until(lambda: watchdog.silent == {"old"})
            workers.clear()
            assert until(lambda: watchdog.silent == frozenset())
        stuck.set()


def test_without_systemd_it_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    stuck = threading.Event()
    with Worker("judge", stuck_until(stuck)) as judge:
        watchdog = Watchdog(lambda: [judge], limit_s=0.1)
        with Worker("watchdog", watchdog.run):
            assert until(lambda: watchdog.silent == {"judge"})
        stuck.set()
