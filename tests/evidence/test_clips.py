"""Which packets an event's clip is made of, and what becomes of it."""

from __future__ import annotations

import hashlib
import stat
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from smartcam.camera.ring import Ring
from smartcam.config import parse
from smartcam.evidence.clips import audio_wanted, seconds_wanted
from smartcam.evidence.wanting import MARGIN_S
from smartcam.workers import Worker
from tests.clips import bar_at
from tests.evidence.reels import WALL, Studio, config, ended, event, ffprobe, h264, packets_of, pictures


@pytest.fixture
def at() -> float:
    """A monotonic time from which a minute of packets lies in the past."""
    return time.monotonic() - 120.0


def test_a_clip_covers_its_event(tmp_path: Path, at: float) -> None:
    """From before the first that was seen of it until after its end; the times are those of the wall."""
    studio = Studio(tmp_path, config('before = "2s", after = "3s"'))
    studio.film(packets_of(h264(tmp_path, 20), at))
    studio.happens(event(at + 6, first_at=at + 5), at + 9)
    made = studio.the_clip()
    assert made.start <= WALL + at + 3 < made.start + 0.4 + 1e-3
    assert WALL + at + 12 <= made.end + 0.05
    assert made.end == pytest.approx(WALL + at + 12, abs=0.3)
    assert made.truncated == ""
    told = ffprobe(made.path)["format"]
    assert float(told["start_time"]) == 0.0
    assert float(told["duration"]) == pytest.approx(made.end - made.start, abs=0.01)


def test_it_shows_the_very_moments_that_it_says(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 6), at))
    studio.happens(event(at + 2), at + 3)
    made = studio.the_clip()
    shown = pictures(made.path)
    assert bar_at(shown[0][1]) == 4 * round((made.start - WALL - at) * 25) % 160
    assert len(shown) == pytest.approx((made.end - made.start) * 25, abs=1)


def test_it_begins_with_a_key_frame_where_the_camera_came_too_late(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "5s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 4), at)[3:])
    studio.happens(event(at + 1), at + 2)
    made = studio.the_clip()
    assert made.start == pytest.approx(WALL + at + 0.4, abs=1e-3)
    assert len(pictures(made.path)) >= 60


def test_the_file_is_there_before_anybody_is_told_and_is_the_owners(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 5), at + 6)
    made = studio.the_clip()
    assert made.path == tmp_path / "media" / "E1" / "clip.mp4"
    assert list(made.path.parent.iterdir()) == [made.path]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert hashlib.sha256(made.path.read_bytes()).hexdigest() == made.sha256
    assert made.path.stat().st_size == made.bytes
    assert made.codec == "h264"


def test_an_event_that_goes_on_is_shown_for_as_long_as_the_rule_says(tmp_path: Path, at: float) -> None:
    """And delivered while it goes on."""
    studio = Studio(tmp_path, config('before = "1s", at_most = "4s"'))
    studio.film(packets_of(h264(tmp_path, 20), at))
    studio.tell(event(at + 5))
    made = studio.the_clip()
    assert made.start == pytest.approx(WALL + at + 4, abs=0.4)
    assert made.end == pytest.approx(WALL + at + 8, abs=0.3)
    assert made.truncated == ""
    assert [told.phase for told, _ in studio.made] == ["start"]


def test_a_thing_that_came_long_ago_leaves_room_for_what_the_rule_fired_at(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "2s", at_most = "6s"'))
    studio.film(packets_of(h264(tmp_path, 20), at))
    studio.happens(event(at + 15, first_at=at + 1), at + 15)
    made = studio.the_clip()
    assert made.start == pytest.approx(WALL + at + 11, abs=0.4)
    assert made.end == pytest.approx(WALL + at + 17, abs=0.3)


def test_an_event_of_one_message_has_a_clip_too(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.tell(replace(ended(event(at + 3), at + 3), seq=1, tracks=()))
    assert studio.the_clip().end == pytest.approx(WALL + at + 4, abs=0.3)


def test_only_rules_that_ask_for_it_get_one(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config())
    studio.film(packets_of(h264(tmp_path, 4), at))
    studio.tell(replace(event(at + 1), evidence=("snapshot",)), replace(event(at + 2), rule="other"))
    studio.tell(replace(event(at + 2), phase="update", seq=7), ended(event(at + 2), at + 3, seq=8))
    studio.work()
    assert (studio.made, studio.clips.dropped, (tmp_path / "media").exists()) == ([], 0, False)


def test_overlapping_events_share_the_packets(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 10), at))
    studio.happens(event(at + 3), at + 5)
    studio.happens(event(at + 4, id_="E2"), at + 6)
    studio.work()
    spans = {told.id: (clip.start - WALL - at, clip.end - WALL - at) for told, clip in studio.made}
    assert spans["E1"] == pytest.approx((2.0, 6.0), abs=0.4)
    assert spans["E2"] == pytest.approx((3.0, 7.0), abs=0.4)


