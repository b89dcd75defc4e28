"""A way to a broker that all connections share, as they share a modem: one queue, first in, first out."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Self

PIECE_BYTES = 256


class Bottleneck:
    """What clients send crawls at `bytes_per_s`, all in one queue of `queue_bytes`; what they get does not.

    `carried` counts the bytes of both directions. 0 bytes a second is as fast as it goes.
    """

    def __init__(self, port: int, bytes_per_s: float = 0, queue_bytes: int = 16 * 1024) -> None:
        self.carried = 0
        self._broker = ("127.0.0.1", port)
        self._bytes_per_s = bytes_per_s
        self._queue: queue.Queue[tuple[socket.socket, bytes] | None] = queue.Queue(queue_bytes // PIECE_BYTES)
        self._lock = threading.Lock()
        self._server = socket.socket()
        if bytes_per_s:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept), threading.Thread(target=self._crawl)]
        self._sockets: list[socket.socket] = [self._server]
        self._over = False

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for sock in tuple(self._sockets):
            with suppress(OSError):  # It has ended already.
                sock.shutdown(socket.SHUT_RDWR)
        self._queue.put(None)
        for thread in tuple(self._threads):
            thread.join()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):  # Shut down: the test is over.
            while True:
                client, _ = self._server.accept()
                broker = socket.create_connection(self._broker)
                self._sockets += [client, broker]
                for way in (self._enqueue, self._run):
                    self._threads.append(threading.Thread(target=way, args=(client, broker)))
                    self._threads[-1].start()

    def _enqueue(self, client: socket.socket, broker: socket.socket) -> None:
        piece_bytes = PIECE_BYTES if self._bytes_per_s else 65536
        some = b"?"
        while some and not self._over:
            some = b""
            with suppress(OSError):
                some = client.recv(piece_bytes)
            self._queue.put((broker, some))

    def _crawl(self) -> None:
        """An empty piece ends its connection."""
        while (item := self._queue.get()) is not None:
            broker, some = item
            if self._over:
                continue
            if self._bytes_per_s:
                time.sleep(len(some) / self._bytes_per_s)
            self._count(len(some))
            with suppress(OSError):
                broker.sendall(some) if some else broker.shutdown(socket.SHUT_WR)

    def _run(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError):
            while some := broker.recv(65536):
                self._count(len(some))
                client.sendall(some)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _count(self, size: int) -> None:
        with self._lock:
            self.carried += size
