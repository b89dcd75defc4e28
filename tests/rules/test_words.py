"""Every key of the language in plain words, and what the sun does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smartcam.config import Config, Site, parse
from smartcam.config.when import When
from smartcam.rules.calendar import Calendar
from smartcam.rules.words import DASH, alarm, describe, duration, needs_sun, sun_today, windows

ONE_CAMERA = """
[camera.front]
source = "a.mp4"
[zone.yard]
camera = "front"
points = [[0, 0], [1, 0], [1, 1]]
[line.fence]
camera = "front"
points = [[0, 0], [1, 1]]
[group]
wildlife = ["deer", "boar"]
[mode.home]
[mode.holiday]
"""
TWO_CAMERAS = f'{ONE_CAMERA}[camera.gate]\nsource = "b.mp4"\n'


def configured(rule: str, base: str = ONE_CAMERA) -> Config:
    return parse(f"{base}[rule.r]\n{rule}\n")


def said(rule: str, base: str = ONE_CAMERA) -> str:
    """The sentence, without the name, and with hyphens for dashes."""
    config = configured(rule, base)
    return describe("r", config.rule["r"], config).removeprefix("r: ").replace(DASH, "-")


def test_a_whole_rule_reads_as_a_person_would_say_it() -> None:
    rule = """
    see    = "person"
    zone   = "yard"
    when   = ["mon-fri 18:00-07:00", "sat-sun"]
    unless = "disarmed"
    level  = "alert"
    do     = ["snapshot", "clip"]
    """
    assert said(rule) == (
        "a person in yard on front, Mon-Fri 18:00-07:00 and at weekends, unless disarmed → alert, "
        "snapshot, clip from 5 s before to 10 s after, at most 60 s"
    )


KEYS = {
    'see = "owl"': "an owl on front → event",
    'see = "unicorn"': "a unicorn on front → event",
    'see = "cattle"': "cattle on front → event",
    'see = ["deer", "boar", "fox"]': "a deer, boar or fox on front → event",
    'see = ["cat", "owl"]': "a cat or an owl on front → event",
    'see = "@any"': "anything on front → event",
    'see = "@wildlife"': "any of @wildlife (deer, boar) on front → event",
    'see = ["person", "@wildlife"]': "a person or any of @wildlife (deer, boar) on front → event",
    'see = "person"\ncount = ">= 3"': "3 or more people on front → event",
    'see = ["fox", "pony"]\ncount = "> 2"': "more than 2 foxes or ponies on front → event",
    'see = "barn owl"\ncount = "== 2"': "exactly 2 barn owls on front → event",
    'see = "sheep"\ncount = "< 4"': "fewer than 4 sheep on front → event",
    'see = "calf"\ncount = "<= 1"': "at most 1 calf on front → event",
    'see = "@wildlife"\ncount = 2': "2 or more of @wildlife (deer, boar) on front → event",
    'see = "@any"\ncount = 2': "2 or more things on front → event",
    'see = "person"\ncount = "== 0"\nfor = "10m"': "no person on front for 10 min → event",
    'see = ["person", "@wildlife"]\ncount = "<= 0"': ("no person and none of @wildlife (deer, boar) on front → event"),
    'see = "@any"\ncount = "< 1"': "nothing at all on front → event",
    'see = "dog"\nwith = "person"\nwithin = "5s"': "a dog on front, together with a person within 5 s → event",
    'see = "dog"\ncrosses = "fence"\ntoward = "in"': "a dog crossing fence inwards on front → event",
    'see = "dog"\ncrosses = "fence"': "a dog crossing fence either way on front → event",
    'see = "dog"\nscore = 0.5\nheight = 0.1': (
        "a dog on front, score at least 0.5, at least 10% of the picture tall → event"
    ),
    'see = "dog"\nheight = [0.1, 0.6]': "a dog on front, 10 to 60% of the picture tall → event",
    'see = "dog"\nheight = [0, 0.6]': "a dog on front, at most 60% of the picture tall → event",
    'see = "dog"\nonly = ["armed", "holiday"]': "a dog on front, only while armed or in mode holiday → event",
    'see = "dog"\nonce = "visit"': "a dog on front, once a visit → event",
    'see = "dog"\nonce = "day per label"': "a dog on front, once a day for each label → event",
    'see = "dog"\ncooldown = "30m"': "a dog on front, then silent for 30 min → event",
    'see = "dog"\ncooldown = "30m per zone"': "a dog on front, then silent for 30 min about that zone → event",
    'at = ["12:00", "18:30"]': "at 12:00 and 18:30 every day on front → event",
    'at = "12:00"\nwhen = "mon-fri"': "at 12:00 on front, Mon-Fri → event",
    'see = "dog"\nmessage = "a {label}"\nlevel = "info"': 'a dog on front → info, saying "a {label}"',
}


@pytest.mark.parametrize("rule", KEYS)
def test_each_key_has_its_words(rule: str) -> None:
    assert said(rule) == KEYS[rule]


def test_a_zone_that_asks_for_a_height_says_so() -> None:
    base = ONE_CAMERA.replace("[zone.yard]\n", "[zone.yard]\nheight = 0.2\n")

    assert said('see = "dog"\nzone = "yard"', base).startswith("a dog in yard (there at least 20% of the picture tall)")


def test_where_a_rule_names_no_camera_it_is_said_how_it_counts() -> None:
    """Three cattle on one camera and none on the other are three on one, not three altogether."""
    assert said('see = "dog"', TWO_CAMERAS) == "a dog on any camera → event"
    assert said('see = "dog"\ncamera = "gate"', TWO_CAMERAS) == "a dog on gate → event"
    assert said('see = "dog"\nzone = "yard"', TWO_CAMERAS) == "a dog in yard on front → event"
    assert said('see = "cattle"\ncount = 3', TWO_CAMERAS) == "3 or more cattle on each camera by itself → event"
    assert said('at = "12:00"', TWO_CAMERAS) == "at 12:00 every day on each camera → event"


def test_a_rule_that_is_switched_off_says_so_first() -> None:
    config = configured('see = "dog"\nenabled = false')

    assert describe("r", config.rule["r"], config).startswith("r (switched off): a dog")


WINDOWS = {
    "night": "at night",
    "fri night": "Fri at night",
    "day": "by day",
    "sat-sun": "at weekends",
    "weekends 10:00-12:00": "Sat-Sun 10:00-12:00",
    "fri-mon": "Fri-Mon",
    "mon,wed,fri 8:00-9:00": "Mon/Wed/Fri 08:00-09:00",
    "sunset-30m - 23:00": "from 30 min before sunset to 23:00",
    "fri sunset - sunrise+2h": "Fri from sunset to 2 h after sunrise",
    "mon-sun": "every day",
}


@pytest.mark.parametrize("text", WINDOWS)
def test_each_window_has_its_words(text: str) -> None:
    assert windows([When.read(text)]).replace(DASH, "-") == WINDOWS[text]


SEVERAL = {
    ("mon-fri 18:00-07:00", "sat-sun"): "Mon-Fri 18:00-07:00 and at weekends",
    ("mon", "wed 08:00-12:00", "fri night"): "Mon, Wed 08:00-12:00 and Fri at night",
    ("mon-fri", "18:00-07:00"): "Mon-Fri or 18:00-07:00",
    ("night", "sat-sun"): "at night or at weekends",
    ("06:00-09:00", "18:00-21:00"): "06:00-09:00 or 18:00-21:00",
    ("mon-wed", "wed-fri", "sun"): "Mon-Wed, Wed-Fri or Sun",
}


@pytest.mark.parametrize("texts", SEVERAL)
def test_several_windows_are_joined_so_that_nobody_thinks_that_all_must_hold(texts: tuple[str, ...]) -> None:
    assert windows(map(When.read, texts)).replace(DASH, "-") == SEVERAL[texts]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (90, "90 s"), (120, "2 min"), (5400, "1 h 30 min"), (125, "2 min 5 s"), (172800, "2 d")],
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_alarm_is_told_where_it_makes_a_difference() -> None:
    base = '[camera.front]\nsource = "a.mp4"\n'
    only = '[rule.r]\nsee = "dog"\nonly = "armed"\n'
    modes = '[armed]\nwhen = "night"\n[mode.home]\n[mode.away]\nwhen = "mon-fri"\n'

    assert alarm(parse(base)) == []
    assert alarm(parse(base + only)) == ["armed until somebody disarms"]
    told = [
        sentence.replace(DASH, "-") for sentence in alarm(parse(base + modes + "[site]\nlatitude=1\nlongitude=1\n"))
    ]
    assert told == ["armed at night, otherwise disarmed", "mode home at first", "mode away, Mon-Fri"]


@pytest.mark.parametrize(
    ("section", "needed"),
    [
        ('[armed]\nwhen = "night"', True),
        ('[mode.away]\nwhen = "sunset-23:00"', True),
        ('[rule.r]\nsee = "dog"\nwhen = "dawn"', True),
        ('[rule.r]\nsee = "dog"\nwhen = "18:00-07:00"', False),
    ],
)
def test_the_sun_is_needed_by_rules_and_by_the_alarm(section: str, needed: bool) -> None:
    site = "[site]\nlatitude = 46.5\nlongitude = 8.5\n"
    assert needs_sun(parse(f'[camera.front]\nsource = "a.mp4"\n{site}{section}\n')) is needed


def at(year: int, month: int, day: int) -> float:
    return datetime(year, month, day, 12, tzinfo=UTC).timestamp()


def test_the_sun_of_a_november_day_in_the_alps() -> None:
    calendar = Calendar(Site(latitude=46.56, longitude=8.56, timezone="Europe/Zurich"))

    assert sun_today(calendar, at(2026, 11, 24)) == "today the sun sets at 16:44 and rises tomorrow at 07:41"


def test_polar_day_and_polar_night_are_said() -> None:
    tromso = Calendar(Site(latitude=69.65, longitude=18.96, timezone="Europe/Oslo"))

    assert sun_today(tromso, at(2026, 6, 21)) == "today the sun does not set: there is no night"
    assert sun_today(tromso, at(2026, 12, 21)) == "today the sun does not rise: it is night all day"


def test_every_day_of_a_polar_year_has_its_sentence() -> None:
    """Also those on which one or the other happens and the other does not."""
    tromso = Calendar(Site(latitude=69.65, longitude=18.96, timezone="Europe/Oslo"))
    said = [sun_today(tromso, at(2026, 1, 1) + day * 86400) for day in range(365)]

    assert any("(after midnight)" in each for each in said)
    assert [each for each in said if each.endswith("tomorrow it does not rise")] != []
    assert not any("nobody knows" in each for each in said)


def test_without_a_place_nobody_knows() -> None:
    assert "[site]" in sun_today(Calendar(Site(timezone="UTC")), at(2026, 6, 21))