def test_a_camera_that_comes_back_goes_on_in_the_same_film(tmp_path: Path, at: float) -> None:
    """The picture stands while it is away."""
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    video = h264(tmp_path, 4)
    studio.film(packets_of(video, at))
    studio.ring.cut()
    studio.film(packets_of(video, at + 6, seq=500))
    studio.happens(event(at + 2), at + 8)
    made = studio.the_clip()
    assert made.end - made.start == pytest.approx(8.0, abs=0.5)
    times = [shown_at for shown_at, _ in pictures(made.path)]
    assert max(later - one for one, later in pairwise(times)) == pytest.approx(2.0, abs=0.3)
    assert ffprobe(made.path)["streams"][0]["codec_name"] == "h264"


def test_a_stream_that_changes_ends_the_clip_and_it_says_so(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 4), at))
    studio.ring.cut()
    studio.film(packets_of(h264(tmp_path, 4, size=(320, 240)), at + 4, seq=500))
    studio.happens(event(at + 2), at + 6)
    made = studio.the_clip()
    assert made.truncated == "the camera's stream changed"
    assert made.end == pytest.approx(WALL + at + 4, abs=0.3)
    assert "the camera's stream changed" in studio.clips.trouble


def test_packets_that_are_lost_show_nothing_until_the_next_key_frame(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    packets = packets_of(h264(tmp_path, 6, options={"bf": "0"}), at)
    studio.film(packets[:52] + packets[55:])
    studio.happens(event(at + 2), at + 4)
    shown = [round(shown_at * 25) for shown_at, _ in pictures(studio.the_clip().path)]
    assert len(shown) == shown[-1] + 1 - 8


def test_a_beginning_that_the_ring_could_not_give_is_told(tmp_path: Path, at: float) -> None:
    """Its bytes ran out."""
    packets = packets_of(h264(tmp_path, 15), at)
    studio = Studio(tmp_path, config('before = "10s", after = "1s"'))
    studio.ring = Ring(max_s=3600.0, max_bytes=sum(len(packet.data) for packet in packets) // 4)
    studio.film(packets)
    studio.happens(event(at + 13), at + 13)
    made = studio.the_clip()
    assert made.truncated == f"its first {made.start - WALL - at - 3:.0f} s are missing"
    assert made.truncated in studio.clips.trouble


@pytest.mark.parametrize(("missing", "first_s"), [(0, 2.0), (20, -30.0)], ids=["began", "stood there"])
def test_what_the_ring_need_not_give_is_not_told(tmp_path: Path, at: float, missing: int, first_s: float) -> None:
    """Of a camera that was not there yet, and of a thing that came long before its rule fired."""
    studio = Studio(tmp_path, config('before = "5s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 10), at)[missing:])
    fires_at = at + (6 if missing else 2)
    studio.happens(event(fires_at, first_at=at + first_s), fires_at)
    assert studio.the_clip().truncated == ""


@pytest.mark.parametrize("seq", [175, 100], ids=["lost", "the camera was away"])
def test_a_hole_in_a_clip_is_told(tmp_path: Path, at: float, seq: int) -> None:
    packets = packets_of(h264(tmp_path, 10), at)
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets[:100])
    studio.ring.cut()
    back = replace(packets[0].coding)
    studio.film([replace(packet, seq=seq + n, coding=back) for n, packet in enumerate(packets[180:])])
    studio.happens(event(at + 2), at + 8)
    assert studio.the_clip().truncated == "3 s in its middle are missing"


def test_pictures_that_lean_on_what_is_not_there_are_left_out(tmp_path: Path, at: float) -> None:
    """H.265 may code pictures after a key frame that are shown before it, and need the one before that as well."""
    open_groups = {"x265-params": "log-level=none:keyint=10:min-keyint=10:open-gop=1:scenecut=0:bframes=4"}
    packets = packets_of(h264(tmp_path, 4, codec="libx265", options=open_groups), at)
    second = [n for n, packet in enumerate(packets) if packet.is_key][1]
    key = packets[second]
    assert any(packet.at < key.at for packet in packets[second:])
    studio = Studio(tmp_path, config('before = "2s", after = "1s"'))
    studio.film(packets[second:])
    studio.happens(event(at + 2), at + 2.5)
    made = studio.the_clip()
    assert made.start == pytest.approx(WALL + key.at, abs=1e-3)
    for n, (shown_at, luma) in enumerate(pictures(made.path)[:-5]):  # At its end some wait for what is cut off.
        assert shown_at == pytest.approx(n / 25, abs=1e-3)
        expected = 4 * (round((key.at - at) * 25) + n) % 160
        assert expected > 140 or abs(bar_at(luma) - expected) <= 2
    stream = ffprobe(made.path)["streams"][0]
    assert stream["nb_read_frames"] == stream["nb_read_packets"]


def test_what_comes_late_is_taken_too(tmp_path: Path) -> None:
    """Live: packets come while the clip is being made, and the file grows."""
    at = time.monotonic() - 2.0
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    packets = packets_of(h264(tmp_path, 6, options={"bf": "0"}), at)
    part, sizes = tmp_path / "media" / "E1" / "clip.mp4.part", set[int]()
    with Worker("clips", studio.clips.run):
        for n, packet in enumerate(packets):
            time.sleep(max(0.0, packet.at - time.monotonic()))
            studio.ring.add(packet)
            if n == 45:
                studio.tell(event(at + 1.8))
            if n == 90:
                studio.tell(ended(event(at + 1.8), at + 3.6))
            if part.exists():
                sizes.add(part.stat().st_size)
        until = time.monotonic() + 5.0
        while not studio.made and time.monotonic() < until:
            time.sleep(0.02)
    [(_, made)] = studio.made
    assert made.truncated == ""
    assert made.end == pytest.approx(WALL + at + 4.6, abs=0.3)
    assert len(sizes) >= 3


def test_a_shut_down_finishes_with_what_is_there(tmp_path: Path) -> None:
    at = time.monotonic() - 4.0
    studio = Studio(tmp_path, config('before = "1s"'))
    studio.film(packets_of(h264(tmp_path, 4), at))
    studio.tell(event(at + 2))
    made = studio.the_clip()
    assert made.truncated == "smartcam was stopped"
    assert made.end == pytest.approx(WALL + at + 4, abs=0.3)


def test_a_camera_without_packets_gives_none_and_it_is_counted(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.happens(event(at + 2), at + 3)
    studio.work()
    assert studio.made == []
    assert studio.clips.dropped == 1
    assert "the clip cannot be made" in studio.clips.trouble
    assert not any((tmp_path / "media" / "E1").iterdir())


def test_rings_must_reach_back_to_what_a_rule_waited_for() -> None:
    rules = parse(
        '[camera.a]\nsource = "a"\n[camera.b]\nsource = "b"\n[camera.c]\nsource = "c"\n'
        '[rule.x]\nsee = "person"\ncamera = "a"\ndo = ["clip"]\nfor = "20s"\nclip = { before = "4s", audio = true }\n'
        '[rule.y]\nsee = "person"\ncamera = "a"\ndo = ["clip"]\n'
        '[rule.z]\nsee = "person"\ncamera = "b"\ndo = ["clip"]\n'
        '[rule.w]\nsee = "person"\ncamera = "c"\ndo = ["snapshot"]\n'
    )
    assert seconds_wanted(rules) == {"a": 24 + MARGIN_S, "b": 5 + MARGIN_S}
    assert audio_wanted(rules) == {"a"}
