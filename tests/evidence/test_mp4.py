"""Fragmented MP4: whole up to its last fragment wherever it was cut, and played by whatever plays films."""

from __future__ import annotations

import io
import os
import random
from dataclasses import replace
from pathlib import Path

import av
import pytest

from smartcam.data import Coding, Packet
from smartcam.evidence import footage
from smartcam.evidence.boxes import SCALE, box, header
from smartcam.evidence.footage import Footage
from smartcam.evidence.mp4 import Film, salvage, stored, whole_fragments
from tests.clips import SIZE, bar_at
from tests.evidence.reels import ffprobe, h264, packets_of, pictures

AT = 500.0


def filmed(packets: list[Packet], path: Path) -> Path:
    with Footage(path) as footage:
        for packet in packets:
            footage.add(packet)
        footage.end()
    return path


def moving(path: Path, count: int) -> bool:
    """Whether these are the pictures of `tests.clips`, in their order and at their times."""
    shown = pictures(path)
    return len(shown) == count and all(
        abs(at - n / 25) < 0.001 and abs(bar_at(luma) - 4 * n % 160) <= 1
        for n, (at, luma) in enumerate(shown)
        if 4 * n % 160 <= 140
    )


@pytest.mark.parametrize("annex_b", [False, True], ids=["of files", "as cameras send it"])
@pytest.mark.parametrize(
    "options", [{"preset": "ultrafast"}, {"x264-params": "8x8dct=0"}, {}], ids=["baseline", "main", "high"]
)
def test_h264_plays(tmp_path: Path, annex_b: bool, options: dict[str, str]) -> None:
    """With B-frames too, whose packets come in another order than their pictures."""
    packets = packets_of(h264(tmp_path, 3, options=options), AT, annex_b=annex_b)
    told = ffprobe(film := filmed(packets, tmp_path / "film.mp4"))
    [stream] = told["streams"]
    assert (stream["codec_name"], stream["codec_tag_string"], stream["nb_read_frames"]) == ("h264", "avc1", "75")
    assert (float(told["format"]["start_time"]), float(told["format"]["duration"])) == pytest.approx((0.0, 3.0))
    assert moving(film, 75)


@pytest.mark.parametrize("container", ["mp4", "ts"], ids=["of files", "as cameras send it"])
def test_h265_plays(tmp_path: Path, container: str) -> None:
    video = tmp_path / f"video.{container}"
    h264(tmp_path, 2, codec="libx265", options={"x265-params": "log-level=none:keyint=25"}).rename(tmp_path / "v.mp4")
    remuxed(tmp_path / "v.mp4", video)
    told = ffprobe(film := filmed(packets_of(video, AT), tmp_path / "film.mp4"))
    [stream] = told["streams"]
    assert (stream["codec_name"], stream["codec_tag_string"], stream["nb_read_frames"]) == ("hevc", "hvc1", "50")
    assert moving(film, 50)


def test_mjpeg_plays(tmp_path: Path) -> None:
    packets = packets_of(h264(tmp_path, 1, codec="mjpeg", pixel_format="yuvj420p"), AT)
    assert moving(filmed(packets, tmp_path / "film.mp4"), 25)


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_a_camera_that_hangs_askew_plays_upright(tmp_path: Path, rotate: int) -> None:
    film = filmed(packets_of(h264(tmp_path, 1), AT, rotate=rotate), tmp_path / "film.mp4")
    [data] = ffprobe(film)["streams"][0]["side_data_list"]
    # FFmpeg counts anticlockwise, from -180 to 180.
    assert data["rotation"] == {90: -90, 180: -180, 270: 90}[rotate]


def test_what_is_in_no_mp4_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"^rawvideo cannot be kept as it is$"):
        stored(Coding("rawvideo", SIZE), b"")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("first", [b"", b"\0\0\1", b"\0\0\1\x65abc", b"\0\0\1\x40\1\0\0\1\x42\1\0\0\1\x44\1"])
def test_a_stream_without_sound_parameter_sets_is_refused(codec: str, first: bytes) -> None:
    """What a camera sends may be anything."""
    with pytest.raises(ValueError, match="parameter sets"):
        stored(Coding(codec, SIZE), first)


