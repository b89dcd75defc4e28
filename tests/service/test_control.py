"""Real unix sockets, patient and impatient, polite and rude clients."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from smartcam.errors import SmartcamError, Unavailable
from smartcam.service import ControlServer, ask, control, socket_path
from smartcam.workers import Worker

PATIENCE_S = 0.5


def status(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"node": "ridge1", "asked": arguments}


def large(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"text": "x" * 4_000_000}


def refuse(arguments: dict[str, Any]) -> dict[str, Any]:
    raise SmartcamError('no rule "yrad"')


def stumble(arguments: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("a mistake of ours")


VERBS = {"status": status, "large": large, "refuse": refuse, "stumble": stumble}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "control.sock"
    with (
        ControlServer(path, VERBS, patience_s=PATIENCE_S) as server,
        Worker("control", server.run, retry_s=0.05),
    ):
        yield path


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5)
    connection.connect(str(path))
    return connection


def readable(connection: socket.socket) -> bool:
    """Whether something came, or the other end has hung up."""
    return bool(select.select([connection], [], [], 0)[0])


def say(path: Path, text: bytes) -> bytes:
    """Everything that comes back for what is said in one go."""
    with closing(connect(path)) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as reply:
            return reply.read()


def test_a_verb_and_its_arguments_reach_the_handler_and_its_data_comes_back(path: Path) -> None:
    assert ask(path, "status", camera="front", full=True) == {
        "node": "ridge1",
        "asked": {"camera": "front", "full": True},
    }


def test_a_refusal_comes_back_as_its_sentence(path: Path) -> None:
    with pytest.raises(SmartcamError, match=r'^no rule "yrad"$') as refused:
        ask(path, "refuse")
    assert refused.value.exit_code == 1


def test_an_unknown_verb_names_the_known_ones(path: Path) -> None:
    with pytest.raises(SmartcamError, match='no verb "arm"; there are large, refuse, status, stumble'):
        ask(path, "arm")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"status", "one line of JSON"),
        (b"\xff\xfe", "one line of JSON"),
        (b"[" * 60_000, "one line of JSON"),
        (b'["status"]', "an object with a verb"),
        (b"{}", "an object with a verb"),
        (b'{"verb": ["status"]}', "an object with a verb"),
        (b"", "one line of JSON"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_the_connection_goes_on(
    path: Path, line: bytes, sentence: str
) -> None:
    first, second = say(path, line + b'\n{"verb": "status"}\n').splitlines()
    assert sentence in json.loads(first)["error"]
    assert json.loads(second)["ok"]


def test_requests_in_one_packet_are_answered_in_order(path: Path) -> None:
    lines = b"".join(b'{"verb": "status", "n": %d}\n' % n for n in range(20))
    assert [json.loads(line)["data"]["asked"]["n"] for line in say(path, lines).splitlines()] == list(range(20))


def test_a_request_that_comes_in_pieces_is_one_request(path: Path) -> None:
    with closing(connect(path)) as connection:
        for piece in (b'{"ve', b'rb": "sta', b'tus"}', b"\n"):
            connection.sendall(piece)
            time.sleep(0.02)
        assert json.loads(connection.recv(4096))["ok"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_request_over_the_limit_is_refused_and_hung_up_on(path: Path, end: bytes) -> None:
    """Neither with nor without its end may a line fill the memory."""
    with closing(connect(path)) as connection:
        connection.sendall(b" " * (control.MAX_REQUEST + 1) + end)
        with connection.makefile("rb") as reply:
            assert json.loads(reply.read()) == {"ok": False, "error": "a request of over 64 KiB"}


def test_a_reply_larger_than_the_sockets_buffer_arrives_whole(path: Path) -> None:
    assert len(ask(path, "large")["text"]) == 4_000_000


def test_silent_and_slow_clients_hold_nobody_up(path: Path) -> None:
    """Twenty that say nothing, and one that asks for much and takes nothing, while eight others ask."""
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(closing(connect(path)))
        greedy = stack.enter_context(closing(connect(path)))
        greedy.sendall(b'{"verb": "large"}\n')
        with ThreadPoolExecutor(8) as pool:
            started = time.monotonic()
            replies = list(pool.map(lambda n: ask(path, "status", n=n), range(8)))
        assert [reply["asked"]["n"] for reply in replies] == list(range(8))
        assert time.monotonic() - started < 5 * PATIENCE_S


def test_whoever_does_not_finish_a_request_is_hung_up_on(path: Path) -> None:
    """A byte now and then buys no more time."""
    with closing(connect(path)) as connection:
        deadline = time.monotonic() + 5
        while not readable(connection):
            assert time.monotonic() < deadline
            with suppress(BrokenPipeError):
                connection.sendall(b" ")
            time.sleep(0.05)


def test_more_clients_than_it_bears_are_turned_away_and_the_next_is_served(path: Path) -> None:
    with ExitStack() as stack:
        for _ in range(control.MAX_CLIENTS):
            stack.enter_context(closing(connect(path)))
        with pytest.raises(Unavailable, match=r"hung up without a reply|no reply"):
            ask(path, "status")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert ask(path, "status")["node"] == "ridge1"
        except Unavailable:
            time.sleep(0.05)
        else:
            return
    pytest.fail("it does not serve again")


def test_a_handler_that_fails_costs_its_client_the_reply_and_nobody_the_server(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable, match="hung up without a reply: see smartcam's log"):
        ask(path, "stumble")
    assert ask(path, "status")["node"] == "ridge1"
    assert "a mistake of ours" in caplog.text


def test_owner_and_group_may_ask_and_nobody_else(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_socket_is_never_wider_open_than_that(tmp_path: Path) -> None:
    """Not even under a careless umask, in the moment between its birth and its mode."""
    script = (
        "import os, socket, sys, pathlib; os.umask(0)\n"
        "from smartcam.service import ControlServer\n"
        "pathlib.Path.chmod = lambda path, mode: print(oct(path.stat().st_mode & 0o777))\n"
        "with ControlServer(pathlib.Path(sys.argv[1]), {}): pass\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "c")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "0o600\n"


def test_the_socket_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with ControlServer(path, VERBS):
        assert path.is_socket()
    assert not path.exists()


def test_a_socket_that_a_killed_daemon_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with ControlServer(path, VERBS) as server, Worker("control", server.run):
        assert ask(path, "status")["node"] == "ridge1"


def test_a_daemon_that_lives_keeps_its_socket(path: Path) -> None:
    with pytest.raises(Unavailable, match="another smartcam is running"), ControlServer(path, VERBS):
        pass
    assert ask(path, "status")["node"] == "ridge1"


def test_a_daemon_that_hangs_counts_as_living(tmp_path: Path) -> None:
    """Its queue is full and nobody accepts, but the socket is not ours to take."""
    path = tmp_path / "control.sock"
    with ExitStack() as stack:
        hung = stack.enter_context(closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)))
        hung.bind(str(path))
        hung.listen(0)
        stack.enter_context(closing(connect(path)))
        with pytest.raises(Unavailable, match="another smartcam is running"), ControlServer(path, VERBS):
            pass


def test_a_socket_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for path in (tmp_path / "missing" / "c", tmp_path / "file", tmp_path / ("long" * 30)):
        with pytest.raises(Unavailable, match="cannot make the control socket"), ControlServer(path, VERBS):
            pass
    assert (tmp_path / "file").read_text() == "precious"


def test_nobody_there_asks_whether_it_is_running(tmp_path: Path) -> None:
    (tmp_path / "dead").touch()
    for path in (tmp_path / "none", tmp_path / "dead"):
        with pytest.raises(Unavailable, match=r"nobody answers at .*: is smartcam running\?") as failed:
            ask(path, "status")
        assert failed.value.exit_code == 69


def test_a_daemon_that_does_not_reply_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "TIMEOUT_S", 0.1)
    path = tmp_path / "control.sock"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as mute:
        mute.bind(str(path))
        mute.listen(1)
        with pytest.raises(Unavailable, match="no reply from"):
            ask(path, "status")


def test_shutdown_hangs_up_on_clients_at_once(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with ControlServer(path, VERBS, patience_s=60) as server, Worker("control", server.run) as worker:
        with closing(connect(path)) as waiting:
            assert ask(path, "status")["node"] == "ridge1"
            worker.stop()
            assert waiting.recv(1) == b""
        assert worker.join(2)


def test_a_client_finds_the_socket_wherever_the_daemon_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's environment is not the client's: systemd tells only the daemon where its folder is."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("smartcam.service.folders.SYSTEM", tmp_path / "run")
    assert socket_path() == tmp_path / "run" / "control.sock"
    (tmp_path / "smartcam").mkdir()
    with ControlServer(tmp_path / "smartcam" / "control.sock", VERBS):
        assert socket_path() == tmp_path / "smartcam" / "control.sock"
        assert socket_path(str(tmp_path / "own")) == tmp_path / "own" / "control.sock"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_looked_into_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    socket_path()
