import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from smartcam.camera.record import RecordStream
from smartcam.config.sections import Camera
from smartcam.workers import Worker
from tests.camera.tapped import decoded
from tests.camera.units import access_units, mpegts
from tests.clips import bar_at, clip
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


def test_the_picture_of_a_masked_camera_is_masked(tmp_path: Path) -> None:
    """Turned first: the mask is drawn on the upright picture."""
    left_half = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    with recorded(clip(tmp_path / "a.mp4", 30), rotate=90, mask=[left_half]) as stream:
        wait_until_full(stream, 0.3)
        picture = stream.picture_at(time.monotonic())

    assert picture is not None
    assert picture.size == (120, 160)
    assert len(np.unique(picture.luma[:, :58])) == 1
    assert len(np.unique(picture.luma[:, 62:])) > 20


def test_a_record_stream_that_is_not_compressed_is_kept_as_jpegs(tmp_path: Path) -> None:
    """Raw pictures would fill the ring within a second; these are upright and masked already."""
    path = clip(tmp_path / "raw.avi", 30, codec="rawvideo", size=(320, 240))
    top = [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]
    with recorded(path, rotate=180, mask=[top]) as stream:
        wait_until_full(stream, 0.8)
        picture = stream.picture_at(time.monotonic())
        kept = stream.ring.since(0)

    assert picture is not None
    assert picture.size == (320, 240)
    assert np.ptp(picture.luma[:118]) <= 2
    assert len(np.unique(picture.luma[122:])) > 20
    assert {packet.coding.codec for packet in kept} == {"mjpeg"}
    assert all(np.ptp(luma[:118].astype(int)) <= 2 for _, luma in decoded(kept)), "masked in memory already"
    assert (len(kept) - 1) / (kept[-1].at - kept[0].at) < 16.5


def test_a_stream_that_is_joined_in_the_middle_and_changes_says_how_large_it_is(tmp_path: Path) -> None:
    """Nobody decodes it, so nobody else would notice."""
    units = [*access_units((320, 240), 40)[7:], *access_units((160, 120), 60)]
    path = mpegts(tmp_path / "a.ts", units)
    with recorded(path, repeat=False) as stream:
        wait_until_full(stream, 0.4)
        assert stream.status.size == (320, 240)
        deadline = time.monotonic() + 10
        while stream.status.size != (160, 120) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stream.status.size == (160, 120)
        time.sleep(0.3)
        picture = stream.picture_at(time.monotonic())

    assert picture is not None
    assert picture.size == (160, 120)
