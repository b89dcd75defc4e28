"""Sound beside the pictures, where it is asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.camera.tapped import agrees, in_order, watched
from tests.clips import FPS, drawing
from tests.servers import SYSTEM_PYTHON, free_port

SERVER = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
if not all(Gst.ElementFactory.find(name) for name in ("x264enc", "rtph264pay", "alawenc", "rtppcmapay")):
    sys.exit("elements are missing")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=25/1"
    " ! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96"
    " audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )"
)
factory.set_shared(True)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
server.get_mount_points().add_factory("/talking", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture(scope="module")
def talking_camera() -> Iterator[str]:
    """An RTSP camera with a microphone, of which the sound is G.711, as most have it."""
    port = free_port()
    command = [SYSTEM_PYTHON, "-c", SERVER, str(port)]
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip("needs Debian's Python")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            pytest.skip("needs python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-{base,good,ugly}")
        yield f"rtsp://127.0.0.1:{port}/talking"
        process.kill()


def with_sound(path: Path, frames: int = 40) -> Path:
    """A clip with a tone."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "0"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        tone: Any = container.add_stream("aac", rate=8000, layout="mono")
        for n in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(drawing(n), "rgb24")))
            wave = np.sin(np.arange(n * 320, (n + 1) * 320) / 3).astype(np.float32)[None]
            sound = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            sound.sample_rate, sound.pts = 8000, n * 320
            container.mux(tone.encode(sound))
        container.mux([*video.encode(), *tone.encode()])
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_sound_is_kept_where_it_is_asked_for(name: str, tmp_path: Path) -> None:
    path = with_sound(tmp_path / name)
    with watched(path, sound=True) as camera:
        camera.until(lambda: camera.ring.span_s > 1.2)

    agrees(camera, least=25)
    sound = [packet for packet in camera.packets() if packet.audio]
    assert {(packet.coding.codec, packet.coding.size) for packet in sound} == {("aac", (8000, 1))}
    assert np.diff([packet.at for packet in sound[:8]]) == pytest.approx([1024 / 8000] * 7, abs=0.005)
    assert all(camera.frames[0].at - 0.2 < packet.at < camera.frames[-1].at + 0.5 for packet in sound)


def test_sound_of_a_live_stream(tmp_path: Path) -> None:
    path = with_sound(tmp_path / "a.ts", 100)
    with watched(f"exec:sh -c 'cat {path}; exec sleep 60'", sound=True, format="mpegts") as camera:
        camera.until(lambda: [packet for packet in camera.packets() if packet.audio])

    in_order(camera.packets())


def test_nobody_listens_unless_they_are_asked_to(tmp_path: Path) -> None:
    with watched(with_sound(tmp_path / "a.mp4")) as camera:
        camera.until(lambda: camera.ring.span_s > 0.8)

    assert not any(packet.audio for packet in camera.packets())


@pytest.mark.parametrize("sound", [True, False])
def test_an_rtsp_camera_is_asked_for_its_sound_where_that_is_wanted(sound: bool, talking_camera: str) -> None:
    with watched(talking_camera, sound=sound) as camera:
        camera.until(lambda: camera.ring.span_s > 1 and (not sound or sum(p.audio for p in camera.packets()) > 3))

    heard = [packet for packet in camera.packets() if packet.audio]
    seen = [packet for packet in camera.packets() if not packet.audio]
    assert {packet.coding.codec for packet in heard} == ({"pcm_alaw"} if sound else set())
    assert all(abs(packet.at - seen[-1].at) < 2 for packet in heard)
    in_order(camera.packets())
