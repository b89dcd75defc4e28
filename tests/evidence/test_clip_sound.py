"""What is heard in a clip, where a rule asks for it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from smartcam.data import Coding
from smartcam.evidence.sound import Sound
from tests.evidence.reels import TONE_HZ, Studio, config, event, ffprobe, h264, packets_of, together, tone

SECONDS = 8


def loud_from(path: Path) -> tuple[float, float]:
    """When it becomes loud, and how high the tone is then."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        frames = [(frame.time or 0.0, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    wave = np.concatenate([samples for _, samples in frames])
    loud = np.flatnonzero(np.abs(wave) > 0.2)
    crossings = np.count_nonzero(np.diff(np.signbit(wave[loud[0] : loud[0] + rate // 2])))
    return frames[0][0] + loud[0] / rate, float(crossings)


@pytest.mark.parametrize(("codec", "rate"), [("aac", 48000), ("pcm_alaw", 8000), ("pcm_mulaw", 16000)])
@pytest.mark.parametrize("camera", ["", "mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"], ids=["as it is", "masked"])
def test_sound_is_heard_with_its_pictures(tmp_path: Path, codec: str, rate: int, camera: str) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "2s", audio = true', camera=camera))
    studio.film(together(packets_of(h264(tmp_path, SECONDS, options={"bf": "0"}), at), tone(codec, rate, at)))
    studio.happens(event(at + 2), at + 4)
    made = studio.the_clip()
    pictures, sound = ffprobe(made.path)["streams"]
    assert (pictures["codec_name"], sound["codec_name"], sound["sample_rate"]) == ("h264", "aac", str(rate))
    begins = made.start - studio.made[0][0].start + 2
    heard_at, pitch = loud_from(made.path)
    assert begins + heard_at == pytest.approx(3.0, abs=0.2)
    assert pitch == pytest.approx(TONE_HZ, rel=0.05)


def test_sound_is_heard_from_the_first_picture_on_where_an_encoder_holds_that_back(tmp_path: Path) -> None:
    at = time.monotonic() - 60
    masked = "mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"
    studio = Studio(tmp_path, config('before = "1s", after = "2s", audio = true', camera=masked))
    studio.film(together(packets_of(h264(tmp_path, SECONDS, options={"bf": "0"}), at), tone("aac", 48000, at)))
    studio.happens(event(at + 2), at + 4)
    with av.open(str(studio.the_clip().path)) as container:
        first = next(packet for packet in container.demux(audio=0) if packet.size)
        assert first.pts is not None
        assert first.pts / 48000 < 0.1


def test_a_smaller_clip_is_heard_too(tmp_path: Path) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "2s", audio = true, size = "64"'))
    studio.film(together(packets_of(h264(tmp_path, SECONDS, options={"bf": "0"}), at), tone("aac", 48000, at)))
    studio.happens(event(at + 2), at + 4)
    until = time.monotonic() + 20.0
    studio.clips.run(lambda: not studio.made and time.monotonic() < until)
    [(_, made)] = studio.made
    assert made.small
    assert [stream["codec_name"] for stream in ffprobe(made.small.path)["streams"]] == ["h264", "aac"]
    assert loud_from(made.small.path) == pytest.approx(loud_from(made.path), abs=0.05)


def test_sound_is_left_out_where_no_rule_asks_for_it(tmp_path: Path) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "2s"'))
    studio.film(together(packets_of(h264(tmp_path, SECONDS), at), tone("aac", 48000, at)))
    studio.happens(event(at + 2), at + 4)
    assert [stream["codec_name"] for stream in ffprobe(studio.the_clip().path)["streams"]] == ["h264"]


def test_a_camera_without_a_microphone_has_a_silent_clip(tmp_path: Path) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "2s", audio = true'))
    studio.film(packets_of(h264(tmp_path, SECONDS), at))
    studio.happens(event(at + 2), at + 4)
    assert [stream["codec_name"] for stream in ffprobe(studio.the_clip().path)["streams"]] == ["h264"]


def test_sound_that_stops_and_goes_on_keeps_its_place() -> None:
    pieces = tone("aac", 48000, 0.0)
    sound = Sound(pieces[0].coding, 0.0)
    ticks = [tick for piece in pieces[:10] + pieces[100:110] for _, tick in sound.add(piece)]
    assert ticks == sorted(set(ticks))
    assert ticks[-1] / 48000 == pytest.approx(pieces[109].at, abs=0.2)


@pytest.mark.parametrize("coding", [Coding("pcm_alaw", (7000, 1)), Coding("no_such_codec", (8000, 1))])
def test_sound_that_no_film_can_hold_costs_no_pictures(tmp_path: Path, coding: Coding) -> None:
    at = time.monotonic() - 60
    studio = Studio(tmp_path, config('before = "1s", after = "2s", audio = true'))
    heard = [replace(one, coding=coding) for one in tone("pcm_alaw", 8000, at)]
    studio.film(together(packets_of(h264(tmp_path, SECONDS), at), heard))
    studio.happens(event(at + 2), at + 4)
    assert [stream["codec_name"] for stream in ffprobe(studio.the_clip().path)["streams"]] == ["h264"]
