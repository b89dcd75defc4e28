"""The local control socket: newline-delimited JSON over a unix stream socket.

A request is one line, ``{"verb": "status", …}``; its reply is one line, ``{"ok": true, "data": …}`` or
``{"ok": false, "error": "…"}``. Who may write to the socket (its owner and group: 0660) may ask.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

from smartcam.errors import SmartcamError, Unavailable
from smartcam.service.folders import candidates, trusted
from smartcam.workers import Alive

Answer: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""A request's arguments → the reply's data, or a SmartcamError whose sentence is the reply."""

SOCKET = "control.sock"
"""Its name in the daemon's runtime folder."""
MAX_REQUEST = 64 * 1024
MAX_CLIENTS = 32
TIMEOUT_S = 10.0
"""How long a client waits for the daemon."""


class ControlServer:
    """Answers local clients. `with` opens the socket; `run`, the loop of a worker, serves it.

    One thread serves them all and waits for none: whoever takes over `patience_s` to finish a request, or to
    take its reply, is hung up on. The answers are made in that thread, so they must be quick.
    """

    def __init__(self, path: Path, handle: Mapping[str, Answer], *, patience_s: float = 5.0) -> None:
        self._path = path
        self._handle = handle
        self._patience_s = patience_s
        self._listener: socket.socket

    def __enter__(self) -> Self:
        """Open the socket; one that a killed daemon left behind is replaced.

        Raises:
            Unavailable: another daemon answers there, or the socket cannot be made.
        """
        try:
            self._listener = _listen(self._path)
        except OSError as error:
            reason = error.strerror or error
            raise Unavailable(f"cannot make the control socket {self._path} ({reason}): is its folder ours?") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def run(self, alive: Alive) -> None:
        """Serve until `alive` ends. A handler's failure ends it too: it hangs up on everybody, and can be run again."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            try:
                while alive():
                    for key, _ in ready.select(timeout=0.25):
                        if key.data is None:
                            self._admit(ready)
                        elif key.data.turn():
                            ready.modify(key.fileobj, key.data.waits_for, key.data)
                        else:
                            _hang_up(ready, key.data)
                    for client in _clients(ready):
                        if client.late:
                            _hang_up(ready, client)
            finally:
                for client in _clients(ready):
                    _hang_up(ready, client)

    def _admit(self, ready: selectors.BaseSelector) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return  # it left again
        if len(_clients(ready)) >= MAX_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        client = _Client(connection, self._reply, self._patience_s)
        ready.register(connection, client.waits_for, client)

    def _reply(self, line: bytes) -> bytes:
        try:
            reply = {"ok": True, "data": self._answer(line)}
        except SmartcamError as error:
            reply = {"ok": False, "error": str(error)}
        return json.dumps(reply).encode() + b"\n"

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SmartcamError('a request is one line of JSON, like {"verb": "status"}') from error
        verb = request.pop("verb", None) if isinstance(request, dict) else None
        if not isinstance(verb, str):
            raise SmartcamError('a request is an object with a verb, like {"verb": "status"}')
        if verb not in self._handle:
            raise SmartcamError(f'there is no verb "{verb[:40]}"; there are {", ".join(sorted(self._handle))}')
        return self._handle[verb](request)


def socket_path(configured: str | None = None) -> Path:
    """Where a client finds the daemon: in the first possible runtime folder that has a socket, or else in the first."""
    sockets = [folder / SOCKET for folder in candidates(configured)]
    return next(filter(_is_there, sockets), sockets[0])


def ask(path: Path, verb: str, /, **arguments: object) -> dict[str, Any]:
    """The reply of the daemon that listens at `path`.

    Raises:
        Unavailable: no daemon answers there.
        SmartcamError: it answers that it cannot.
    """
    request = json.dumps({**arguments, "verb": verb}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(str(path))
            connection.sendall(request)
            with connection.makefile("rb") as lines:
                line = lines.readline()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unavailable(f"nobody answers at {path}: is smartcam running?") from error
        except PermissionError as error:
            raise Unavailable(f"may not speak to {path}: do it as root, or as a member of its group") from error
        except OSError as error:
            raise Unavailable(f"no reply from {path} ({error.strerror or error}): see smartcam's log") from error
    if not line.endswith(b"\n"):
        raise Unavailable(f"{path} hung up without a reply: see smartcam's log")
    reply: dict[str, Any] = json.loads(line)
    if not reply["ok"]:
        raise SmartcamError(reply["error"])
    data: dict[str, Any] = reply["data"]
    return data


class _Client:
    """One connection: takes a line, owes the reply, takes the next. Nothing here waits."""

    def __init__(self, connection: socket.socket, reply: Callable[[bytes], bytes], patience_s: float) -> None:
        self.connection = connection
        self._reply = reply
        self._patience_s = patience_s
        self._until = time.monotonic() + patience_s
        self._asked = b""
        self._owed = b""
        self._last = False

    @property
    def waits_for(self) -> int:
        # Whoever does not take its replies is not listened to: nothing piles up here.
        return selectors.EVENT_WRITE if self._owed else selectors.EVENT_READ

    @property
    def late(self) -> bool:
        return time.monotonic() > self._until

    def turn(self) -> bool:
        """Do what can be done now; false once the connection is over."""
        try:
            if self._owed:
                self._owed = self._owed[self.connection.send(self._owed) :]
            elif chunk := self.connection.recv(MAX_REQUEST):
                self._asked += chunk
            else:
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._owed:
            return True
        if self._last:
            return False
        self._take_next()
        return True

    def _take_next(self) -> None:
        line, newline, rest = self._asked.partition(b"\n")
        if len(line) > MAX_REQUEST:
            error = f"a request of over {MAX_REQUEST // 1024} KiB"
            self._owed = json.dumps({"ok": False, "error": error}).encode() + b"\n"
            self._last = True
        elif newline:
            self._asked = rest
            self._owed = self._reply(line)
            self._until = time.monotonic() + self._patience_s


def _clients(ready: selectors.BaseSelector) -> list[_Client]:
    return [key.data for key in ready.get_map().values() if key.data is not None]


def _hang_up(ready: selectors.BaseSelector, client: _Client) -> None:
    ready.unregister(client.connection)
    client.connection.close()


def _listen(path: Path) -> socket.socket:
    if _answers(path):
        raise Unavailable(f"another smartcam is running: it answers at {path}. Stop it first")
    if path.is_socket():
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # Born narrow (bind takes the descriptor's mode, less the umask) and widened after: it is never too open,
        # and the umask, which all threads share, stays as it is.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(MAX_CLIENTS)
    except OSError:
        listener.close()
        raise
    return listener


def _is_there(path: Path) -> bool:
    try:
        return path.is_socket() and trusted(path.parent)
    except PermissionError:
        return False  # somebody else's folder


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:
            return True  # its queue is full, but somebody has one
    return True