def test_a_film_that_is_cut_anywhere_plays_to_its_last_whole_fragment(tmp_path: Path) -> None:
    """58 of 60: a cut in the first second leaves nothing."""
    video = h264(tmp_path, 12, options={"bf": "0"})
    slow = [replace(one, at=one.at * 5, decode_at=one.decode_at * 5) for one in packets_of(video, AT)]
    whole = filmed(slow, tmp_path / "film.mp4").read_bytes()
    assert whole.count(b"moof") == 60
    chance, played = random.Random(0), 0
    for _ in range(60):
        part = tmp_path / "clip.mp4.part"
        part.write_bytes(whole[: chance.randrange(len(whole))])
        if not salvage(part):
            continue
        left = part.read_bytes()
        assert whole.startswith(left)
        assert number_of_pictures(part) == left.count(b"moof") * 5
        played += 1
    assert played >= 58


def test_a_film_that_grows_is_whole_at_every_second(tmp_path: Path) -> None:
    packets = packets_of(h264(tmp_path, 5, options={"bf": "0"}), AT)
    with Footage(tmp_path / "clip.mp4.part") as footage:
        for n, packet in enumerate(packets):
            footage.add(packet)
            with footage.part.open("rb") as file:
                assert whole_fragments(file) == (footage.part.stat().st_size if n >= 25 else 0)
            if n in (25, 99, 100):
                assert number_of_pictures(footage.part) == n // 25 * 25


def test_a_film_that_grows_is_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a power cut would cost all of it: the system writes when it likes to."""
    force, forced = os.fdatasync, list[int]()

    def noted(file: int) -> None:
        force(file)
        forced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fdatasync", noted)
    monkeypatch.setattr(footage, "SYNC_S", 0.0)
    with Footage(tmp_path / "clip.mp4.part") as film:
        for packet in packets_of(h264(tmp_path, 3, options={"bf": "0"}), AT):
            film.add(packet)
        assert forced[-1] == film.part.stat().st_size > forced[0]


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", box(b"free"), box(b"mdat", b"x"), b"\0\0\0\0moov"])
def test_what_is_no_film_holds_nothing_that_plays(tmp_path: Path, data: bytes) -> None:
    part = tmp_path / "clip.mp4.part"
    part.write_bytes(data)
    assert not salvage(part)
    assert part.read_bytes() == data


def test_the_header_is_as_long_whatever_the_film_lasts() -> None:
    track = stored(Coding("mjpeg", SIZE), b"").track
    assert len(header(track, None, 0)) == len(header(track, None, 3600 * SCALE))


def test_times_that_stand_still_or_go_back_still_make_a_film(tmp_path: Path) -> None:
    packets = packets_of(h264(tmp_path, 2, options={"bf": "0"}), AT)
    jumpy = [
        replace(one, at=one.at - back_s, decode_at=one.decode_at - back_s)
        for n, one in enumerate(packets)
        for back_s in [0.2 if n % 7 == 3 else 0.0]
    ]
    film = filmed(jumpy, tmp_path / "film.mp4")
    assert len(pictures(film)) == 50
    with av.open(str(film)) as container:
        times = [packet.dts for packet in container.demux(video=0) if packet.dts is not None]
    assert times == sorted(set(times))
    ffprobe(film)


def test_a_film_says_which_pictures_may_be_begun_with(tmp_path: Path) -> None:
    """So that one can jump into the middle of it."""
    film = filmed(packets_of(h264(tmp_path, 2), AT), tmp_path / "film.mp4")
    with av.open(str(film)) as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]
    assert keys == [n * SCALE * 10 // 25 for n in range(5)]


def test_a_file_that_takes_little_at_a_time_gets_all_of_it() -> None:
    class Narrow(io.BytesIO):
        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            return super().write(data[:100])

    pictures_ = stored(Coding("mjpeg", SIZE), b"")
    film = Film(narrow := Narrow(), pictures_)
    film.begin()
    assert narrow.getvalue() == header(pictures_.track, None, 0)


def number_of_pictures(path: Path) -> int:
    """How many can be decoded."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def remuxed(source: Path, target: Path) -> None:
    """The same packets in another container."""
    if source.suffix == target.suffix:
        source.rename(target)
        return
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
