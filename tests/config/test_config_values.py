"""The kinds of value, and the sentences for what is none."""

from __future__ import annotations

import math
import zoneinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.config.grammar import Count
from smartcam.config.values import (
    RESERVED,
    camera_name,
    labels,
    name,
    seconds,
    shown,
    size,
    timezone,
)

NOT_NAMES = ["", "a/b", "a+b", "a#b", "Front", "front yard", "-front", "_x", "haus-ü", "a\n", "x" * 33, "$SYS"]


@pytest.mark.parametrize("good", ["a", "7", "front", "front-yard_2", "x" * 32])
def test_a_name_can_stand_in_a_topic_and_in_a_path(good: str) -> None:
    assert name(good) == good


@pytest.mark.parametrize("bad", NOT_NAMES)
def test_what_could_not_is_refused_with_the_rule(bad: str) -> None:
    with pytest.raises(ValueError, match=r"is not a name: use 1 to 32 of a-z, 0-9"):
        name(bad)


@pytest.mark.parametrize("taken", sorted(RESERVED))
def test_a_camera_may_not_be_called_like_the_nodes_own_topics(taken: str) -> None:
    with pytest.raises(ValueError, match=f'may not be called "{taken}"'):
        camera_name(taken)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2 minutes", 120),
        ("30min", 1800),
        ("30 sec", 30),
        ("1 Hour 15 Mins", 4500),
        ("2hrs", 7200),
        ("1 day", 86400),
        ("1h 30m", 5400),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("2d", 172800),
        (3, 3),
        (0.5, 0.5),
        (0, 0),
    ],
)
def test_durations(written: Any, meant: float) -> None:
    assert seconds(written) == meant


@pytest.mark.parametrize(
    "bad", ["", "s", "90", "90 parsecs", "1h30", "-5s", "1.5.2s", "five", True, None, [5], {"s": 5}]
)
def test_what_is_no_duration_is_told_how_to_write_one(bad: Any) -> None:
    with pytest.raises(ValueError, match='is not a duration: write "90s", "5m", "1h30m" or "250ms"'):
        seconds(bad)


@pytest.mark.parametrize("bad", [-1, -0.001, math.nan, math.inf, -math.inf, 10**400, "9" * 400 + "d", "4000d"])
def test_a_duration_is_neither_negative_nor_endless(bad: Any) -> None:
    """TOML knows nan and inf, and nothing compares with nan."""
    with pytest.raises(ValueError, match="not negative, and at most 3650 days long"):
        seconds(bad)


def test_sizes() -> None:
    assert size("1280x720") == (1280, 720)


@pytest.mark.parametrize("bad", ["1280", "1280X720", "1280 x 720", "1x1", "-10x10", 720, None, [1280, 720]])
def test_what_is_no_size_is_told_how_to_write_one(bad: Any) -> None:
    with pytest.raises(ValueError, match='is not a size: write width and height in pixels, like "1280x720"'):
        size(bad)


@pytest.mark.parametrize("huge", ["99999x99999", "8193x8193"])
def test_a_picture_that_would_not_be_decoded_is_no_size(huge: str) -> None:
    with pytest.raises(ValueError, match="larger than 64 megapixels; choose a smaller one"):
        size(huge)


def test_time_zones() -> None:
    assert timezone("Europe/Zurich") == "Europe/Zurich"


@pytest.mark.parametrize("bad", ["Europe/Zurch", "Europe", "", "../zone", "/etc/localtime", "CEST!", "a\0", "x" * 300])
def test_an_unknown_time_zone_is_told_where_the_known_ones_are(bad: str) -> None:
    with pytest.raises(ValueError, match=r"no time zone .*; `timedatectl list-timezones` lists them all"):
        timezone(bad)


def test_a_misspelt_time_zone_is_told_which_one_it_may_be() -> None:
    with pytest.raises(ValueError, match=r'no time zone "Europe/Zurch" \(did you mean "Europe/Zurich"\?\)'):
        timezone("Europe/Zurch")


def test_time_zones_are_known_on_a_machine_that_has_none() -> None:
    """Small systems come without the database: ours is a Python package."""
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert timezone("Europe/Zurich") == "Europe/Zurich"
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Person", ("person",)),
        (["deer", " Fox "], ("deer", "fox")),
        ("@wildlife", ("@wildlife",)),
    ],
)
def test_labels_are_lower_cased(written: Any, meant: tuple[str, ...]) -> None:
    assert labels(written) == meant


@pytest.mark.parametrize("bad", ["", "  ", [], ["deer", ""], 5, [5], {"deer": 1}, None])
def test_what_is_no_label_is_told_how_to_write_some(bad: Any) -> None:
    with pytest.raises(ValueError, match=r'write one label \("person"\)'):
        labels(bad)


@pytest.mark.parametrize(
    ("written", "holds", "fails"),
    [
        (3, [3, 4], [0, 2]),
        ("3", [3, 4], [2]),
        (">= 3", [3, 4], [2]),
        (">3", [4], [3]),
        ("< 3", [0, 2], [3]),
        ("<=3", [3], [4]),
        ("== 0", [0], [1]),
    ],
)
def test_counts_compare(written: Any, holds: list[int], fails: list[int]) -> None:
    count = Count.read(written)
    assert all(map(count.holds, holds))
    assert not any(map(count.holds, fails))


@pytest.mark.parametrize(
    ("written", "why"), [(0, '">= 0" always holds'), (">=0", '">= 0" always holds'), ("< 0", '"< 0" can never hold')]
)
def test_a_count_that_always_or_never_holds_is_asked_about(written: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f'{why}: did you mean "== 0"'):
        Count.read(written)


@given(st.sampled_from([">=", "<=", ">", "<", "=="]), st.integers(1, 99))
def test_a_count_reads_back_as_it_is_shown(operator: str, number: int) -> None:
    """Equal sections mean equal parts of the daemon, so counts have to be equal by value."""
    count = Count(operator, number)
    again = Count.read(str(count))
    assert again == count
    assert hash(again) == hash(count)


@pytest.mark.parametrize("bad", ["", ">= ", "=> 3", ">> 3", "three", -1, 1.5, True, [3], None])
def test_what_is_no_count_is_told_how_to_write_one(bad: Any) -> None:
    with pytest.raises(ValueError, match='is not a count: write a number, or a comparison like ">= 3"'):
        Count.read(bad)


@pytest.mark.parametrize(
    ("value", "as_toml"),
    [
        ("yard", '"yard"'),
        ('say "hi"\n', r'"say \"hi\"\n"'),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        ([1, 2], "a list"),
        ({"a": 1}, "a table"),
        (10**100, "1" + "0" * 58 + "…"),
        ("x" * 100, '"' + "x" * 59 + '…"'),
    ],
)
def test_a_value_is_shown_as_toml_writes_it(value: Any, as_toml: str) -> None:
    assert shown(value) == as_toml


@pytest.mark.parametrize(
    "url", ["rtsp://admin:hunter2@cam/1", "see rtsp://a:hunter2@b", "mqtt://u:p@hunter2@host", "http://c/?pwd=hunter2"]
)
def test_no_password_of_a_url_is_shown(url: str) -> None:
    assert "hunter2" not in shown(url)
