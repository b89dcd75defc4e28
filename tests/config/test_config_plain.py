"""What a configuration keeps, hides and sends, in words."""

from __future__ import annotations

import tomllib

import pytest

from smartcam.config import Config
from smartcam.config.plain import amount, camera, evidence, limits

CAMERA = '[camera.front]\nsource = "exec:x"\n'


def loaded(text: str) -> Config:
    return Config.model_validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("size", "said"), [(20_000_000, "20 MB"), (1_500_000_000, "1.5 GB"), (999, "999 B"), (0, "0 B"), (2000, "2 kB")]
)
def test_amounts_are_said_as_they_are_written(size: int, said: str) -> None:
    assert amount(size) == said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", []),
        ('do = ["snapshot"]', ["snapshot"]),
        ('do = ["clip"]', ["clip from 5 s before to 10 s after, at most 60 s"]),
        (
            'do = ["snapshot", "clip"]\nclip = { before = "2s", size = "640", audio = true }\nblur = ["person", "dog"]',
            [
                "snapshot",
                "clip from 2 s before to 10 s after, at most 60 s, 640 pixels wide when sent, with sound",
                "person and dog blurred",
            ],
        ),
    ],
)
def test_a_rule_says_what_shows_its_event(lines: str, said: list[str]) -> None:
    assert evidence(loaded(f'{CAMERA}[rule.r]\nsee = "person"\n{lines}').rule["r"]) == said


def test_a_camera_says_that_its_mask_was_taken() -> None:
    config = loaded(CAMERA + "mask = [[0, 0], [0.2, 0], [0.2, 0.2]]")
    assert camera("front", config.camera["front"]) == "front (1 mask)"
    assert camera("front", loaded(CAMERA).camera["front"]) == "front"


def test_nothing_is_said_of_what_is_as_ever() -> None:
    assert not list(limits(loaded(CAMERA)))


def test_limits_are_a_sentence_each() -> None:
    text = """
[uplink]
daily = "20MB"
rate = "2KB/s"
metered = true
[keep]
clips = "1GB"
[sampling]
rejects = "1 per hour"
"""
    link, kept, samples = limits(loaded(CAMERA + text))
    assert link == (
        "link: 20 MB in any 24 hours, for alerts 2 MB more, pictures and clips at most 2 kB/s, "
        "metered: clips wait here until they are fetched"
    )
    assert kept.startswith("kept: clips 1 GB and 365 days, snapshots 1 GB and 90 days, ")
    assert samples == "samples of what nearly fired: 24 a day, kept here"
