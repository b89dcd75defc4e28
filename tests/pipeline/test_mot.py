from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smartcam.data import Detections, Scene
from smartcam.errors import SmartcamError
from smartcam.pipeline.mot import MotWriter
from tests.rules.scenes import carried, offline, person, scene, visitor

BOX = "32.00,36.00,16.00,24.00"
"""Of `person` in pictures of 160x120."""


def written(folder: Path, *scenes: Scene) -> tuple[str, str]:
    with MotWriter(folder / "tracks", folder / "detections") as writer:
        for each in scenes:
            writer.write(each)
    return (folder / "tracks").read_text(), (folder / "detections").read_text()


def test_frames_count_from_1(tmp_path: Path) -> None:
    tracks, _ = written(tmp_path, scene(0.0), scene(0.2, person), scene(0.4, person))
    assert tracks == f"2,1,{BOX},0.8700,-1,-1,-1\n3,1,{BOX},0.8700,-1,-1,-1\n"


def test_only_confirmed_tracks_that_this_very_frame_shows_are_written(tmp_path: Path) -> None:
    """A tracker must not be judged by boxes that it only guesses."""
    unsure = replace(visitor, confirmed=False)
    tracks, _ = written(tmp_path, scene(0.0, person, unsure), carried(0.2, person, last_at=0.0), scene(0.4, person))
    assert [line.split(",")[:2] for line in tracks.splitlines()] == [["1", "1"], ["3", "1"]]


def test_a_moment_without_a_picture_is_no_frame(tmp_path: Path) -> None:
    tracks, _ = written(tmp_path, scene(0.0), offline(1.0, person), scene(2.0, person))
    assert tracks.startswith("2,")


def test_detections_are_written_as_they_were_before_tracking(tmp_path: Path) -> None:
    seen = Detections(
        np.array([[0.1, 0.25, 0.123456, 0.5], [0.0, 0.0, 1.0, 1.0]], np.float32),
        np.array([0.31, 0.99999], np.float32),
        np.zeros(2, np.int32),
        ("person",),
    )
    tracks, detections = written(tmp_path, replace(scene(0.0), detections=seen))
    assert tracks == ""
    assert detections == "1,-1,16.00,30.00,3.75,30.00,0.3100,-1,-1,-1\n1,-1,0.00,0.00,160.00,120.00,1.0000,-1,-1,-1\n"


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SmartcamError, match="nowhere/rows cannot be written: No such file"):
        MotWriter(tmp_path / "tracks", tmp_path / "nowhere" / "rows").__enter__()
