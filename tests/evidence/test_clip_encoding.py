"""Clips that cannot stay as the camera coded them: other codecs, masks, blur, and smaller ones for the link."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from smartcam.camera.picture import DecodedPicture
from smartcam.config import Config
from smartcam.data import WHOLE, Box, Scene, Track
from smartcam.evidence import encode, recording, smaller
from smartcam.evidence.cover import Cover
from smartcam.evidence.encode import Kind, h264_encoder
from smartcam.evidence.smaller import NICE, smaller_wh, step_back
from tests.clips import bar_at
from tests.evidence.reels import WALL, Studio, config, event, ffprobe, h264, packets_of, pictures

SHORT = 'before = "1s", after = "1s"'
LEFT_HALF = "mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"


@pytest.fixture
def at() -> float:
    """A monotonic time from which a minute of packets lies in the past."""
    return time.monotonic() - 120.0


def one_clip(studio: Studio, video: Path, at: float, rotate: int = 0, *, annex_b: bool = False) -> Path:
    """Of an event from the second to the fourth second."""
    studio.film(packets_of(video, at, rotate=rotate, annex_b=annex_b))
    studio.happens(event(at + 2), at + 4)
    made = studio.the_clip()
    assert made.truncated == ""
    assert made.start == pytest.approx(WALL + at + 1, abs=0.45)
    assert made.end == pytest.approx(WALL + at + 5, abs=0.3)
    assert float(ffprobe(made.path)["format"]["duration"]) == pytest.approx(made.end - made.start, abs=0.05)
    return made.path


def codec(path: Path) -> str:
    return str(ffprobe(path)["streams"][0]["codec_name"])


def test_mjpeg_becomes_h264_that_shows_the_same_moments(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config(SHORT))
    film = one_clip(studio, h264(tmp_path, 8, codec="mjpeg", pixel_format="yuvj420p"), at)
    assert codec(film) == "h264"
    for shown_at, luma in pictures(film):
        expected = 4 * (25 + round(shown_at * 25)) % 160
        assert expected > 140 or abs(bar_at(luma) - expected) <= 2


def test_dark_and_bright_stay_as_they_are(tmp_path: Path, at: float) -> None:
    """JPEGs are of full range, H.264 is not: what is taken for the other is pale, or burnt out."""
    video = h264(tmp_path, 8, codec="mjpeg", pixel_format="yuvj420p")
    film = one_clip(Studio(tmp_path, config(SHORT)), video, at)
    assert rgb_of(film, 1.0).mean(axis=(0, 1)) == pytest.approx(rgb_of(video, 2.0).mean(axis=(0, 1)), abs=3)


def test_mjpeg_stays_where_the_rule_says_so(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config(SHORT + ', format = "original"'))
    assert codec(one_clip(studio, h264(tmp_path, 8, codec="mjpeg", pixel_format="yuvj420p"), at)) == "mjpeg"


def test_h265_becomes_h264_where_the_rule_says_so(tmp_path: Path, at: float) -> None:
    video = h264(tmp_path, 8, codec="libx265", options={"x265-params": "log-level=none:keyint=10"})
    assert codec(one_clip(Studio(tmp_path, config(SHORT + ', format = "h264"')), video, at)) == "h264"


def test_h264_is_never_touched_without_need(tmp_path: Path, at: float) -> None:
    video = h264(tmp_path, 8)
    film = one_clip(Studio(tmp_path, config(SHORT + ', format = "h264"')), video, at)
    key_frame = next(one.data for one in packets_of(video, 0.0) if one.is_key and one.at >= 0.8)
    assert key_frame in film.read_bytes()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_what_is_masked_is_grey_in_every_picture(tmp_path: Path, at: float, rotate: int) -> None:
    """Masks are drawn on the upright picture, and the film is upright in itself."""
    film = one_clip(Studio(tmp_path, config(SHORT, camera=LEFT_HALF)), h264(tmp_path, 8), at, rotate)
    stream = ffprobe(film)["streams"][0]
    assert (stream["width"], stream["height"]) == ((120, 160) if rotate in (90, 270) else (160, 120))
    shown = pictures(film)
    assert len(shown) >= 98
    for _, luma in shown:
        left, right = np.split(luma, [stream["width"] // 2], axis=1)
        assert abs(left.astype(int) - 128).max() < 16
        assert right.std() > 10


def test_a_part_that_grows_is_masked_too(tmp_path: Path, at: float) -> None:
    """Not a byte of the camera's own packets reaches the disk."""
    packets = packets_of(h264(tmp_path, 8), at)
    studio = Studio(tmp_path, config(SHORT, camera=LEFT_HALF))
    studio.film(packets)
    studio.tell(event(at + 2))
    studio.the_clip()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "media").rglob("*") if path.is_file())
    assert not any(packet.data[-64:] in kept for packet in packets if len(packet.data) >= 64)


