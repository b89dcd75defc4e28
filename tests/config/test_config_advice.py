"""Warnings: what works, and is not wise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smartcam.config import Sources, parse, warnings
from smartcam.config.values import readable


def warned(text: str) -> list[str]:
    return [str(problem) for problem in warnings(parse(text), "smartcam.toml")]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the one file that the cameras here play."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    return tmp_path


@pytest.mark.parametrize(
    "source",
    ["rtsp://bob:hunter2@cam/", "http://cam/?user=bob&password=hunter2", "exec:grab --password hunter2"],
)
@pytest.mark.parametrize("key", ["source", "record"])
def test_a_password_in_a_stream_is_warned_about_and_not_shown(key: str, source: str) -> None:
    other = "record" if key == "source" else "source"
    (warning,) = warned(f'[camera.front]\n{key} = "{source}"\n{other} = "rtsp://cam/1"\n')
    assert warning.startswith(f"smartcam.toml: camera.front.{key}: a password stands in it: give username")
    assert "hunter2" not in warning


def test_a_record_stream_that_is_the_source_is_pointless() -> None:
    (warning,) = warned('[camera.front]\nsource = "rtsp://cam/1"\nrecord = "rtsp://cam/1"\n')
    assert "camera.front.record: it is the same stream as source" in warning


CAMERA = '[camera.front]\nsource = "x"\n'
ZONE = '[zone.far]\ncamera = "front"\npoints = [[0, 0], [1, 0], [0, 1]]\nheight = [0.1, 0.3]\n'


CLIPS = '[rule.r]\nsee = "person"\ndo = ["clip"]\n[uplink]\nmetered = true\n'


def test_clips_that_wait_for_nobody() -> None:
    (warning,) = warned(CAMERA + CLIPS)
    assert "rule.r.do: on a metered link its clips wait here until they are fetched" in warning
    assert not warned(CAMERA + CLIPS + '[mqtt]\ncontrol = "all"\n')


@pytest.mark.parametrize(("height", "number"), [("0.5", 1), ("[0.31, 0.4]", 1), ("[0.01, 0.09]", 1), ("0.2", 0)])
def test_a_height_that_no_thing_in_the_zone_has(height: str, number: int) -> None:
    told = warned(CAMERA + ZONE + f'[rule.r]\nsee = "person"\nzone = "far"\nheight = {height}\n')
    assert len(told) == number
    assert all('be so tall and also in zone "far", whose height is 0.1 to 0.3' in warning for warning in told)


def test_modes_that_no_rule_asks_for() -> None:
    modes = "[mode.home]\n[mode.away]\n"
    (warning,) = warned(CAMERA + modes + '[rule.r]\nsee = "person"\nunless = "disarmed"\n')
    assert warning == "smartcam.toml: mode: no rule asks for a mode: add only or unless to a rule"
    assert not warned(CAMERA + modes + '[rule.r]\nsee = "person"\nonly = "away"\n')


def test_a_mode_that_only_a_person_sets_is_none_that_nobody_needs() -> None:
    assert not warned(CAMERA + '[mode.home]\n[mode.away]\n[rule.r]\nsee = "person"\nonly = "away"\n')


@pytest.mark.parametrize(
    ("modes", "asked", "why"),
    [
        (
            ["home"],
            'unless = "home"',
            '"home" is the only mode, so it always holds: add another [mode.NAME], or take `unless` out',
        ),
        (
            ["home"],
            'only = "armed"\nunless = "home"',
            '"home" is the only mode, so it always holds: add another [mode.NAME], or take `unless` out',
        ),
        ([], 'unless = ["armed", "disarmed"]', 'one of "armed", "disarmed" always holds: take one of them out'),
        (["a", "b"], 'unless = ["a", "b"]', 'one of "a", "b" always holds: take one of them out'),
    ],
)
def test_a_rule_that_no_state_lets_fire(modes: list[str], asked: str, why: str) -> None:
    sections = "".join(f"[mode.{mode}]\n" for mode in modes)
    (warning,) = warned(CAMERA + sections + f'[rule.r]\nsee = "person"\n{asked}\n')
    assert warning == f"smartcam.toml: rule.r.unless: the rule never fires: {why}"


@pytest.mark.parametrize("asked", ['unless = "a"', 'unless = ["armed", "a"]', 'only = "b"\nunless = ["disarmed", "a"]'])
def test_a_rule_that_some_state_lets_fire(asked: str) -> None:
    assert not warned(CAMERA + f'[mode.a]\n[mode.b]\n[rule.r]\nsee = "person"\n{asked}\n')


def test_a_file_that_is_not_there_is_waited_for(place: Path) -> None:
    text = f'[camera.gate]\nsource = "bike.mp4"\nrecord = "{place}/x/y.mp4"\n'
    assert list(map(str, warnings(parse(text), Sources("s.toml", {"s.toml": text})))) == [
        "s.toml:2: camera.gate.source: there is no file bike.mp4 here: smartcam will wait for it",
        f"s.toml:3: camera.gate.record: there is no file {readable(f'{place}/x/y.mp4')}: smartcam will wait for it",
    ]


@pytest.mark.parametrize("source", ["x", "~", "exec:grab", "rtsp://cam/1", "/dev/video77", "."])
def test_what_is_there_or_is_no_file_is_not_missed(source: str) -> None:
    assert not warned(f'[camera.gate]\nsource = "{source}"\n')


@pytest.mark.skipif(os.getuid() == 0, reason="root may look everywhere")
def test_a_file_that_only_the_daemon_may_see_is_not_missed(place: Path) -> None:
    (place / "private").mkdir(mode=0)
    assert not warned('[camera.gate]\nsource = "private/bike.mp4"\n')


def test_sources_tell_the_line_too() -> None:
    text = CAMERA + '[rule.r]\nsee = "person"\nunless = ["armed", "disarmed"]\n'
    (warning,) = warnings(parse(text), Sources("s.toml", {"s.toml": text}))
    assert (warning.file, warning.line) == ("s.toml", 5)


def test_nothing_is_said_about_a_good_configuration() -> None:
    login = 'username = "bob"\npassword_file = "/etc/x"'
    assert not warned(f'[camera.front]\nsource = "rtsp://cam/2"\nrecord = "rtsp://cam/1"\n{login}\n')
