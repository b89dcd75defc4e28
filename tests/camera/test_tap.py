"""What a camera's ring holds, against the frames that the camera gave: real streams, decoded again."""

from __future__ import annotations

import itertools
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from smartcam.camera.ring import Ring
from smartcam.camera.tap import Tap
from smartcam.data import Coding
from tests.camera.tapped import agrees, decoded, in_order, watched
from tests.camera.units import access_units, mpegts, opened, tapped
from tests.clips import FPS, clip, drawing, picture
from tests.servers import rtsp_server


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("bframes", ["0", "2"])
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_a_file_that_begins_again_goes_on_in_its_ring(name: str, bframes: str, codec: str, tmp_path: Path) -> None:
    """Each round is a session of its own; played fast, because time comes from the file."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    more = {"x265-params": f"bframes={bframes}:keyint=10:log-level=none"} if codec == "libx265" else {"bf": bframes}
    path = clip(tmp_path / name, 40, codec=codec, options=more)
    with watched(path, pace="fast") as camera:
        camera.until(lambda: len(camera.frames) > 130)

    agrees(camera, least=120)
    packets = camera.packets()
    assert len({id(packet.coding) for packet in packets}) >= 3
    times = sorted(packet.at for packet in packets)[:100]
    assert np.diff(times) == pytest.approx([1 / FPS] * 99, abs=0.003)


def test_a_file_that_plays_in_real_time(tmp_path: Path) -> None:
    with watched(clip(tmp_path / "a.mp4", 40, options={"bf": "2"})) as camera:
        camera.until(lambda: camera.ring.span_s > 1.2)

    agrees(camera, least=28)


def test_an_rtsp_camera_and_its_return(tmp_path: Path) -> None:
    with rtsp_server(clip(tmp_path / "a.mp4", 40), tmp_path) as server, watched(server.url) as camera:
        camera.until(lambda: camera.ring.span_s > 1.2)
        server.kill()
        camera.until(lambda: not camera.stream.status.online)
        server.start()
        camera.until(lambda: camera.stream.status.online)
        back_at = time.monotonic()
        camera.until(lambda: camera.frames[-1].at > back_at + 0.6)

    agrees(camera, least=35)
    first, second = (list(own) for _, own in itertools.groupby(camera.packets(), lambda packet: id(packet.coding)))
    assert second[0].is_key
    assert second[0].at > first[-1].at
    steps = np.diff(sorted(packet.at for packet in first)[-30:-5])
    assert steps == pytest.approx([1 / FPS] * 24, abs=0.005), "by its own clock, whatever the network does"


@pytest.fixture
def i420(tmp_path: Path) -> str:
    """A command that writes raw pictures with the moving bar, 25 a second, for ever."""
    script = tmp_path / "raw.py"
    frames = [av.VideoFrame.from_ndarray(drawing(n), "rgb24").to_ndarray(format="yuv420p") for n in range(40)]
    (tmp_path / "raw.i420").write_bytes(b"".join(frame.tobytes() for frame in frames))
    script.write_text(
        "import itertools, sys, time\n"
        "clip, size = open(sys.argv[1], 'rb').read(), 160 * 120 * 3 // 2\n"
        "for n in itertools.count():\n"
        "    sys.stdout.buffer.write(clip[n % 40 * size:][:size]); sys.stdout.flush(); time.sleep(0.04)\n"
    )
    return f"exec:{sys.executable} {script} {tmp_path / 'raw.i420'}"


RAW: dict[str, Any] = {"format": "i420", "size": "160x120"}


def test_raw_pictures_are_compressed_and_not_all_of_them(i420: str) -> None:
    with watched(i420, **RAW) as camera:
        camera.until(lambda: camera.ring.span_s > 1.5)

    agrees(camera, least=15)
    packets = camera.packets()
    assert all(packet.is_key for packet in packets)
    assert {packet.coding for packet in packets} == {Coding("mjpeg", (160, 120))}
    assert 10 < (len(packets) - 1) / (packets[-1].at - packets[0].at) < 16
    assert camera.ring.size_bytes < 160 * 120 * len(packets) / 4


def test_raw_pictures_are_upright_and_masked_before_they_are_kept(i420: str) -> None:
    top = [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]
    with watched(i420, rotate=90, mask=[top], **RAW) as camera:
        camera.until(lambda: camera.ring.span_s > 0.5)

    [coding] = {packet.coding for packet in camera.packets()}
    assert (coding.size, coding.rotate) == ((120, 160), 0)
    for _, luma in decoded(camera.packets()):
        assert np.ptp(luma[:78].astype(int)) <= 2
        assert np.ptp(luma[82:].astype(int)) > 50


def test_a_ring_that_wants_nothing_costs_nothing(i420: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is compressed, and none copied, for a camera whose rules want no clip."""
    compressed: list[tuple[int, int]] = []

    def jpeg(_picture: object, size: tuple[int, int]) -> bytes:
        compressed.append(size)
        return b"a jpeg"

    monkeypatch.setattr("smartcam.camera.tap.jpeg_of", jpeg)
    with watched(i420, keep_s=0, **RAW) as camera:
        camera.until(lambda: len(camera.frames) > 10)
        assert (camera.packets(), compressed) == ([], [])

        camera.ring.max_s = 10
        camera.until(lambda: len(camera.packets()) > 2)

    assert compressed


