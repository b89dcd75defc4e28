import re
from pathlib import Path

import pytest

from smartcam.camera.source import find
from smartcam.config.sections import Camera
from smartcam.errors import Unavailable
from tests.clips import picture


def test_credentials_are_merged_into_the_url_that_is_opened_only(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a:b@c/d %\n")

    source = find(Camera(source="rtsp://cam.lan:8554/stream", username="bob", password_file=str(password)))

    assert source.place == "rtsp://bob:a%3Ab%40c%2Fd%20%25@cam.lan:8554/stream"
    assert source.shown == "rtsp://cam.lan:8554/stream"
    assert "a%3Ab" not in repr(source)
    assert ("rtsp_transport", "tcp") in source.options


@pytest.mark.parametrize(("sound", "asked"), [(False, "video"), (True, "video+audio")])
def test_an_rtsp_camera_is_asked_for_what_is_wanted_and_no_more(sound: bool, asked: str) -> None:
    """It then sends no sound, which would cost the link, and which nobody agreed to."""
    source = find(Camera(source="rtsp://cam.lan/stream"), sound=sound)

    assert ("allowed_media_types", asked) in source.options


def test_the_url_may_name_the_user_and_the_file_hold_the_password(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("new")

    source = find(Camera(source="rtsp://bob:old@[::1]/stream", password_file=str(password)))

    assert source.place == "rtsp://bob:new@[::1]/stream"


def test_a_folder_is_its_pictures_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "c.bmp"):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()

    source = find(Camera(source=str(tmp_path)))

    assert [path.name for path in source.pictures] == ["a.PNG", "b.jpg", "c.bmp"]
    assert not source.live


def test_a_picture_is_a_folder_of_one(tmp_path: Path) -> None:
    path = picture(tmp_path / "one.png")

    assert find(Camera(source=str(path))).pictures == (path,)


def test_a_command_is_split_without_a_shell() -> None:
    source = find(Camera(source="exec:prog 'a b' $HOME | more", format="h265"))

    assert source.command == ("prog", "a b", "$HOME", "|", "more")
    assert source.av_format == "hevc"
    assert source.live


def test_a_device_takes_its_form_from_the_configuration() -> None:
    """/dev/null stands in for the device, which only has to be there."""
    source = find(
        Camera.model_validate({"source": "/dev/null", "pixel_format": "mjpeg", "size": "1280x720", "fps": 15})
    )

    assert source.av_format == "v4l2"
    asked_for = {"input_format": "mjpeg", "video_size": "1280x720", "framerate": "15"}
    assert asked_for.items() <= dict(source.options).items()


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        ({"source": "missing.mp4"}, "missing.mp4: no such file"),
        ({"source": "~nobody-of-this-name/a.mp4"}, "~nobody-of-this-name/a.mp4: no such file"),
        ({"source": "long" * 100}, "file name too long"),
        ({"source": "/dev/video9"}, "/dev/video9: no such device"),
        ({"source": "/dev/" + "long" * 100}, "file name too long"),
        ({"source": "{folder}"}, "no pictures in this folder"),
        ({"source": "rtsp://cam/", "username": "bob", "password_file": "{folder}/no"}, "password_file"),
        ({"source": "rtsp://cam/", "username": "bob", "password_file": "/dev/null"}, "empty"),
    ],
)
def test_what_is_not_there_is_told_with_a_remedy(camera: dict[str, str], words: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    config = Camera.model_validate({key: value.format(folder=folder) for key, value in camera.items()})

    with pytest.raises(Unavailable, match=re.escape(words)) as caught:
        find(config)

    assert "\n" not in str(caught.value)


def test_a_command_of_several_lines_is_shown_in_one() -> None:
    source = find(Camera(source="exec: prog\n  --password hunter2\n  --out -"))

    assert source.command == ("prog", "--password", "hunter2", "--out", "-")
    assert source.shown == "exec: prog --password *** --out -"