def scene(at: float, *boxes: tuple[str, tuple[float, float, float, float]]) -> Scene:
    tracks = [Track(n, label, box, 0.9, at, at, 5, confirmed=True) for n, (label, box) in enumerate(boxes)]
    return Scene("front", at, at, tuple(tracks), looked=True, frame=None)


def followed(settings: Config, at: float, *boxes: tuple[str, tuple[float, float, float, float]]) -> Cover:
    """Somebody looked ten times a second, and saw these."""
    cover = Cover(settings)
    for n in range(100):
        cover.on_scene(scene(at + n / 10, *boxes))
    return cover


def test_what_a_rule_blurs_is_blurred_and_the_rest_is_not(tmp_path: Path, at: float) -> None:
    settings = config(SHORT, rule='blur = ["person"]')
    cover = followed(settings, at, ("person", (0.1, 0.1, 0.5, 0.9)), ("car", (0.7, 0.1, 0.9, 0.9)))
    film = one_clip(Studio(tmp_path, settings, cover=cover), stripes(tmp_path), at)
    for _, luma in pictures(film)[5:]:
        assert luma[20:100, 20:76].std() < 40
        assert luma[20:100, 120:140].std() > 60


def test_where_nobody_looked_all_of_it_is_blurred(tmp_path: Path, at: float) -> None:
    settings = config(SHORT, rule='blur = ["person"]')
    film = one_clip(Studio(tmp_path, settings, cover=Cover(settings)), stripes(tmp_path), at)
    for _, luma in pictures(film)[5:]:
        assert luma.std() < 40


@dataclass
class Watch:
    """Somebody who has looked until a moment, and finds out later what was there all the time."""

    settled: float
    seen: list[Box] = field(default_factory=list)

    def settled_until(self, _camera: str, /) -> float:
        return self.settled

    def boxes_at(self, _camera: str, _at: float, _labels: Collection[str] | None, /) -> list[Box]:
        return self.seen


def test_what_is_not_settled_yet_is_waited_for(tmp_path: Path) -> None:
    """A thing that the next look will find must not be shown before."""
    at = time.monotonic() - 8.0
    watch = Watch(settled=at + 3.0)
    studio = Studio(tmp_path, config('before = "1s", after = "2s"', rule='blur = ["person"]'), cover=watch)
    studio.film(packets_of(stripes(tmp_path), at))
    studio.tell(event(at + 2))
    turns = iter(range(3))

    def alive() -> bool:
        if (turn := next(turns, None)) == 2:
            watch.seen, watch.settled = [WHOLE], at + 100
        return turn is not None

    studio.clips.run(alive)
    [(_, made)] = studio.made
    blurred = [shown_at + made.start - WALL - at > 3.0 for shown_at, luma in pictures(made.path) if luma.std() < 40]
    assert len(blurred) > 100
    assert blurred.count(False) <= 25  # What the decoder held back at that moment.


def test_a_shut_down_shows_nothing_that_nobody_has_judged(tmp_path: Path) -> None:
    at = time.monotonic() - 8.0
    studio = Studio(tmp_path, config(SHORT, rule='blur = ["person"]'), cover=Watch(settled=at + 3.0))
    studio.film(packets_of(stripes(tmp_path), at))
    studio.happens(event(at + 2), at + 4)
    made = studio.the_clip()
    assert made.truncated == "smartcam was stopped"
    assert made.end <= WALL + at + 3.0 + 0.2


def test_the_smaller_one_is_made_after_the_event(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config(SHORT + ', size = "64"'))
    studio.film(packets_of(h264(tmp_path, 8), at, rotate=90))
    studio.happens(event(at + 2), at + 4)
    until = time.monotonic() + 20.0
    studio.clips.run(lambda: not studio.made and time.monotonic() < until)
    [(_, made)] = studio.made
    assert made.small
    assert (made.path.name, made.small.path.name) == ("clip.mp4", "clip-64.mp4")
    assert sorted(path.name for path in made.path.parent.iterdir()) == ["clip-64.mp4", "clip.mp4"]
    told = ffprobe(made.small.path)
    assert (told["streams"][0]["width"], told["streams"][0]["height"]) == (64, 48)
    assert told["streams"][0]["side_data_list"][0]["rotation"] == -90
    assert (made.small.start, made.small.end) == pytest.approx((made.start, made.end), abs=0.05)
    assert len(pictures(made.small.path)) == len(pictures(made.path))


