"""Real servers for tests, each a process on a free port that can be killed, restarted there, stopped and continued."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext

SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's, because GStreamer's bindings are a package of Debian."""
NEEDED = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in ("appsrc", "h264parse", "rtph264pay"))
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RtspServer:
    """A running server; `url` stays the same when it is killed and started again."""

    def __init__(self, arguments: list[str], port: int) -> None:
        self.url = f"rtsp://127.0.0.1:{port}/clip"
        self._command = [SYSTEM_PYTHON, str(Path(__file__).with_name("rtsp_server.py")), str(port), *arguments]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None

    def silence(self) -> None:
        """It keeps its connections, and says nothing more."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def speak(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def rtsp_server(clip: Path, folder: Path, *, login: tuple[str, str] | None = None) -> Iterator[RtspServer]:
    """A server that plays an H.264 clip round and round in real time, and keeps what it needs in `folder`."""
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], capture_output=True).returncode
    ):
        pytest.skip("needs python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-{base,good,bad}")
    server = RtspServer([*annex_b(clip, folder), *(login or ())], free_port())
    try:
        server.start()
        yield server
    finally:
        server.kill()


def annex_b(clip: Path, folder: Path) -> list[str]:
    """The clip's access units in one file, and their times and sizes in another."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [
            filtered for packet in container.demux(stream) if packet.size for filtered in to_annex_b.filter(packet)
        ]
        times = [float((packet.pts or 0) * (packet.time_base or 0)) for packet in packets]
        interval = 1 / float(stream.average_rate or 25)
    units, index = folder / "units.h264", folder / "units.json"
    units.write_bytes(b"".join(bytes(packet) for packet in packets))
    index.write_text(
        json.dumps(
            {
                "interval": interval,
                "units": list(zip([t - min(times) for t in times], map(len, map(bytes, packets)), strict=True)),
            }
        )
    )
    return [str(units), str(index)]
