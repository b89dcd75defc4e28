"""What goes wrong with one clip costs no other, and what many of them take stays bounded."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import cv2
import pytest

from smartcam.camera.ring import Ring
from smartcam.evidence import clip_file, films, hiding, smaller
from smartcam.evidence.clip_file import ClipFile, finishing
from smartcam.evidence.encode import Encoder, plain
from smartcam.evidence.films import Ended, Films
from smartcam.evidence.footage import Footage
from smartcam.evidence.recording import Recording, Retaking, Wanted
from smartcam.evidence.smaller import Shrinking, shrink
from smartcam.workers import Alive, Worker
from tests.evidence.reels import WALL, Studio, config, ended, event, ffprobe, h264, in_turns, packets_of, pictures

SHORT = 'before = "1s", after = "1s"'
MASK = "mask = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]"
OTHER = '[rule.q]\nsee = "person"\ndo = ["clip"]\nclip = { before = "1s", after = "1s" }'


@pytest.fixture
def at() -> float:
    """A monotonic time from which a minute of packets lies in the past."""
    return time.monotonic() - 120.0


@contextmanager
def no_file_larger_than(limit_bytes: int) -> Iterator[None]:
    """Writing fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def failures(studio: Studio) -> int:
    """Of the worker, until nothing is left to be made."""
    over_at = time.monotonic() + 10.0
    with Worker("clips", studio.clips.run, retry_s=0.01) as worker:
        while studio.busy and time.monotonic() < over_at:
            time.sleep(0.02)
    return worker.failures


@pytest.mark.parametrize(
    ("error", "told"),
    [(RuntimeError("nobody foresaw it"), 1), (av.error.UnknownError(1, "the decoder's"), 0), (cv2.error("no"), 0)],
    ids=["unforeseen", "of FFmpeg", "of OpenCV"],
)
def test_a_clip_that_fails_costs_no_other(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch, error: Exception, told: int
) -> None:
    """What nobody foresaw is told as a failure of the worker too."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(hiding.Hiding, "__call__", fails)
    studio = Studio(tmp_path, config(SHORT, rule=f'blur = ["person"]\n{OTHER}'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 3)
    studio.happens(replace(event(at + 2), id="E2", rule="q"), at + 3)
    assert failures(studio) == told
    assert [each.id for each, _ in studio.made] == ["E2"]
    assert studio.clips.dropped == 1
    assert list((tmp_path / "media" / "E1").iterdir()) == []


def test_at_the_end_a_clip_that_fails_costs_no_other(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(hiding.Hiding, "__call__", fails)
    studio = Studio(tmp_path, config(SHORT, rule=f'blur = ["person"]\n{OTHER}'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.tell(replace(event(at + 2), id="E2", rule="q"), event(at + 2), replace(event(at + 3), id="E3", rule="q"))
    with pytest.raises(RuntimeError):
        studio.clips.run(lambda: False)
    assert {told.id for told, _ in studio.made} == {"E2", "E3"}
    assert studio.clips.dropped == 1


def test_a_film_that_cannot_be_made_smaller_is_delivered_whole(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(smaller, "shrink", fails)
    studio = Studio(tmp_path, config(SHORT + ', size = "64"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 3)
    over_at = time.monotonic() + 10.0
    studio.clips.run(lambda: studio.busy and time.monotonic() < over_at)
    assert time.monotonic() < over_at
    [(_, made)] = studio.made
    assert made.small is None
    assert made.too_large, "it is not to be sent instead"
    assert made.path.exists()


def test_a_smaller_one_that_can_neither_be_made_nor_removed_is_none(tmp_path: Path) -> None:
    (tmp_path / "clip-64.mp4.part").mkdir()
    job = Shrinking(h264(tmp_path, 1), tmp_path / "clip-64.mp4.part", 0, 64, 0.0)
    assert shrink(job, lambda: True) is None


def test_a_full_disk_leaves_what_fitted(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    packets = packets_of(h264(tmp_path, 10), at)
    studio.film(packets)
    studio.happens(event(at + 2), at + 8)
    with no_file_larger_than(sum(len(packet.data) for packet in packets[:120])):
        made = studio.the_clip()
    assert made.truncated == os.strerror(errno.EFBIG)
    shown = pictures(made.path)
    assert 50 < len(shown) < 150
    assert float(ffprobe(made.path)["format"]["duration"]) == pytest.approx(len(shown) / 25, abs=0.1)


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, at: float) -> None:
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 6), at))
    (tmp_path / "media").write_text("a file where the folder should be")
    studio.happens(event(at + 2), at + 3)
    studio.work()
    assert (studio.made, studio.clips.dropped) == ([], 1)
    assert studio.clips.trouble.endswith("the clip cannot be made: Not a directory")


def waits(_job: Shrinking, alive: Alive) -> None:
    """A shrinker that is busy with something else."""
    while alive():
        time.sleep(0.01)


def test_films_that_wait_to_be_smaller_are_few_and_delivered_at_the_end(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is under way, one waits; the third stays as large as it is."""
    monkeypatch.setattr(smaller, "shrink", waits)
    monkeypatch.setattr(films, "MOST_TO_SHRINK", 2)
    studio = Studio(tmp_path, config(SHORT + ', size = "64"'))
    studio.film(packets_of(h264(tmp_path, 8), at))
    for n in "123":
        studio.happens(event(at + 2, id_=f"E{n}"), at + 3)
    before: list[str] = []
    studio.clips.run(in_turns(lambda: None, lambda: None, lambda: before.extend(told.id for told, _ in studio.made)))
    assert before == ["E3"]
    assert {told.id for told, _ in studio.made} == {"E1", "E2", "E3"}
    assert not list(tmp_path.rglob("*.part"))


