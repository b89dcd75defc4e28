"""What rules cost: a thousand of them on a crowded scene, and two sets of them on kept scenes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from smartcam.cli.bench.measuring import tell
from smartcam.cli.output import JsonOption

if TYPE_CHECKING:
    from smartcam.config import Config
    from smartcam.data import Scene
    from smartcam.pipeline.replay import Jury
    from smartcam.pipeline.scenes import KeptScenes
    from smartcam.rules import Engine

CAMERAS = 4
LABELS = 20
FPS = 10
NUMBERS = (100, 300, 1000, 3000)
GOOD_MS = 5.0
GOOD_SCENES_PER_S = 10_000

KINDS = (
    "score = 0.5",
    'zone = "z{camera}"\nscore = 0.4',
    'for = "5s"\ncooldown = "30s"',
    'count = ">= 3"\nfor = "2s"',
    'when = "night"\nunless = "disarmed"',
)
"""What rules ask for besides a label, in turn."""


def rules(json: JsonOption = False) -> None:
    """What a scene of fifty tracks costs with more and more rules, and how fast two sets of rules are compared."""
    for number in NUMBERS:
        _crowd(number, json)
    _comparison(json)


def _crowd(number: int, json: bool) -> None:
    """So many rules over four cameras: each on one of them, and each on all."""
    one = _ms_per_scene(_config(number, on_one=True))
    each = _ms_per_scene(_config(number, on_one=False))
    tell(
        json,
        "rules",
        {"rules": number, "ms_per_scene": round(one, 3), "ms_per_scene_on_every_camera": round(each, 3)},
        f"{number} rules and 50 tracks of {LABELS} labels: {one:.2f} ms a scene with each on one of {CAMERAS} cameras, "
        f"{each:.2f} ms with each on all" + (f" ({GOOD_MS:g} or less is good)" if number == 1000 else ""),
    )


def _comparison(json: bool, scenes: int = 3000) -> None:
    """Kept scenes, judged by two sets of ten rules: all of them changed, and as after an edit one of them."""
    from smartcam.pipeline.scenes import KeptScenes

    with tempfile.TemporaryDirectory(prefix="smartcam-bench-") as folder:
        kept = KeptScenes(Path(folder))
        with kept.keeping("bench") as keeper:
            for scene in _scenes(scenes, tracks=10):
                keeper.write(scene)
        all_, one = (scenes / _compared_s(kept, changed) for changed in (10, 1))
    tell(
        json,
        "compare",
        {"scenes_per_s": round(one), "scenes_per_s_all_changed": round(all_)},
        f"{one:.0f} kept scenes/s of ten tracks, read and judged by two sets of ten rules of which one changed "
        f"({GOOD_SCENES_PER_S} or more is good), {all_:.0f} where all did",
    )


def _compared_s(kept: KeptScenes, changed: int) -> float:
    """How long the old rules that changed and all new ones take, with reading the scenes."""
    from smartcam.rules import Engine, Ulids

    now = Engine(_config(10, on_one=False), Ulids(Random(0)))
    before = Engine(_config(changed, on_one=False), Ulids(Random(0)), ground_of=now)
    juries = [_jury(before), _jury(now)]
    began = time.perf_counter()
    for scene in kept.find("bench", "c0", 0.0) or ():
        for jury in juries:
            jury.judge(scene)
    for jury in juries:
        jury.finish()
    return time.perf_counter() - began


def _ms_per_scene(config: Config) -> float:
    from smartcam.rules import Engine, Ulids

    engine = Engine(config, Ulids(Random(0)))
    taken_s = []
    for scene in _scenes(150, tracks=50):
        began = time.perf_counter()
        engine.feed(scene)
        taken_s.append(time.perf_counter() - began)
    return statistics.mean(taken_s) * 1000


def _jury(engine: Engine) -> Jury:
    from smartcam.evidence.snapshots import Snapshots
    from smartcam.pipeline.replay import Jury
    from smartcam.pipeline.story import Notes

    return Jury(engine, Snapshots(engine.config, None), Notes("bench", "c0", 0.0))


def _config(number: int, *, on_one: bool) -> Config:
    """Rules that ask for each label, and each kind of thing, equally often."""
    from smartcam.config import parse

    text = ["[site]\nlatitude = 52.5\nlongitude = 13.4\n"]
    for camera in range(CAMERAS):
        text.append(f'[camera.c{camera}]\nsource = "-"\n[zone.z{camera}]\ncamera = "c{camera}"\n')
        text.append("points = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]\n")
    for n in range(number):
        camera = n // LABELS % CAMERAS if on_one else 0
        kind = KINDS[(n + n // LABELS) % len(KINDS)].format(camera=camera)
        where = f'camera = "c{camera}"\n' if on_one and "zone" not in kind else ""
        text.append(f'[rule.r{n}]\nsee = "label{n % LABELS}"\n{where}{kind}\n')
    return parse("".join(text))


def _scenes(number: int, *, tracks: int) -> Iterator[Scene]:
    """Of camera c0: things that never rest, and are looked at every time."""
    from smartcam.data import Box, Scene, Track

    chance = Random(0)
    for n in range(number):
        at = n / FPS
        seen = []
        for id_ in range(tracks):
            x, y = chance.random() * 0.05 + id_ / tracks * 0.9, chance.random() * 0.3 + 0.4
            box: Box = (x, y, x + 0.04, y + 0.2)
            score = 0.4 + 0.4 * chance.random()
            seen.append(Track(id_, f"label{id_ % LABELS}", box, score, 0.0, at, n + 3, confirmed=True))
        yield Scene("c0", at, at, tuple(seen), looked=True, frame=None)
