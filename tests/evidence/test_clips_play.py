"""Clips of every kind of source play in a browser, and start before the event and end after it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from smartcam.camera.stream import CameraStream
from smartcam.config import Camera
from smartcam.evidence.clip_file import ClipFile
from smartcam.evidence.clips import Clips
from smartcam.evidence.mp4 import salvage
from smartcam.workers import Worker
from tests.evidence.reels import Studio, config, ended, event, ffprobe, h264, packets_of, together, tone
from tests.servers import rtsp_server

PAGE = b"""<!doctype html><video id="film" muted src="film.mp4"></video><script>
const film = document.getElementById("film");
const say = what => fetch("/said?" + new URLSearchParams({what, width: film.videoWidth, height: film.videoHeight,
  duration: film.duration, at: film.currentTime, why: film.error ? film.error.message : ""}));
film.onended = () => say("ended");
film.onerror = () => say("error");
film.playbackRate = 8;
film.play().catch(error => say("refused"));
</script>"""


class Cinema(ThreadingHTTPServer):
    """Shows one film, by ranges as every web server does, and hears what the page says of it."""

    daemon_threads = True

    def __init__(self, film: Path) -> None:
        super().__init__(("127.0.0.1", 0), Seat)
        self.film = film.read_bytes()
        self.said: SimpleQueue[dict[str, str]] = SimpleQueue()


class Seat(BaseHTTPRequestHandler):
    server: Cinema

    def do_GET(self) -> None:  # The name is the library's.
        url = urlsplit(self.path)
        if url.path == "/said":
            self.server.said.put({key: values[0] for key, values in parse_qs(url.query).items()})
            self._answer(204, b"")
        elif url.path == "/film.mp4":
            film = self.server.film
            asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            first, last = int(asked[0]), int(asked[2] or len(film) - 1)
            span = {"Content-Range": f"bytes {first}-{last}/{len(film)}", "Accept-Ranges": "bytes"}
            self._answer(206, film[first : last + 1], "video/mp4", span)
        else:
            self._answer(200 if url.path == "/" else 404, PAGE if url.path == "/" else b"", "text/html")

    def _answer(self, status: int, body: bytes, kind: str = "", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def played(film: Path, folder: Path) -> dict[str, str]:
    """What headless Chromium says of a film, once it has played it to its end."""
    if not (browser := shutil.which("chromium")):
        pytest.skip("chromium is missing: apt-get install chromium")
    with Cinema(film) as cinema:
        threading.Thread(target=cinema.serve_forever, daemon=True).start()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder / 'browser'}"]
        flags += ["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"]
        chromium = subprocess.Popen(
            [browser, *flags, f"http://127.0.0.1:{cinema.server_port}/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return cinema.said.get(timeout=40)
        except Empty:
            pytest.fail("the browser did not say a word within 40 s")
        finally:
            chromium.terminate()
            chromium.wait(10)
            cinema.shutdown()


def assert_plays(clip: ClipFile, folder: Path, size_wh: tuple[int, int] = (160, 120)) -> None:
    told = ffprobe(clip.path)
    # Where it ends among frames in another order, the last one is shown some frames after it is decoded.
    assert float(told["format"]["duration"]) == pytest.approx(clip.end - clip.start, abs=0.2)
    said = played(clip.path, folder)
    assert (said["what"], said.get("why", "")) == ("ended", "")
    assert (int(said["width"]), int(said["height"])) == size_wh
    assert float(said["duration"]) == pytest.approx(clip.end - clip.start, abs=0.1)
    assert float(said["at"]) == pytest.approx(float(said["duration"]), abs=0.1)


@pytest.mark.parametrize("annex_b", [False, True], ids=["of files", "as cameras send it"])
def test_h264_with_frames_in_another_order_plays_upright(tmp_path: Path, annex_b: bool) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 8), at, annex_b=annex_b, rotate=90))
    studio.happens(event(at + 2), at + 4)
    assert_plays(studio.the_clip(), tmp_path, (120, 160))


@contextmanager
def the_source(kind: str, folder: Path) -> Iterator[Camera]:
    """A camera of this kind, of 160x120 pictures."""
    if kind == "rtsp":
        with rtsp_server(h264(folder, 3, options={"bf": "0"}), folder) as server:
            yield Camera(source=server.url)
    elif kind == "file":
        yield Camera(source=str(h264(folder, 3)))
    elif kind == "mjpeg":
        yield Camera(source=str(h264(folder, 3, codec="mjpeg", pixel_format="yuvj420p")))
    else:
        code = (
            "import sys, time, numpy as np;"
            "[(sys.stdout.buffer.write(np.full(28800, n % 200, np.uint8).tobytes()), sys.stdout.buffer.flush(),"
            " time.sleep(0.04)) for n in range(10**9)]"
        )
        yield Camera.model_validate(
            {"source": f"exec:{sys.executable} -c '{code}'", "format": "i420", "size": "160x120"}
        )


@pytest.mark.parametrize("kind", ["rtsp", "file", "mjpeg", "i420"])
def test_a_clip_of_every_kind_of_source_plays(tmp_path: Path, kind: str) -> None:
    """Live: the event begins when the camera has been seen for some time."""
    made: SimpleQueue[ClipFile] = SimpleQueue()
    with the_source(kind, tmp_path) as camera:
        stream = CameraStream("front", camera, lambda _: None, lambda _: None)
        stream.ring.max_s = 30.0
        clips = Clips(
            config('before = "1s", after = "1s"'),
            tmp_path / "media",
            lambda _, clip: made.put(clip),
            packets=lambda _: stream.ring,
        )
        with Worker("clips", clips.run), Worker("camera", stream.run):
            until = time.monotonic() + 20
            while stream.ring.span_s < 1.5 and time.monotonic() < until:
                time.sleep(0.05)
            start = event(time.monotonic())
            clips.on_event(start)
            time.sleep(0.5)
            clips.on_event(ended(start, start.at + 0.5))
            clip = made.get(timeout=20)
    assert clip.truncated == ""
    assert clip.start <= start.start - 1.0 + 0.1
    assert clip.end >= start.start + 1.5 - 0.1
    assert_plays(clip, tmp_path)


def test_what_a_power_cut_left_plays_to_its_last_second(tmp_path: Path) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "1s", audio = true'))
    studio.film(together(packets_of(h264(tmp_path, 8), at), tone("aac", 48000, at)))
    studio.happens(event(at + 2), at + 6)
    clip = studio.the_clip()
    assert_plays(clip, tmp_path)
    whole = clip.path.read_bytes()
    clip.path.write_bytes(whole[: len(whole) * 2 // 3])
    assert salvage(clip.path)
    seconds = clip.path.read_bytes().count(b"moof")
    assert 2 <= seconds <= 5
    said = played(clip.path, tmp_path)
    assert (said["what"], said.get("why", "")) == ("ended", "")
    assert float(said["at"]) == pytest.approx(seconds, abs=0.2)


def test_the_page_notices_what_does_not_play(tmp_path: Path) -> None:
    """So that a film that plays means something."""
    broken = tmp_path / "film.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypiso6" + bytes(100))
    assert played(broken, tmp_path)["what"] in ("error", "refused")
