"""Parts in, files out: whole, verified, and nowhere else than where they belong."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.errors import SmartcamError
from smartcam.mqtt.assembly import Assembler, Kept
from smartcam.mqtt.topics import Topics, part_topic

CAMERA = Topics("ridge1").camera("front")
CLIP = CAMERA.clip("01J")
PIECES = [b"\x00\x00 first", b"second" * 1000, b"third"]
WHOLE = b"".join(PIECES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def place(folder: Path) -> Path:
    return folder / "ridge1/front/01J.mp4"


def parts(pieces: list[bytes], topic: str = CLIP) -> list[tuple[str, bytes]]:
    return [(part_topic(topic, number, len(pieces)), piece) for number, piece in enumerate(pieces, start=1)]


def word(whole: bytes, topic: str = CLIP, *, on: str = CAMERA.media, **changes: Any) -> tuple[str, bytes]:
    kind = topic.rsplit("/", 1)[-1]
    told = {"event": "01J", "kind": kind, "topic": topic, "bytes": len(whole), "parts": 3}
    return on, json.dumps(told | {"sha256": hashlib.sha256(whole).hexdigest()} | changes).encode()


def took(assembler: Assembler, *messages: tuple[str, bytes]) -> Kept | None:
    """What became of the last one."""
    kept = None
    for message in messages:
        kept = assembler.take(*message)
    return kept


def names(folder: Path) -> list[str]:
    """Of all files, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@given(order=st.permutations([*parts(PIECES), *parts(PIECES), word(WHOLE), word(WHOLE)]))