def test_a_ring_that_begins_to_want_packets_begins_at_a_key_frame(tmp_path: Path) -> None:
    with watched(clip(tmp_path / "a.mp4", 40), keep_s=0) as camera:
        camera.until(lambda: len(camera.frames) > 14)
        assert camera.packets() == []
        camera.ring.max_s = 10
        camera.until(lambda: len(camera.packets()) > 5)

    assert camera.packets()[0].is_key
    agrees(camera, least=5)


def test_large_pictures_of_a_folder_are_made_smaller_and_may_differ(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture(folder / "a.png", 1, size=(1920, 1080))
    picture(folder / "b.png", 2)
    picture(folder / "c.png", 3, size=(2, 1920))
    with watched(folder, fps=10) as camera:
        camera.until(lambda: len(camera.packets()) >= 5)

    sizes = [packet.coding.size for packet in camera.packets()[:4]]
    assert sizes == [(1280, 720), (160, 120), (2, 1280), (1280, 720)]
    assert [packet.at for packet in camera.packets()[:5]] == [frame.at for frame in camera.frames[:5]]
    assert [luma.shape for _, luma in decoded(camera.packets())[:2]] == [(720, 1280), (120, 160)]


@contextmanager
def mjpeg_camera(jpegs: list[bytes]) -> Iterator[str]:
    """What a cheap camera speaks over HTTP: JPEGs without a time, here 25 a second."""
    over = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(head)
                for jpeg in itertools.cycle(jpegs):
                    part = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    try:
                        connection.sendall(part.encode() + jpeg + b"\r\n")
                    except OSError:
                        return
                    if over.wait(0.04):
                        return

        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/video"
        over.set()
        server.join()


def test_the_pictures_of_an_mjpeg_camera_are_kept_as_they_come(tmp_path: Path) -> None:
    jpegs = [picture(tmp_path / f"{n}.jpg", n).read_bytes() for n in range(40)]
    with mjpeg_camera(jpegs) as url, watched(url) as camera:
        camera.until(lambda: camera.ring.span_s > 1.2)

    agrees(camera, least=20)
    assert {packet.data for packet in camera.packets()} <= set(jpegs)
    assert all(packet.is_key for packet in camera.packets())


def test_h264_without_timestamps_has_the_time_when_it_came(tmp_path: Path) -> None:
    """At 12 pictures a second, where FFmpeg counts 25."""
    path = clip(tmp_path / "a.h264", 40, options={"bf": "0", "tune": "zerolatency"})
    with av.open(str(path)) as container:
        units = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    (tmp_path / "units").write_bytes(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))
    script = tmp_path / "write.py"
    script.write_text(
        "import itertools, sys, time\n"
        "data, units = open(sys.argv[1], 'rb').read(), []\n"
        "while data:\n"
        "    size = 4 + int.from_bytes(data[:4], 'big'); units.append(data[4:size]); data = data[size:]\n"
        "for unit in itertools.cycle(units):\n"
        "    sys.stdout.buffer.write(unit); sys.stdout.flush(); time.sleep(0.08)\n"
    )
    with watched(f"exec:{sys.executable} {script} {tmp_path / 'units'}", format="h264") as camera:
        camera.until(lambda: camera.ring.span_s > 1.2)

    agrees(camera, least=10)
    packets = camera.packets()[-9:]  # Those that were read in probing came in a heap.
    assert 8 < 8 / (packets[-1].at - packets[0].at) < 14
    assert camera.late_s[-1] < 0.3


def test_a_damaged_stream_goes_on(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", 60)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = bytes(400)
    path.write_bytes(content)
    with watched(path, pace="fast", repeat=False) as camera:
        camera.until(lambda: not camera.stream.status.online and camera.frames)

    in_order(camera.packets())
    assert len(decoded(camera.packets())) >= 40


def test_what_a_recording_had_left_when_it_ended_is_not_kept_in_its_next_round(tmp_path: Path) -> None:
    """Its distance to the next round's pictures would be wrong."""
    path = clip(tmp_path / "a.mp4", 10, options={"bf": "0"})
    tap = Tap(Ring(100.0))
    with opened(path) as session:
        packets = [packet for packet in session if packet.size]
        tap.session(session)
        for packet in packets:
            tap.hold(packet)
        tap.session(session)
        tap.hold(packets[0])
        tap.shown(0.0, 5.0)

    assert [packet.at for packet in tap.ring.since(0)] == [5.0]


def test_it_is_told_once_a_session_that_the_ring_is_too_small(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = mpegts(tmp_path / "a.ts", access_units((320, 240), 60))
    with caplog.at_level(logging.WARNING, "smartcam.camera"):
        tapped(path)
        assert caplog.messages == []
        tapped(path, path, ring=Ring(20.0, max_bytes=path.stat().st_size // 3), name="gate")

    assert len(caplog.messages) == 2
    assert "camera gate: the last 20 s of its video take more than" in caplog.messages[0]
