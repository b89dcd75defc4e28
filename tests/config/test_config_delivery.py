"""The sections about what leaves the device and what stays, and the keys of rules and cameras beside them."""

from __future__ import annotations

import tomllib

import pytest

from smartcam.config import Config
from smartcam.config.files import understand
from smartcam.config.problems import BadConfigFile
from smartcam.config.sources import Sources

CAMERA = '[camera.front]\nsource = "exec:x"\n'
RULE = CAMERA + '[rule.r]\nsee = "person"\n'


def loaded(text: str) -> Config:
    return Config.model_validate(tomllib.loads(text))


def problem(text: str) -> str:
    """The one that there is, with its line."""
    with pytest.raises(BadConfigFile) as refused:
        understand(Sources("smartcam.toml", {"smartcam.toml": text}))
    (found,) = refused.value.problems
    return f"{found.line}: {found.key}: {found.message}"


def test_without_a_word_nothing_is_limited_but_the_disk() -> None:
    config = loaded(CAMERA)
    assert config.uplink.daily is None
    assert config.uplink.rate is None
    assert not config.uplink.metered
    assert config.sampling.rejects is None
    assert config.keep.clips.size == 4_000_000_000


def test_alerts_have_a_tenth_of_the_day_in_reserve() -> None:
    assert loaded(CAMERA + '[uplink]\ndaily = "20MB"').uplink.reserve_bytes == 2_000_000
    assert loaded(CAMERA + '[uplink]\ndaily = "20MB"\nreserve = "0B"').uplink.reserve_bytes == 0
    assert loaded(CAMERA).uplink.reserve_bytes == 0


def test_a_reserve_of_nothing_is_refused() -> None:
    assert problem(CAMERA + '[uplink]\nreserve = "1MB"') == (
        "4: uplink.reserve: it is what alerts may take beyond `daily`: give that too, or take this out"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('daily = "20 apples"', '4: uplink.daily: "20 apples" is not an amount of bytes'),
        ('daily = "1KB"', "4: uplink.daily: it should be at least 100KB"),
        ('rate = "16kbit/s"', '4: uplink.rate: "16kbit/s" is not a rate: write bytes a second'),
        ('rate = "3B/s"', "4: uplink.rate: it should be at least 200B/s"),
    ],
)
def test_limits_that_mean_nothing_are_refused(line: str, said: str) -> None:
    assert problem(CAMERA + f"[uplink]\n{line}").startswith(said)


def test_a_clip_is_described_beside_the_rule_that_asks_for_it() -> None:
    rule = loaded(RULE + 'do = ["clip"]\nclip = { before = "3s", size = "640" }').rule["r"]
    assert (rule.clip.before, rule.clip.after, rule.clip.at_most, rule.clip.size) == (3.0, 10.0, 60.0, 640)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('clip = { before = "3s" }', '5: rule.r.clip: no clip is sent: add do = ["clip"], or take this out'),
        ('do = ["clip"]\nclip = { before = "10m" }', "6: rule.r.clip.before: it should be from 0s to 60s"),
        (
            'do = ["clip"]\nclip = { before = "30s", at_most = "20s" }',
            "6: rule.r.clip.at_most: 20 s is all of it, also the 30 s of `before`",
        ),
        ('do = ["clip"]\nclip = { size = "640x480" }', '6: rule.r.clip.size: "640x480" is not a size'),
        ('blur = "person"', "5: rule.r.blur: nothing is sent that could be blurred"),
        ('do = ["clip"]\nblur = "@cats"', "6: rule.r.blur:"),
    ],
)
def test_evidence_that_cannot_be_is_refused(lines: str, said: str) -> None:
    assert problem(RULE + lines).startswith(said)


def test_a_mask_is_one_or_more_outlines() -> None:
    mask = "mask = [[[0, 0], [0.2, 0], [0.2, 0.2]], [[0.5, 0.5], [1, 0.5], [1, 1]]]"
    assert len(loaded(CAMERA + mask).camera["front"].mask) == 2
    assert len(loaded(CAMERA + "mask = [[0, 0], [0.2, 0], [0.2, 0.2]]").camera["front"].mask) == 1


@pytest.mark.parametrize("mask", ["[[0, 0], [0.2, 0]]", "[[[0, 0], [0.2, 0]]]", "[[[0, 0], [2, 0], [0, 2]]]", '"left"'])
def test_what_is_no_outline_is_refused_with_its_line(mask: str) -> None:
    assert problem(CAMERA + f"mask = {mask}").startswith("3: camera.front.mask")
