"""Warnings: what works, and is not wise."""

from __future__ import annotations

import pytest

from smartcam.config import parse, warnings


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


def test_nothing_is_said_about_a_good_configuration() -> None:
    login = 'username = "bob"\npassword_file = "/etc/x"'
    assert not warned(f'[camera.front]\nsource = "rtsp://cam/2"\nrecord = "rtsp://cam/1"\n{login}\n')
