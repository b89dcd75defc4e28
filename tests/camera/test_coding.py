"""How a stream is coded is known from its key frames, wherever it was joined and whatever becomes of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import pytest

from smartcam.camera.coding import form_of
from tests.camera.tapped import decoded
from tests.camera.units import access_units, mpegts, tapped
from tests.clips import picture


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_stream_that_is_joined_in_the_middle_begins_at_its_key_frame_and_has_its_size(
    codec: str, tmp_path: Path
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    joined = mpegts(tmp_path / "a.ts", access_units((320, 240), 40, codec)[7:], codec)
    tap = tapped(joined)

    packets = tap.ring.since(0)
    [coding] = {id(packet.coding): packet.coding for packet in packets}.values()
    assert packets[0].is_key
    assert (coding.size, coding.pixel_format, tap.size) == ((320, 240), "yuv420p", (320, 240))
    assert len(decoded(packets)) == len(packets) == 30


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_another_size_in_the_middle_of_a_stream_begins_another_coding(codec: str, tmp_path: Path) -> None:
    """And the former one again, which is what the stream was opened with."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    large, small = access_units((320, 240), 20, codec), access_units((160, 120), 20, codec)
    packets = tapped(mpegts(tmp_path / "a.ts", [*large, *small, *large], codec)).ring.since(0)

    codings = [list(own) for _, own in itertools.groupby(packets, lambda packet: packet.coding)]
    assert [(own[0].coding.size, own[0].is_key, len(own)) for own in codings] == [
        ((320, 240), True, 20),
        ((160, 120), True, 20),
        ((320, 240), True, 20),
    ]
    assert codings[0][0].coding == codings[2][0].coding
    assert [luma.shape for _, luma in decoded(codings[1])] == [(120, 160)] * 20


def test_a_stream_that_says_the_same_at_each_key_frame_has_one_coding(tmp_path: Path) -> None:
    """Also where it begins again: a clip goes on over a reconnection."""
    path = mpegts(tmp_path / "a.ts", access_units((320, 240), 40))
    packets = tapped(path, path).ring.since(0)

    assert len(packets) == 80
    assert len({id(packet.coding) for packet in packets}) == 2
    assert len({packet.coding for packet in packets}) == 1


def test_a_jpeg_of_another_size_begins_another_coding(tmp_path: Path) -> None:
    sizes = [(160, 120), (160, 120), (320, 240)]
    jpegs = [picture(tmp_path / f"{n}.jpg", n, size).read_bytes() for n, size in enumerate(sizes)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    packets = tapped(tmp_path / "a.mjpeg").ring.since(0)

    assert [packet.coding.size for packet in packets] == sizes
    assert packets[0].coding is packets[1].coding


def test_a_stream_without_parameter_sets_has_its_size_too(tmp_path: Path) -> None:
    joined = mpegts(tmp_path / "a.ts", access_units((320, 240), 30, "mpeg4")[7:], "mpeg4")
    packets = tapped(joined).ring.since(0)

    assert [packet.coding.size for packet in packets] == [(320, 240)] * 20


def test_a_damaged_key_frame_of_unknown_size_is_not_kept(tmp_path: Path) -> None:
    units = access_units((320, 240), 30)
    joined = [(data[:12] if n == 10 else data, is_key) for n, (data, is_key) in enumerate(units)][7:]
    packets = tapped(mpegts(tmp_path / "a.ts", joined)).ring.since(0)

    assert [packet.coding.size for packet in packets] == [(320, 240)] * 10


def test_only_what_comes_before_the_picture_is_read() -> None:
    """A start code in the picture's own data does not count, and damage ends nowhere."""
    sets = b"\0\0\0\x01\x67abc\0\0\0\x01\x68de"
    assert form_of("h264", sets) == (b"\x67abc", b"\x68de")
    assert form_of("h264", sets + b"\0\0\x01\x65picture\0\0\x01\x67other") == (b"\x67abc", b"\x68de")
    for codec in ("h264", "hevc", "mjpeg", "vp8"):
        assert form_of(codec, b"") == form_of(codec, b"\0\0\x01") == form_of(codec, b"\xff\xd8\xff\xe0") == ()
