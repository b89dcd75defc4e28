import logging
from pathlib import Path

import av
import numpy as np
import pytest

from smartcam.camera.recording import read_picture, recording
from smartcam.errors import SmartcamError
from tests.clips import FPS, bar_at, clip, drawing, picture


def test_a_recording_gives_every_frame_the_same_each_time(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 30, options={"bf": "2"})

    first, second = (
        [(frame.seq, frame.at, frame.wall, frame.picture.rgb().tobytes()) for frame in recording(path, "a", 1e9)]
        for _ in range(2)
    )

    assert first == second
    assert [seq for seq, *_ in first] == list(range(30))
    assert [at for _, at, *_ in first] == pytest.approx([n / FPS for n in range(30)], abs=1e-3)
    assert all(wall == 1e9 + at for _, at, wall, _ in first)


def test_a_folder_is_a_recording_of_a_picture_a_second(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"{n}.png", n)

    seen = list(recording(tmp_path, "a", 0.0))

    assert [(frame.at, bar_at(frame.picture.luma)) for frame in seen] == [(0.0, 0), (1.0, 4), (2.0, 8)]


def test_a_recording_is_turned(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 1)

    assert next(recording(path, "a", 0.0, rotate=270)).picture.size == (120, 160)


@pytest.mark.parametrize("source", ["missing.mp4", "rtsp://cam/stream", "exec:cat x", "exec:", "/dev/null"])
def test_what_is_no_recording_is_refused(source: str) -> None:
    with pytest.raises(SmartcamError, match=r"no such file|not a recording") as caught:
        next(recording(Path(source), "a", 0.0))

    assert caught.value.exit_code == 1


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("no video")

    with pytest.raises(SmartcamError, match="no video, or damaged") as caught:
        next(recording(path, "a", 0.0))

    assert caught.value.exit_code == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_file_cut_short_gives_what_it_has_and_a_warning(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = tmp_path / name
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(75):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawing(n), "rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    seen = list(recording(path, "a", 0.0))

    assert 5 < len(seen) < 70
    assert "cut short" in caplog.text or "breaks off" in caplog.text
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


def test_a_whole_file_gives_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(recording(clip(tmp_path / "a.mkv", 40), "a", 0.0))

    assert not caplog.records


@pytest.mark.parametrize("suffix", ["bmp", "png", "jpg"])
def test_a_picture_is_read(suffix: str, tmp_path: Path) -> None:
    path = picture(tmp_path / f"a.{suffix}", 5)

    seen = read_picture(path)

    assert seen.size == (160, 120)
    assert np.abs(seen.rgb().astype(int) - drawing(5)).mean() < 3


def test_exif_orientation_turns_a_picture(tmp_path: Path) -> None:
    """6: the camera was held so that the picture must be turned by 90 degrees, clockwise."""
    plain = picture(tmp_path / "plain.jpg", 0).read_bytes()
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(plain[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + plain[2:])

    seen = read_picture(path)

    assert seen.size == (120, 160)
    assert seen.luma[:12].mean() > 225, "its left side, where the bar is, is on top"


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SmartcamError, match=r"a\.png: (no such file|not a picture)") as caught:
        read_picture(path)

    assert caught.value.exit_code == 1
