"""How a thread that waits for the network is told that there is something to send."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Wake:
    """Wakes the thread that waits in `Connection.turn`; `set` may be called from any thread at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pair: tuple[socket.socket, socket.socket] | None = None

    def __enter__(self) -> Self:
        self._pair = socket.socketpair()
        for end in self._pair:
            end.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            pair, self._pair = self._pair, None
        for end in pair or ():
            end.close()

    def set(self) -> None:
        with self._lock:
            if self._pair:
                with suppress(BlockingIOError):  # Full: it is awake as it is.
                    self._pair[1].send(b"!")

    def clear(self) -> None:
        if self._pair:
            self._pair[0].recv(4096)

    def fileno(self) -> int:
        return self._pair[0].fileno() if self._pair else -1
