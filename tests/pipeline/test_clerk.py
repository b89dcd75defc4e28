"""What the clerk hands on: near misses, each with the frame of the moment when its rule came closest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

from smartcam.config import Config
from smartcam.config.delivery import Sampling
from smartcam.data import Exhibit, Scene
from smartcam.evidence.samples import Samples
from smartcam.evidence.snapshots import Snapshots
from smartcam.pipeline.clerk import Clerk
from smartcam.pipeline.judge import Judge
from smartcam.rules.engine import Engine
from smartcam.rules.ids import Ulids
from smartcam.workers import Worker
from tests.evidence.pictures import decoded, flat
from tests.rules.scenes import WALL, config, every, person, walk

LINGERS = 'see = "person"\nzone = "yard"\nfor = "5s"'


def sampled(settings: Config, scenes: Iterable[Scene]) -> list[tuple[Exhibit, bytes]]:
    """What is kept of these scenes by the end of the daemon."""
    found: list[tuple[Exhibit, bytes]] = []
    samples = Samples(settings, lambda *sample: found.append(sample), Ulids(Random(0)), random=Random(0))
    snapshots = Snapshots(settings, lambda *_: None)
    clerk = Clerk(
        lambda *_, **__: None, lambda *_: None, samples=samples, latest=lambda camera: snapshots.album.best(camera, ())
    )
    judge = Judge(Engine(settings, Ulids(Random(0))), snapshots, lambda _: None, note=clerk.note)
    for scene in scenes:
        judge.judge(scene)
    judge.finish()
    samples.finish()
    with Worker("samples", samples.run):
        pass
    return found


def shaded(scenes: Iterable[Scene]) -> list[Scene]:
    """Each frame as bright as its time, ten a second."""
    return [
        replace(scene, frame=replace(scene.frame, picture=flat(shade=round(scene.at * 10)))) if scene.frame else scene
        for scene in scenes
    ]


@pytest.fixture
def settings() -> Config:
    return config(LINGERS).model_copy(update={"sampling": Sampling.model_validate({"rejects": "1 per hour"})})


def test_a_near_miss_is_kept_with_the_frame_of_its_closest_moment(settings: Config) -> None:
    scenes = [*walk(person, at=every(0.5, 1, 4)), *walk(at=every(0.5, 4.5, 12))]
    [(exhibit, jpeg)] = sampled(settings, shaded(scenes))
    assert (exhibit.rule, exhibit.camera, exhibit.start) == ("r0", "front", WALL + 4)
    assert exhibit.reasons == ("3 s of 5 s", "drawn from 1 near miss")
    assert abs(float(decoded(jpeg).mean()) - 40) < 2


def test_what_became_an_event_is_not(settings: Config) -> None:
    scenes = [*walk(person, at=every(0.5, 1, 8)), *walk(at=every(0.5, 8.5, 16))]
    assert sampled(settings, shaded(scenes)) == []


def test_without_sampling_nothing_is_kept() -> None:
    scenes = [*walk(person, at=every(0.5, 1, 4)), *walk(at=every(0.5, 4.5, 12))]
    assert sampled(config(LINGERS), shaded(scenes)) == []