@pytest.mark.parametrize(
    ("rule", "link", "sent"), [("", 64, 64), (', size = "128"', 64, 64), (', size = "64"', 128, 64)]
)
def test_a_smaller_one_is_sent_where_the_link_lags_behind(
    tmp_path: Path, at: float, rule: str, link: int, sent: int
) -> None:
    studio = Studio(tmp_path, config(SHORT + rule), link_size=link)
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 4)
    until = time.monotonic() + 20.0
    studio.clips.run(lambda: not studio.made and time.monotonic() < until)
    [(_, made)] = studio.made
    assert made.small
    assert made.small.path.name == f"clip-{sent}.mp4"


def test_a_stop_does_not_wait_for_the_smaller_one(tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smaller, "step_back", lambda: None)
    studio = Studio(tmp_path, config(SHORT + ', size = "64"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 4)
    made = studio.the_clip()
    assert made.path.exists()
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_small_already_stays(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config(SHORT + ', size = "640"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 4)
    assert studio.the_clip().small is None


def test_smaller_films_keep_their_shape_and_even_sides() -> None:
    assert smaller_wh((1920, 1080), 640) == (640, 360)
    assert smaller_wh((1080, 1920), 640) == (360, 640)
    assert smaller_wh((320, 240), 640) == (320, 240)
    assert smaller_wh((4000, 2), 64) == (64, 2)


def test_only_the_thread_that_makes_smaller_films_steps_back() -> None:
    found: list[int] = []

    def work() -> None:
        step_back()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [NICE]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < NICE


def test_an_encoder_that_does_not_keep_up_ends_the_clip(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds no more than its share of memory, and says why."""
    monkeypatch.setattr(recording, "MOST_HELD_BYTES", 10_000)
    studio = Studio(tmp_path, config(SHORT, camera=LEFT_HALF))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 7)
    made = studio.the_clip()
    assert made.truncated == "encoding it takes too long on this machine"
    assert pictures(made.path)


def test_the_encoder_is_one_that_works_here() -> None:
    assert h264_encoder().name in (*encode.HARDWARE, *encode.SOFTWARE)
    assert not encode._works(Kind("no_such_encoder", "yuv420p"), (640, 360))


def test_without_an_encoder_nothing_hidden_is_shown(tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be seen stays as the camera coded it."""
    monkeypatch.setattr(encode, "SOFTWARE", ())
    monkeypatch.setattr(encode, "HARDWARE", ())
    h264_encoder.cache_clear()
    try:
        hidden, plain = (Studio(tmp_path / name, config(SHORT, camera=LEFT_HALF * (name == "a"))) for name in "ab")
        for studio, codec_ in ((hidden, "libx264"), (plain, "mjpeg")):
            studio.folder.mkdir()
            layout = "yuvj420p" if codec_ == "mjpeg" else "yuv420p"
            studio.film(packets_of(h264(tmp_path, 8, codec=codec_, pixel_format=layout), at))
            studio.happens(event(at + 2), at + 4)
            studio.work()
    finally:
        h264_encoder.cache_clear()
    assert (hidden.made, hidden.clips.dropped) == ([], 1)
    assert "there is no H.264 encoder here" in hidden.clips.trouble
    assert [clip.codec for _, clip in plain.made] == ["mjpeg"]


def stripes(folder: Path) -> Path:
    """Eight seconds of black and white stripes, four pixels wide."""
    path = folder / "stripes.mp4"
    across = (np.arange(160) // 4 % 2 * 255).astype(np.uint8)
    picture = np.repeat(np.repeat(across[None, :, None], 120, axis=0), 3, axis=2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(200):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def rgb_of(path: Path, at: float) -> NDArray[np.uint8]:
    """The picture at this second, as a player shows it."""
    with av.open(str(path)) as container:
        frame = next(frame for frame in container.decode(video=0) if (frame.time or 0.0) >= at - 1e-3)
        return DecodedPicture(frame).rgb()
