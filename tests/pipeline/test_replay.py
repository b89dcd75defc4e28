"""`smartcam replay`, as it is called: the same bytes every time, and rows that the field's tools can read."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.clips import SIZE, picture
from tests.commands import PERSON_XYXY, Ran, furnish, smartcam
from tests.real import default_model, footage


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("replay"))


@cache
def replay(place: Path, *arguments: str | Path) -> Ran:
    """With the configuration, and as NDJSON. One that was played already is not played again."""
    cache_folder = str(place / "cache")
    done = smartcam(
        "replay", "clip.mp4", "-c", "good.toml", "--json", *arguments, at=place, SMARTCAM_CACHE=cache_folder
    )
    assert done.code == 0, done.err
    return done


def rows(data: bytes) -> list[list[str]]:
    return [line.split(",") for line in data.decode().splitlines()]


def with_rows(place: Path, run: int) -> tuple[str, bytes, bytes]:
    """Events, tracks and detections of one of several runs."""
    tracks, detections = place / f"tracks{run}", place / f"detections{run}"
    told = replay(place, "--tracks", tracks, "--detections", detections)
    return told.out, tracks.read_bytes(), detections.read_bytes()


def test_the_same_clip_gives_the_same_bytes(place: Path) -> None:
    once, again = with_rows(place, 1), with_rows(place, 2)
    assert once == again
    assert all(once)


def test_real_footage_gives_the_same_bytes_and_what_a_person_sees_in_it(tmp_path: Path) -> None:
    """Without a configuration there is a rule for each label of the default model."""
    default_model()
    runs = []
    for name in ("a", "b"):
        files = [tmp_path / f"{name}.{kind}" for kind in ("tracks", "detections")]
        told = smartcam("replay", footage(), "--json", "--tracks", files[0], "--detections", files[1], at=tmp_path)
        assert told.code == 0, told.err
        runs.append((told, [file.read_bytes() for file in files]))
    assert runs[0] == runs[1]
    told, _ = runs[0]
    assert {"person", "bicycle", "car"} <= {event["label"] for event in told.objects if event["phase"] == "start"}
    assert {event["camera"] for event in told.objects} == {"clip"}


def test_detections_are_rows_of_every_frame_from_1_in_pixels_with_two_decimals(place: Path) -> None:
    _, _, detections = with_rows(place, 1)
    (width, height), (x1, y1, x2, y2) = SIZE, PERSON_XYXY
    box = [f"{value:.2f}" for value in (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)]
    assert rows(detections) == [[str(n), "-1", *box, "0.9000", "-1", "-1", "-1"] for n in range(1, 51)]


def test_tracks_begin_once_they_are_confirmed_and_bear_one_id(place: Path) -> None:
    _, tracks, _ = with_rows(place, 1)
    found = rows(tracks)
    begins = int(found[0][0])
    assert 1 < begins < 10
    assert [(int(row[0]), row[1]) for row in found] == [(n, "1") for n in range(begins, 51)]


def test_rows_of_a_turned_camera_are_in_its_upright_pixels(place: Path, tmp_path: Path) -> None:
    (tmp_path / "turned.toml").write_text((place / "good.toml").read_text().replace("rotate = 180", "rotate = 90"))
    done = smartcam("replay", "clip.mp4", "-c", tmp_path / "turned.toml", "--camera", "back",
                    "--detections", tmp_path / "rows", at=place)  # fmt: skip
    assert done.code == 0, done.err
    assert [float(value) for value in rows((tmp_path / "rows").read_bytes())[0][2:6]] == [36.0, 32.0, 36.0, 112.0]


def test_a_recording_begins_at_a_fixed_time(place: Path) -> None:
    assert {event["start"] for event in replay(place).objects} == {"2000-01-01T12:00:00.160Z"}


def test_it_plays_as_the_first_camera_or_as_the_one_that_is_named(place: Path) -> None:
    assert [(event["camera"], event["event_type"]) for event in replay(place).objects[:1]] == [("front", "visitor")]
    back = replay(place, "--camera", "back").objects
    assert {(event["camera"], event["event_type"]) for event in back} == {("back", "visitor"), ("back", "behind")}


def test_rules_may_come_from_another_file(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[rule.lingerer]\nsee = "person"\nfor = "1s"\n')
    told = replay(place, "--rules", tmp_path / "rules.toml").objects
    assert {event["event_type"] for event in told} == {"lingerer"}


def test_rules_without_a_configuration_lack_their_cameras(place: Path) -> None:
    done = smartcam("replay", "clip.mp4", "--rules", "good.toml", at=place)
    assert (done.code, done.out) == (2, "")
    assert "with -c" in done.err


def test_a_label_that_the_model_does_not_know_is_refused_where_it_stands(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[rule.visitor]\nsee = "persn"\n')
    done = smartcam("replay", "clip.mp4", "-c", "good.toml", "--rules", tmp_path / "rules.toml", at=place)
    assert (done.code, done.out) == (78, "")
    [sentence] = done.sentences
    assert sentence.startswith(f"{tmp_path}/rules.toml:2: rule.visitor.see: no model ")
    assert '"persn" (did you mean "person"?); labels.txt lists ' in sentence


def test_each_clip_is_played_by_itself_and_its_events_have_ids_of_their_own(place: Path) -> None:
    def told(output: str) -> list[dict[str, Any]]:
        return [{**json.loads(line), "id": "", "n": 0} for line in output.splitlines()]

    once, twice = replay(place).out, replay(place, "clip.mp4").out
    assert told(twice) == told(once) * 2
    assert twice.startswith(once)
    assert len({json.loads(line)["id"] for line in twice.splitlines()}) == 2


def test_rows_number_the_frames_of_one_clip_so_two_are_refused(place: Path) -> None:
    done = smartcam("replay", "clip.mp4", "clip.mp4", "-c", "good.toml", "--tracks", "rows", at=place)
    assert (done.code, done.out) == (2, "")
    assert not (place / "rows").exists()


def test_snapshots_are_kept_where_one_asks(place: Path, tmp_path: Path) -> None:
    event = replay(place, "--save", tmp_path).objects[0]["id"]
    kept = cv2.imread(str(tmp_path / "ridge1" / "front" / f"{event}.jpg"))
    assert kept is not None
    assert kept.shape[:2] == (SIZE[1], SIZE[0])


def test_a_folder_of_pictures_is_a_recording_of_one_a_second(place: Path, tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"{n}.png", n)
    done = smartcam("replay", tmp_path, "-c", "good.toml", "--json", at=place, SMARTCAM_CACHE=str(place / "cache"))
    assert [(event["phase"], event["start"]) for event in done.objects] == [
        ("start", "2000-01-01T12:00:01.000Z"),
        ("end", "2000-01-01T12:00:01.000Z"),
    ]


def test_a_clip_that_is_cut_short_gives_what_it_has_and_says_so_every_time(place: Path) -> None:
    for _ in range(2):
        done = smartcam(
            "replay", "short.mkv", "-c", "good.toml", "--json", at=place, SMARTCAM_CACHE=str(place / "cache")
        )
        assert done.code == 0
        assert [event["phase"] for event in done.objects] == ["start", "end"]
        [sentence] = done.sentences
        assert re.fullmatch(r"short\.mkv: ends after 0\.\d s of 2\.0 s: the file is cut short", sentence)
