"""A JPEG of 400 megapixels, 600 MB once it is decoded, in every form that it can come: refused before it is decoded.

And one of 256, which is about the largest that FFmpeg itself would take: so that it is our limit that refuses it. Each
in a process of its own, whose memory is that of nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

MAKE = "import cv2, numpy, sys; n = int(sys.argv[2]); cv2.imwrite(sys.argv[1], numpy.zeros((n, n, 3), numpy.uint8))"
WATCH = """
import json, resource, sys, threading
from smartcam.camera.stream import CameraStream
from smartcam.config.sections import Camera
from smartcam.workers import Worker

frames, said, told = [], [], threading.Event()

def tell(status):
    said.append(status.reason)
    told.set()

config = Camera.model_validate({"source": sys.argv[1], "format": sys.argv[2], "retry_min": 30, "retry_max": 30})
stream = CameraStream("front", config, frames.append, tell)
stream.ring.max_s = 10
with Worker("camera front", stream.run):
    told.wait(30)
peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"frames": len(frames), "kept": stream.ring.size_bytes, "said": said[:1], "peak_kib": peak_kib}))
"""


@pytest.fixture(scope="module", params=[16_000, 20_000])
def huge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("huge") / "huge.jpg"
    subprocess.run([sys.executable, "-c", MAKE, str(path), str(request.param)], check=True)
    return path


def is_refused(source: str, form: str, why: str) -> None:
    command = [sys.executable, "-c", WATCH, source, form]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=40)
    result = json.loads(done.stdout)
    assert (result["frames"], result["kept"]) == (0, 0)
    assert why in result["said"][0]
    assert result["peak_kib"] < 400 * 1024


def test_in_a_folder(huge: Path) -> None:
    is_refused(str(huge.parent), "auto", "none of its pictures can be read")


def test_from_a_command(huge: Path) -> None:
    endless = f"exec:sh -c 'while cat {huge}; do :; done'"
    is_refused(endless, "mjpeg", "100 packets in a row are damaged, or pictures larger than 64 megapixels")


def test_over_http(huge: Path) -> None:
    with web_server(huge.parent) as url:
        is_refused(f"{url}/huge.jpg", "auto", "the stream ended")


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
