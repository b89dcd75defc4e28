"""Opening: one deadline for all of it, and the reason when it passes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smartcam.camera.packets import open_packets
from smartcam.camera.source import find
from smartcam.config.sections import Camera
from smartcam.errors import Unavailable


@contextmanager
def answering(answer: bytes, after_s: float = 0.0) -> Iterator[str]:
    """A host that takes a connection, answers so much after a while, and then says nothing for ever."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                if not over.wait(after_s):
                    connection.sendall(answer)
                over.wait(20)

        server = threading.Thread(target=serve)
        server.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        server.join()


def refusal(url: str, **timeouts: float) -> tuple[str, float]:
    """Why it cannot be opened, and how long that took."""
    config = Camera.model_validate({"source": url} | timeouts)
    began = time.monotonic()
    with pytest.raises(Unavailable) as refused, open_packets(find(config), config, lambda: True):
        pass
    return str(refused.value), time.monotonic() - began


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
@pytest.mark.parametrize(("open_timeout", "read_timeout"), [(1.0, 0.3), (0.5, 3.0)])
def test_a_camera_that_takes_the_connection_and_never_answers_is_given_up_in_time(
    scheme: str, open_timeout: float, read_timeout: float
) -> None:
    """Whichever of the time-outs is the shorter: opening has its own."""
    with answering(b"") as host:
        why, took_s = refusal(f"{scheme}://{host}/clip", open_timeout=open_timeout, read_timeout=read_timeout)

    assert why == f"{scheme}://{host}/clip: no video within {open_timeout:g} s"
    assert open_timeout <= took_s < open_timeout + 0.6


def test_connecting_and_probing_share_one_deadline() -> None:
    """A camera that is slow to answer, and then never sends its first picture whole, must not take twice as long."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n"
    part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n\xff\xd8" + bytes(5000)
    with answering(head + part, after_s=0.7) as host:
        config = Camera(source=f"http://{host}/video", open_timeout=1.0)
        began = time.monotonic()
        # What is known of the stream by then is enough to begin with: its first packet has a time-out of its own.
        with open_packets(find(config), config, lambda: True) as packets:
            took_s = time.monotonic() - began
            assert packets.codec == "mjpeg"

    assert took_s < 1.5
