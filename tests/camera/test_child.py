"""A command as a camera: it is ended, whatever it does, and nothing waits for it without limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from smartcam.camera.child import Child


def always() -> bool:
    return True


def pid_of(child: Child) -> int:
    """Which the command itself tells."""
    child.expect(5)
    return int(child.read(100).split()[0])


def soon(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 3
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.02)
    return reached()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_reader_that_waits_heeds_a_stop() -> None:
    stop = threading.Event()
    with Child(["sh", "-c", "echo $$; exec sleep 54321"], lambda: not stop.is_set()) as child:
        pid = pid_of(child)
        child.expect(60)
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()

        assert child.read(100) == b""

        assert time.monotonic() - began < 2
    assert gone(pid)


def test_a_reader_asks_whether_it_should_go_on_while_it_waits() -> None:
    """It is the worker's sign of life: a command may take longer to begin than the watchdog's patience."""
    asked_at: list[float] = []

    def alive() -> bool:
        asked_at.append(time.monotonic())
        return True

    with Child(["sleep", "54321"], alive) as child:
        child.expect(1.2)
        with pytest.raises(TimeoutError):
            child.read(100)

    assert len(asked_at) >= 3


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_command_that_no_signal_ends_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that hangs in a driver dies when the kernel lets it, or never; the camera's worker must go on."""
    began = time.monotonic()
    with Child(["sh", "-c", "echo $$; exec sleep 54321"], always) as child:
        pid = pid_of(child)
        monkeypatch.setattr(os, "killpg", lambda *_: None)
    monkeypatch.undo()

    assert time.monotonic() - began < 5
    assert f"sh (process {pid}) cannot be killed" in caplog.text
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_command_of_another_user_may_not_be_signalled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`exec:sudo …` is; it ends by itself when it writes into the pipe that is closed."""

    def forbidden(*_: int) -> None:
        raise PermissionError

    with Child(["sh", "-c", "echo $$; exec yes"], always) as child:
        pid = pid_of(child)
        monkeypatch.setattr(os, "killpg", forbidden)
    monkeypatch.undo()

    assert gone(pid)
    assert not caplog.records


def test_a_command_ends_with_the_daemon_at_what_it_writes_next() -> None:
    """Also after a SIGKILL, which leaves the daemon no time to end it: nobody reads its pipe any more."""
    code = (
        "import os, signal; from smartcam.camera.child import Child\n"
        "with Child(['sh', '-c', 'echo $$; exec yes'], lambda: True) as child:\n"
        "    child.expect(5); print(child.read(100).split()[0].decode(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert soon(lambda: gone(int(done.stdout)))
