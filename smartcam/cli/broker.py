"""Brokers for the demo and the benchmarks: one inside this process, and a mosquitto of our own."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from smartcam.errors import Unavailable


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run amqtt on a free loopback port while the block lasts; gives its URL.

    Raises:
        Unavailable: the extra `demo`, which brings amqtt, is not installed.
    """
    try:
        from amqtt.broker import Broker
    except ImportError as error:
        raise Unavailable("the embedded broker is not installed: pip install 'smartcam[demo]'") from error
    for talkative in ("amqtt", "transitions", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    port = _free_port()
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await broker.start()
        started.set()
        while not stop.is_set():
            await asyncio.sleep(0.1)
        await broker.shutdown()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="broker", daemon=True)
    thread.start()
    if not started.wait(15):
        raise Unavailable("the embedded broker does not start")
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join(5)


@contextmanager
def mosquitto() -> Iterator[str]:
    """Run the mosquitto of this machine on a free loopback port while the block lasts; gives its URL."""
    port = _free_port()
    command = ["mosquitto", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
