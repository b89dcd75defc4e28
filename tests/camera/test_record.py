import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from smartcam.camera.record import RecordStream, Ring
from smartcam.config.sections import Camera
from smartcam.workers import Worker
from tests.clips import bar_at, clip, drawing
from tests.servers import rtsp_server


@contextmanager
def recorded(record: object, **more: object) -> Iterator[RecordStream]:
    quick = {"source": "/dev/video9", "record": str(record), "open_timeout": 2, "read_timeout": 1, "retry_min": 0.1}
    stream = RecordStream("front", Camera.model_validate({**quick, "retry_max": 0.3, **more}))
    with Worker("camera front, record", stream.run) as worker:
        yield stream
    assert not worker.failures


def wait_until_full(stream: RecordStream, seconds: float) -> None:
    deadline = time.monotonic() + 15
    while stream.ring.span_s < seconds:
        assert time.monotonic() < deadline, stream.status
        time.sleep(0.02)


def made_packets(frames: int, seconds_apart: float = 0.04) -> list[tuple["av.Packet[av.VideoStream]", float]]:
    """Packets of a clip with a key frame every ten, and when they came."""
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10", "bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        images = [av.VideoFrame.from_ndarray(drawing(n), "rgb24") for n in range(frames)]
        packets = [packet for image in [*images, None] for packet in stream.encode(image)]
    return [(packet, n * seconds_apart) for n, packet in enumerate(packets)]


def no_decoder() -> av.VideoCodecContext:
    raise AssertionError("nothing is decoded here")


@pytest.mark.parametrize("bframes", ["0", "2"])
def test_the_picture_of_a_moment_is_the_one_that_came_then(bframes: str, tmp_path: Path) -> None:
    """Told by the bar, which moves by four pixels a frame, against the time that has passed."""
    path = clip(tmp_path / "a.mp4", 38, size=(320, 240), options={"bf": bframes})
    with recorded(path) as stream:
        wait_until_full(stream, 1.2)
        end = time.monotonic()
        early, late = stream.picture_at(end - 1.0), stream.picture_at(end - 0.4)

    assert early is not None
    assert late is not None
    assert early.size == (320, 240)
    moved = bar_at(late.luma) - bar_at(early.luma)
    assert moved == pytest.approx(4 * 15, abs=16)


def test_a_camera_with_a_record_stream_over_rtsp(tmp_path: Path) -> None:
    with (
        rtsp_server(clip(tmp_path / "a.mp4", 40), tmp_path) as server,
        recorded(server.url, rotate=90) as stream,
    ):
        wait_until_full(stream, 0.5)
        picture = stream.picture_at(time.monotonic())
        assert stream.status.online
        assert stream.status.size == (120, 160)

        server.kill()
        deadline = time.monotonic() + 5
        while stream.status.online and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not stream.status.online

        server.start()
        wait_until_full(stream, 0.1)

    assert picture is not None
    assert picture.size == (120, 160)
    assert picture.rgb(size=(30, 40)).shape == (40, 30, 3)


def test_there_is_no_picture_of_a_moment_far_from_all_packets(tmp_path: Path) -> None:
    with recorded(clip(tmp_path / "a.mp4", 30)) as stream:
        wait_until_full(stream, 0.2)

        assert stream.picture_at(time.monotonic() - 60) is None
        assert stream.picture_at(time.monotonic()) is not None


def test_a_folder_is_no_record_stream(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with recorded(tmp_path) as stream:
        deadline = time.monotonic() + 5
        while "cannot be a folder" not in stream.status.reason and time.monotonic() < deadline:
            time.sleep(0.02)

        assert "cannot be a folder" in stream.status.reason
        assert stream.picture_at(time.monotonic()) is None


def test_a_ring_begins_with_a_key_frame() -> None:
    ring = Ring()
    for packet, at in made_packets(25)[5:]:
        ring.add(packet, at, no_decoder)

    assert ring.span_s == pytest.approx(0.04 * 14)


def test_a_ring_keeps_the_seconds_that_it_promises_and_little_more() -> None:
    ring = Ring(max_s=1.0)
    for packet, at in made_packets(100):
        ring.add(packet, at, no_decoder)

    assert 1.0 <= ring.span_s < 1.0 + 0.04 * 10


def test_a_ring_never_holds_more_bytes_than_it_may() -> None:
    packets = made_packets(60)
    limit = sum(packet.size for packet, _ in packets) // 3
    ring = Ring(max_bytes=limit)
    for packet, at in packets:
        ring.add(packet, at, no_decoder)
        assert ring.size_bytes <= limit

    assert ring.size_bytes > 0


def test_a_group_that_alone_is_too_large_is_let_go() -> None:
    """Until the next key frame there is nothing that could be decoded."""
    packets = made_packets(20)
    ring = Ring(max_bytes=packets[0][0].size)
    for packet, at in packets[:5]:
        ring.add(packet, at, no_decoder)

    assert ring.size_bytes == 0
    assert ring.until(0.0) is None


def test_what_comes_after_a_cut_begins_at_a_key_frame() -> None:
    """After a reconnection what is here stays usable, and packets that need an unseen key frame are dropped."""
    packets = made_packets(30)
    ring = Ring()
    for packet, at in packets[:8]:
        ring.add(packet, at, no_decoder)
    ring.cut()
    for packet, at in packets[13:22]:
        ring.add(packet, at, no_decoder)

    before, after = ring.until(0.04 * 12), ring.until(0.04 * 21)

    assert before is not None
    assert after is not None
    assert [timed.packet for timed in before.packets] == [packet for packet, _ in packets[:8]]
    assert [timed.packet for timed in after.packets] == [packet for packet, _ in packets[20:22]]