def encoders() -> int:
    """How many are open."""
    gc.collect()
    return sum(isinstance(each, Encoder) and each._context is not None for each in gc.get_objects())


def test_two_clips_are_encoded_at_once_and_the_others_wait(tmp_path: Path) -> None:
    at = time.monotonic() - 8.0
    studio = Studio(tmp_path, config(SHORT, camera=MASK))
    studio.film(packets_of(h264(tmp_path, 8), at))
    starts = [event(at + 2, id_=f"E{n}") for n in range(4)]
    studio.tell(*starts)
    found: list[int] = []

    def then() -> None:
        found.append(encoders())
        studio.tell(*[ended(start, at + 4) for start in starts])

    turns = in_turns(lambda: None, lambda: None, then, *[lambda: None] * 100)
    studio.clips.run(lambda: turns() and studio.busy)
    assert found == [2]
    assert {(told.id, clip.truncated) for told, clip in studio.made} == {(start.id, "") for start in starts}


def test_a_film_that_waits_to_be_smaller_keeps_no_encoder(
    tmp_path: Path, at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smaller, "shrink", waits)
    studio = Studio(tmp_path, config(SHORT + ', size = "64"', camera=MASK))
    studio.film(packets_of(h264(tmp_path, 8), at))
    studio.happens(event(at + 2), at + 3)
    found: list[int] = []
    studio.clips.run(in_turns(lambda: None, lambda: None, lambda: found.append(encoders())))
    assert found == [0]
    assert len(studio.made) == 1


def test_a_recording_that_has_ended_keeps_no_encoder(tmp_path: Path) -> None:
    """Nor the packets that waited for it, whoever still holds it."""
    at = time.monotonic() - 8.0
    ring = Ring(max_s=3600.0)
    for packet in packets_of(h264(tmp_path, 8), at):
        ring.add(packet)
    wanted = Wanted(event(at + 2), config(SHORT).rule["r"].clip, WALL)
    change = Retaking(plain, 0, lambda: at + 4.0)
    recording = Recording(wanted, ring, tmp_path / "clip.mp4.part", lambda _: change)
    with recording:
        recording.pull()
        recording.work(time.monotonic() + 60)
        assert (encoders(), len(recording._held) > 0) == (1, True)
    assert (encoders(), len(recording._held)) == (0, 0)


def filmed(folder: Path) -> Footage:
    with Footage(folder / "clip.mp4.part") as footage:
        for packet in packets_of(h264(folder, 2), 5.0):
            footage.add(packet)
        footage.end()
    return footage


def test_a_film_is_read_in_steps_and_named_by_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_file, "HASH_BYTES", 1000)
    footage = filmed(tmp_path)
    data, made, there = footage.part.read_bytes(), list[ClipFile](), list[bool]()

    def steps() -> Iterator[None]:
        made.append((yield from finishing(footage, 10.0)))

    there.extend(footage.part.exists() for _ in steps())
    assert there == [True] * -(-len(data) // 1000)
    [clip] = made
    assert (clip.sha256, clip.bytes, clip.start) == (hashlib.sha256(data).hexdigest(), len(data), 15.0)
    assert clip.path.read_bytes() == data


def test_reading_a_large_film_lets_others_have_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_file, "HASH_BYTES", 1)
    made: list[Ended] = []
    queue = Films(lambda ended, _: made.append(ended), lambda *_: None)
    queue.put(Ended(Wanted(event(5.0), config(SHORT).rule["r"].clip, WALL), filmed(tmp_path), "", None))
    assert queue.work(time.monotonic() + 0.001)
    assert made == []
    assert not queue.work(time.monotonic() + 60)
    assert len(made) == 1


def test_what_is_not_named_at_the_end_stays_a_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which the next start finds."""
    queue = Films(lambda *_: None, lambda *_: None)
    queue.put(Ended(Wanted(event(5.0), config(SHORT).rule["r"].clip, WALL), filmed(tmp_path), "", None))
    queue.end(time.monotonic())
    assert (tmp_path / "clip.mp4.part").exists()
    assert "1 clips will be finished at the next start" in caplog.text


def test_where_room_is_short_clips_end_and_none_begins(tmp_path: Path, at: float) -> None:
    """Long before the disk is full: events need room, and deleting does."""
    studio = Studio(tmp_path, config('before = "1s", after = "1s"'))
    studio.film(packets_of(h264(tmp_path, 10), at))
    first = event(at + 2)
    studio.tell(first)
    left = iter((True, False))

    def turns() -> bool:
        studio.has_room = next(left, False)
        return not studio.made

    studio.clips.run(turns)
    [(_, made)] = studio.made
    assert made.truncated == "there is no room on the disk"
    assert pictures(made.path)
    studio.tell(replace(event(at + 5), id="01SECOND"))
    studio.work()
    assert studio.clips.dropped == 1
    assert "cannot be made: there is no room on the disk" in studio.clips.trouble
