"""Kept scenes: exact, bounded, and as good as none where they are not whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from smartcam.config import Config, parse
from smartcam.data import Scene, Track
from smartcam.pipeline.models import Models
from smartcam.pipeline.scenes import KeptScenes, key_of
from tests.commands import GOOD, furnish

START = 1_000_000_000.0


def track(id_: int, at: float, chance: Random, **further: str | float) -> Track:
    x, y = chance.random() / 2, chance.random() / 2
    return Track(id_, "person", (x, y, x + 1 / 3, y + 0.1), chance.random(), 0.1, at, 3, confirmed=id_ > 1, **further)  # type: ignore[arg-type]  # a dict's values cannot be told apart


def story(number: int = 40) -> list[Scene]:
    """Things that come, move, stand still, are named and go; some frames that nobody looked at."""
    chance, scenes, tracks = Random(0), list[Scene](), tuple[Track, ...]()
    for n in range(number):
        at = n / 3
        if looked := n % 3 != 1:
            tracks = (*(each for each in tracks if n % 5), track(n, at, chance))
        if n == 20:
            tracks = (track(99, at, chance, sublabel="scarlet macaw", sublabel_score=1 / 3), *tracks)
        if n == 30:
            tracks = tracks[::-1]
        scenes.append(Scene("front", at, START + at, tracks, looked, None))
    return scenes


def kept(folder: Path, scenes: Iterable[Scene], key: str = "key") -> Path:
    with KeptScenes(folder).keeping(key) as keeper:
        for scene in scenes:
            keeper.write(scene)
    return folder / f"{key}.jsonl.gz"


def facts(scenes: Iterable[Scene]) -> list[tuple[object, ...]]:
    return [(each.camera, each.at, each.wall, each.looked, each.online, each.tracks) for each in scenes]


def test_scenes_come_back_as_they_were_to_the_last_bit(tmp_path: Path) -> None:
    kept(tmp_path, story())
    found = list(KeptScenes(tmp_path).find("key", "front", START) or ())
    assert facts(found) == facts(story())
    assert all(isinstance(each.box, tuple) for scene in found for each in scene.tracks)
    assert {scene.frame for scene in found} == {None}


def test_the_same_scenes_are_the_same_bytes(tmp_path: Path) -> None:
    assert kept(tmp_path / "a", story()).read_bytes() == kept(tmp_path / "b", story()).read_bytes()


def test_they_may_be_of_another_camera_at_another_time(tmp_path: Path) -> None:
    kept(tmp_path, story(3))
    found = list(KeptScenes(tmp_path).find("key", "back", 7.5) or ())
    assert [(each.camera, each.at, each.wall) for each in found] == [("back", n / 3, 7.5 + n / 3) for n in range(3)]


def cut(data: bytes) -> bytes:
    return data[:-9]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def empty(_: bytes) -> bytes:
    return b""


def text(_: bytes) -> bytes:
    return b"no scenes\n" * 100


@pytest.mark.parametrize("damage", [cut, flipped, empty, text])
def test_what_is_damaged_is_as_good_as_none_and_is_made_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = kept(tmp_path, story())
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert KeptScenes(tmp_path).find("key", "front", START) is None
    assert kept(tmp_path, story()).read_bytes() == whole


def test_scenes_of_something_else_are_not_taken_for_ours(tmp_path: Path) -> None:
    kept(tmp_path, story(), "other").rename(tmp_path / "key.jsonl.gz")
    assert KeptScenes(tmp_path).find("key", "front", START) is None


def test_scenes_are_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with suppress(KeyError), KeptScenes(tmp_path).keeping("key") as keeper:
        keeper.write(story()[0])
        raise KeyError
    with KeptScenes(tmp_path).keeping("key") as keeper:
        keeper.write(story()[0])
        keeper.give_up("no use")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "scenes").touch()
    kept(tmp_path / "scenes", story())
    assert KeptScenes(tmp_path / "scenes").find("key", "front", START) is None


def test_a_full_disk_costs_nothing() -> None:
    """/dev/full has no room for anything, and no folder can be made in it."""
    kept(Path("/dev/full"), story())


def test_those_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    for number, key in enumerate("abc"):
        os.utime(kept(tmp_path, story(), key), (number, number))
    size = (tmp_path / "a.jsonl.gz").stat().st_size
    assert KeptScenes(tmp_path).find("a", "front", START)  # Now "b" is the oldest.
    bounded = KeptScenes(tmp_path, max_bytes=3 * size + size // 2)
    with bounded.keeping("d") as keeper:
        for scene in story():
            keeper.write(scene)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "c", "d"]
    KeptScenes(tmp_path, max_files=1).make_room()
    assert [path.name[0] for path in tmp_path.iterdir()] == ["d"]


def test_scenes_that_are_too_many_are_not_kept(tmp_path: Path) -> None:
    chance = Random(0)
    with KeptScenes(tmp_path, max_bytes=1000).keeping("key") as keeper:
        for n in range(10_000):
            keeper.write(Scene("front", n, n, (track(n, n, chance),), looked=True, frame=None))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def key(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str | None]:
    monkeypatch.chdir(place)

    def made(config: str, clip: str = "clip.mp4") -> str | None:
        parsed: Config = parse(config)
        return key_of(Path(clip), Models.find(parsed), "front")

    return made


Key = Callable[..., str | None]


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        ("[camera.front]", "[camera.front]\nrotate = 180"),
        ("[camera.front]", "[camera.front]\nmotion = false"),
        ("threads = 1", "threads = 1\nscore = 0.5"),
        ("person.tflite", "unknown.tflite"),
        ("[model.tiny]", '[model.other]\nfile = "unknown.tflite"\n[model.tiny]'),
    ],
)
def test_whoever_looks_otherwise_sees_other_scenes(key: Key, was: str, is_: str) -> None:
    assert was in GOOD
    assert key(GOOD) != key(GOOD.replace(was, is_, 1))


def test_a_second_look_makes_other_scenes_and_so_does_its_group(key: Key) -> None:
    then = '[[model.tiny.then]]\nsee = "@things"\nmodel = "kind"\n[model.kind]\nfile = "unknown.tflite"\n[group]\n'
    keys = {key(GOOD + then + f"things = {labels}\n") for labels in ('["person"]', '["car"]', '["car", "person"]')}
    assert len({*keys, key(GOOD)}) == 4


def test_rules_and_the_way_to_the_camera_make_the_same_scenes(key: Key) -> None:
    other = GOOD.replace('[camera.front]\nsource = "clip.mp4"', '[camera.front]\nsource = "rtsp://192.0.2.1/"')
    other = other.replace("person", "car").replace("car.tflite", "person.tflite")
    assert other != GOOD
    assert key(GOOD) == key(other)


def test_a_clip_is_told_by_what_is_in_it(key: Key, place: Path) -> None:
    (place / "copy.mp4").write_bytes((place / "clip.mp4").read_bytes())
    assert key(GOOD) == key(GOOD, "copy.mp4") != key(GOOD, "whole.mkv")


def test_a_folder_of_pictures_is_told_by_its_pictures_and_their_order(key: Key, tmp_path: Path) -> None:
    def of(**pictures: bytes) -> str | None:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, data in pictures.items():
            (tmp_path / name).write_bytes(data)
        return key(GOOD, str(tmp_path))

    assert of(a=b"1", b=b"2") == of(b=b"2", a=b"1")
    assert len({of(a=b"1", b=b"2"), of(a=b"2", b=b"1"), of(a=b"1"), of(a=b"12")}) == 4


@pytest.mark.parametrize("clip", ["nowhere.mp4", "/dev/null"])
def test_what_is_no_recording_has_no_scenes_to_keep(key: Key, clip: str) -> None:
    assert key(GOOD, clip) is None