@settings(max_examples=40, deadline=None)
def test_parts_and_word_make_the_file_in_any_order_and_repeated(order: list[tuple[str, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        assembler = Assembler(Path(folder))
        kept = [took(assembler, message) for message in order]
        place = Path(folder, "ridge1/front/01J.mp4")
        assert Kept(place, verified=True) in kept
        assert place.read_bytes() == WHOLE


def test_what_a_late_repetition_leaves_goes_with_its_word(folder: Path, place: Path) -> None:
    assembler = Assembler(folder)
    last = parts(PIECES)[-1]
    assert took(assembler, *parts(PIECES), word(WHOLE), last) == Kept(missing=2)
    assert took(assembler, word(WHOLE)) == Kept(place, verified=True)
    assert names(folder) == ["ridge1/front/01J.mp4"]


def test_what_is_missing_is_counted(folder: Path) -> None:
    assembler = Assembler(folder)
    first, second, third = parts(PIECES)
    assert took(assembler, first) == Kept(missing=2)
    assert took(assembler, first) == Kept(missing=2)
    assert took(assembler, third) == Kept(missing=1)
    told = took(assembler, word(WHOLE))
    assert told
    assert told.trouble == (
        "1 of its 3 parts did not come so far; if nothing follows, ask for it again on smartcam/ridge1/cmd/clip"
    )
    assert not (folder / "ridge1/front/01J.mp4").exists()
    assert took(assembler, second)


def test_another_process_goes_on_with_what_is_there(folder: Path, place: Path) -> None:
    first, second, third = parts(PIECES)
    took(Assembler(folder), first)
    took(Assembler(folder), word(WHOLE))
    took(Assembler(folder), third)
    assert took(Assembler(folder), second) == Kept(place, verified=True)
    assert place.read_bytes() == WHOLE


def test_a_part_that_a_kill_left_half_written_is_no_part(folder: Path, place: Path) -> None:
    first, second, third = parts(PIECES)
    took(Assembler(folder), first)
    (place.parent / ".01J.mp4.parts/.2-of-3.part").write_bytes(b"sec")
    assert took(Assembler(folder), third) == Kept(missing=1)
    assert took(Assembler(folder), second, word(WHOLE)) == Kept(place, verified=True)


def test_another_split_takes_the_place_of_the_first(folder: Path, place: Path) -> None:
    """The link became slower, and the node started again with smaller parts."""
    whole = bytes(Random(0).randbytes(1000))
    halves, quarters = [[whole[at : at + size] for at in range(0, 1000, size)] for size in (500, 250)]
    assembler = Assembler(folder)
    took(assembler, parts(halves)[0])
    assert took(assembler, parts(quarters)[0]) == Kept(missing=3)
    assert names(place.parent) == [".01J.mp4.parts/1-of-4"]
    assert took(assembler, *parts(quarters), word(whole, parts=4)) == Kept(place, verified=True)
    assert place.read_bytes() == whole


def test_what_is_not_what_was_announced_is_told_and_not_kept(folder: Path, place: Path) -> None:
    first, _, third = parts(PIECES)
    wrong = part_topic(CLIP, 2, 3), b"spoiled"
    assembler = Assembler(folder)
    told = took(assembler, first, wrong, third, word(WHOLE))
    assert told
    assert "what came is not what was announced, and is not kept: ask for it again" in told.trouble
    assert not place.exists()
    assert took(assembler, *parts(PIECES)) == Kept(place, verified=True)


def test_a_word_that_came_first_and_does_not_fit_may_be_of_an_earlier_file(folder: Path) -> None:
    """Of the first picture of an event only its word came; the better one came whole, and its own word last."""
    topic = CAMERA.snapshot("01J")
    assembler = Assembler(folder)
    told = took(assembler, word(b"the first", topic), *parts(PIECES, topic))
    assert told
    assert "it is not what was announced" in told.trouble
    assert took(assembler, parts(PIECES, topic)[0]) == Kept()
    assert took(assembler, word(WHOLE, topic)) == Kept(folder / "ridge1/front/01J.jpg", verified=True)


def test_a_whole_picture_is_kept_at_once_and_verified_by_its_word(folder: Path) -> None:
    topic, place = CAMERA.snapshot("01J"), folder / "ridge1/front/01J.jpg"
    assembler = Assembler(folder)
    assert took(assembler, (topic, b"\xff\xd8")) == Kept(place)
    assert took(assembler, word(b"\xff\xd8", topic, parts=1)) == Kept(place, verified=True)
    told = took(assembler, word(b"another", topic, parts=1))
    assert told
    assert told.trouble.startswith("it did not come so far")
    assert place.read_bytes() == b"\xff\xd8"
    assert took(assembler, (topic, b"another")) == Kept(place, verified=True)
    assert names(folder) == ["ridge1/front/01J.jpg"]


def test_a_better_picture_may_overtake_the_word_of_the_first(folder: Path) -> None:
    topic = CAMERA.snapshot("01J")
    assembler = Assembler(folder)
    assert took(assembler, (topic, b"good"), (topic, b"better"), word(b"good", topic, parts=1)) == Kept()
    assert took(assembler, word(b"better", topic, parts=1)) == Kept(folder / "ridge1/front/01J.jpg", verified=True)


def test_the_least_lately_heard_of_is_given_up_when_too_many_wait(folder: Path) -> None:
    assembler = Assembler(folder, most_waiting=2)
    events = [CAMERA.clip(f"01J{number}") for number in range(3)]
    took(assembler, *(parts(PIECES, topic)[0] for topic in (events[0], events[1], events[0], events[2])))
    left = [".01J0.mp4.parts/1-of-3", ".01J2.mp4.parts/1-of-3"]
    assert names(folder / "ridge1/front") == left


def test_of_what_an_earlier_process_left_the_oldest_goes_first(folder: Path) -> None:
    for number, age_s in enumerate((20, 30, 10)):
        took(Assembler(folder), parts(PIECES, CAMERA.clip(f"01J{number}"))[0])
        at = time.time() - age_s
        os.utime(folder / f"ridge1/front/.01J{number}.mp4.parts", (at, at))
    took(Assembler(folder, most_waiting=2), parts(PIECES)[0])
    assert names(folder / "ridge1/front") == [".01J.mp4.parts/1-of-3", ".01J2.mp4.parts/1-of-3"]


def test_what_waits_is_bounded_in_bytes(folder: Path) -> None:
    assembler = Assembler(folder, most_bytes=20_000)
    took(assembler, (part_topic(CLIP, 1, 3), bytes(10_000)))
    told = took(assembler, (part_topic(CLIP, 2, 3), bytes(15_000)))
    assert told
    assert told.trouble == "it is given up: it is too large to wait for its other parts"
    for number in range(1, 100):
        took(assembler, (part_topic(CLIP, number, 99_999), b""), (part_topic(CLIP, number, 99_999), b"x"))
    assert len(names(folder)) <= 20_000 // 4096


@pytest.mark.parametrize(
    "message",
    [
        word(WHOLE, on="smartcam/ridge1/back/media"),
        word(WHOLE, on="smartcam/other/front/media"),
        word(WHOLE, "smartcam-media/ridge1/front/../x/clip"),
        word(WHOLE, "smartcam-media/ridge1/front/latest"),
        word(WHOLE, part_topic(CLIP, 1, 2)),
        word(WHOLE, sha256="../../x"),
        word(WHOLE, bytes="many"),
        word(WHOLE, more="x" * 20_000),
        (CAMERA.media, b"[" * 10_000),
        (CAMERA.media, b"\xff"),
        (CAMERA.event, b"{}"),
        (CLIP, b""),
        ("smartcam-media/../front/01J/clip/1-of-2", b"x"),
        ("smartcam-media/ridge1/front/01J/clip/2-of-1", b"x"),
        ("smartcam-media/ridge1/front/01J/clip/0-of-1", b"x"),
        ("smartcam-media/ridge1/front/latest/1-of-2", b"x"),
    ],
)
def test_what_a_stranger_says_leaves_no_trace(folder: Path, message: tuple[str, bytes]) -> None:
    assert took(Assembler(folder), message) is None
    assert not folder.exists()


@pytest.mark.parametrize("level", ["ridge1", "ridge1/front"])
def test_no_link_leads_out_of_the_folder(folder: Path, tmp_path: Path, level: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / level).parent.mkdir(parents=True)
    (folder / level).symlink_to(outside, target_is_directory=True)
    with pytest.raises(SmartcamError, match="is a symbolic link"):
        took(Assembler(folder), parts(PIECES)[0])
    assert names(outside) == []


def test_links_in_the_place_of_files_are_replaced_and_not_followed(folder: Path, place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(WHOLE)
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    assembler = Assembler(folder)
    told = took(assembler, word(WHOLE))
    assert told
    assert not told.verified
    assert took(assembler, (CLIP, b"new")) == Kept(place)
    assert (secret.read_bytes(), place.is_symlink()) == (WHOLE, False)
    place.with_name(".01J.mp4.part").symlink_to(secret)
    with pytest.raises(SmartcamError, match="cannot be written"):
        took(assembler, (CLIP, b"newer"))
    assert secret.read_bytes() == WHOLE
