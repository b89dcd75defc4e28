"""The daemon and a replay say the same to the same scenes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.config import Config
from smartcam.data import Event, Scene
from smartcam.evidence.snapshots import Snapshots
from smartcam.pipeline.judge import Judge
from smartcam.pipeline.scenes import KeptScenes
from smartcam.rules import Engine, Ulids
from smartcam.workers import Worker
from tests.rules.scenes import WALL, Thing
from tests.rules.test_carrying import configured, rule_sets
from tests.rules.test_properties import story, things

of_one_camera = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.5, 1.0, 4.0]),
        st.lists(things, max_size=3, unique_by=lambda thing: thing.id),
        st.sampled_from(["looked", "looked", "skipped"]),
        st.just("front"),
    ),
    max_size=40,
)
"""A recording has one camera, and is never offline."""


def lived(config: Config, scenes: list[Scene]) -> list[Event]:
    """What the judge's thread tells of these scenes, which come with their pictures."""
    told: list[Event] = []
    judge = Judge(Engine(config, Ulids(Random(0))), Snapshots(config, None), told.append)
    with Worker("judge", judge.run):
        for scene in scenes:
            judge.put(scene)
    judge.finish()
    return told


def replayed(config: Config, scenes: list[Scene]) -> list[Event]:
    """What the rules tell of the same scenes, kept in a file without their pictures."""
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptScenes(Path(folder))
        with kept.keeping("story") as keeper:
            for scene in scenes:
                keeper.write(scene)
        found = kept.find("story", "front", WALL)
        assert found is not None
        engine = Engine(config, Ulids(Random(0)))
        told = [event for scene in found for event in engine.feed(scene)]
    return told + (engine.finish(scenes[-1].at, scenes[-1].wall) if scenes else [])


@settings(max_examples=60, deadline=None)
@given(rule_sets, of_one_camera)
def test_what_was_judged_live_is_judged_alike_from_what_was_kept(
    rules: list[dict[str, str]], moments: list[tuple[float, list[Thing], str, str]]
) -> None:
    config, scenes = configured(rules), story(moments)

    assert replayed(config, scenes) == lived(config, scenes)
