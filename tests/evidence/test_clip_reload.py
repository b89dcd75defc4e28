"""What a reload leaves of clips under way: all of them, but for those that a new mask forbids."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from smartcam.camera.ring import Ring
from smartcam.config.sources import Sources
from smartcam.evidence import smaller
from smartcam.evidence.clip_file import ClipFile
from smartcam.evidence.films import Ended
from smartcam.evidence.wanting import MARGIN_S, READ_S
from smartcam.pipeline.plan import Plan
from smartcam.pipeline.sensing import Sensing
from smartcam.workers import Alive
from tests.commands import GOOD, furnish
from tests.evidence.reels import WALL, Studio, config, ended, event, h264, in_turns, packets_of

MASK = "mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"


@pytest.fixture
def at() -> float:
    """Packets of eight seconds end now."""
    return time.monotonic() - 8.0


def test_a_rule_that_wants_none_any_more_ends_its_clip_with_its_event(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s", at_most = "20m"'))
    packets = packets_of(h264(tmp_path, 8), at)
    studio.film(packets[:80])
    start = event(at + 2)
    studio.tell(start)

    def reload() -> None:
        studio.film(packets[80:])
        studio.clips.renew(config().model_copy(update={"rule": {}}))
        studio.tell(replace(ended(start, at + 4), evidence=()))

    studio.clips.run(in_turns(lambda: None, reload, lambda: None))
    [(told, made)] = studio.made
    assert (told.phase, made.truncated) == ("end", "")
    assert made.end == pytest.approx(WALL + at + 5, abs=0.3)


def test_it_is_told_of_which_cameras_clips_are_being_made(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 3)
    studio.work()
    assert studio.read == [frozenset({"front"}), frozenset()]


def test_a_ring_that_is_read_keeps_its_packets_whatever_the_rules_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(furnish(tmp_path))
    clips, none = (
        Plan.of(Sources("x.toml", {"x.toml": f'{GOOD}[rule.clips]\nsee = "person"\ncamera = "front"\n{do}\n'}))
        for do in ('do = ["clip"]', "")
    )
    with Sensing(lambda _: None, lambda *_: None, lambda _: None) as sensing:

        def kept_s() -> list[float]:
            return [ring.max_s for name in ("front", "back") if (ring := sensing.ring(name))]

        sensing.renew(clips)
        sensing.read(frozenset({"front"}))
        assert kept_s() == [5 + MARGIN_S, 0.0]
        sensing.renew(none)
        assert kept_s() == [READ_S, 0.0]
        sensing.read(frozenset())
        assert kept_s() == [0.0, 0.0]


def test_a_camera_that_is_changed_ends_its_clip_at_once(tmp_path: Path, at: float) -> None:
    """With all that came until then."""
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    packets = packets_of(h264(tmp_path, 8), at)
    studio.film(packets[:100])
    studio.tell(event(at + 2))

    def reload() -> None:
        studio.film(packets[100:150])
        studio.ring = Ring(max_s=3600.0)
        studio.film(packets[150:])

    studio.clips.run(in_turns(lambda: None, reload, lambda: None, lambda: None))
    [(told, made)] = studio.made
    assert (told.phase, made.truncated) == ("start", "its camera was changed")
    assert made.end == pytest.approx(WALL + at + 6, abs=0.3)


@pytest.mark.parametrize("size", ["", ', size = "64"'], ids=["under way", "to be made smaller"])
def test_what_was_made_under_another_mask_does_not_leave(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    """Neither to the broker, nor does it stay on the disk."""

    def waits(_job: object, alive: Alive) -> None:
        while alive():
            time.sleep(0.01)

    monkeypatch.setattr(smaller, "shrink", waits)
    studio = Studio(tmp_path, config('before = "1s", after = "1s"' + size))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.tell(event(at + 2), *([ended(event(at + 2), at + 4)] if size else []))
    parts: list[Path] = []

    def reload() -> None:
        parts.extend(tmp_path.rglob("clip.mp4.part"))
        studio.clips.renew(config(camera=MASK))

    studio.clips.run(in_turns(lambda: None, lambda: None, reload))
    assert len(parts) == 1
    assert (studio.made, studio.clips.dropped) == ([], 1)
    assert studio.clips.trouble.endswith("cannot be made: its camera's mask was changed")
    assert list((tmp_path / "media" / "E1").iterdir()) == []


def test_a_mask_that_comes_while_a_clip_gets_its_name_removes_it(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    finish = studio.clips._finish

    def reload(ended: Ended, clip: ClipFile) -> None:
        studio.clips.renew(config(camera=MASK))
        finish(ended, clip)

    monkeypatch.setattr(studio.clips._films, "_done", reload)
    studio.happens(event(at + 2), at + 3)
    studio.work()
    assert (studio.made, studio.clips.dropped) == ([], 1)
    assert list((tmp_path / "media" / "E1").iterdir()) == []
