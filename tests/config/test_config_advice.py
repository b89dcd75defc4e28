"""Warnings: what works, and is not wise."""

from __future__ import annotations

import pytest

from smartcam.config import Sources, parse, warnings


def warned(text: str) -> list[str]:
    return [str(problem) for problem in warnings(parse(text), "smartcam.toml")]


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


def test_clips_are_not_made_yet() -> None:
    (warning,) = warned(CAMERA + '[rule.r]\nsee = "person"\ndo = ["snapshot", "clip"]\n')
    assert warning == (
        "smartcam.toml: rule.r.do: clips are not made by this version: the rule sends what else it asks for"
    )


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


def test_sources_tell_the_line_too() -> None:
    text = CAMERA + '[rule.r]\nsee = "person"\ndo = ["clip"]\n'
    (warning,) = warnings(parse(text), Sources("s.toml", {"s.toml": text}))
    assert (warning.file, warning.line) == ("s.toml", 5)


def test_nothing_is_said_about_a_good_configuration() -> None:
    login = 'username = "bob"\npassword_file = "/etc/x"'
    assert not warned(f'[camera.front]\nsource = "rtsp://cam/2"\nrecord = "rtsp://cam/1"\n{login}\n')
