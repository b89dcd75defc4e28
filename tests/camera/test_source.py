import re
from pathlib import Path

import pytest

from smartcam.camera.source import find, shown
from smartcam.config.sections import Camera
from smartcam.errors import BadConfig, SmartcamError, Unavailable
from tests.clips import picture


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://bob:hunter2@cam.lan/stream",
        "rtsps://bob:p@ss/hunter2@cam.lan:554/stream",
        "rtsp://:hunter2@cam.lan/",
        "http://cam.lan/video?user=bob&password=hunter2&channel=1",
        "http://cam.lan/video?user=bob&pwd=hunter2",
        "http://cam.lan/video?token=hunter2#x",
        "exec:gst-launch-1.0 rtspsrc location=rtsp://cam user-id=bob user-pw=hunter2 ! fdsink",
        "exec:grab --password hunter2 --out -",
        "exec:grab --rtsp-password hunter2 --out -",
        "cannot log in with password: hunter2",
        "exec:grab --password 'hunter2 hunter2' --out -",
        "[Errno 5] Input/output error: 'rtsp://bob:hunter2@cam.lan/stream'",
    ],
)
def test_a_password_is_never_shown(text: str) -> None:
    assert "hunter2" not in shown(text)
    assert "***" in shown(text)


@pytest.mark.parametrize(
    "text",
    ["rtsp://cam.lan:554/stream?channel=1", "/media/clip.mp4", "exec:rpicam-vid -t 0 -o -", "x264enc key-int-max=25"],
)
def test_what_holds_no_password_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_credentials_are_merged_into_the_url_that_is_opened_only(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a:b@c/d %\n")

    source = find(Camera(source="rtsp://cam.lan:8554/stream", username="bob", password_file=str(password)))

    assert source.place == "rtsp://bob:a%3Ab%40c%2Fd%20%25@cam.lan:8554/stream"
    assert source.shown == "rtsp://cam.lan:8554/stream"
    assert "a%3Ab" not in repr(source)
    assert ("rtsp_transport", "tcp") in source.options


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
    assert dict(source.options) == {"input_format": "mjpeg", "video_size": "1280x720", "framerate": "15"}


@pytest.mark.parametrize(
    ("camera", "error", "words"),
    [
        ({"source": "missing.mp4"}, Unavailable, "missing.mp4: no such file"),
        ({"source": "/dev/video9"}, Unavailable, "/dev/video9: no such device"),
        ({"source": "{folder}"}, Unavailable, "no pictures in this folder"),
        ({"source": "ftp://cam/x"}, BadConfig, "ftp:// is not a source; use rtsp://"),
        ({"source": "exec:"}, BadConfig, "without a command"),
        ({"source": "exec:prog 'a"}, BadConfig, "close the quotes"),
        ({"source": "exec:prog", "format": "i420"}, BadConfig, 'size = "WIDTHxHEIGHT"'),
        ({"source": "exec:prog", "format": "i420", "size": "20000x20000"}, BadConfig, "larger than 64 megapixels"),
        ({"source": "rtsp://cam/", "password_file": "/etc/hostname"}, BadConfig, "without a username"),
        ({"source": "rtsp://cam/", "username": "bob", "password_file": "{folder}/no"}, Unavailable, "password_file"),
        ({"source": "rtsp://cam/", "username": "bob", "password_file": "/dev/null"}, Unavailable, "empty"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(
    camera: dict[str, str], error: type[SmartcamError], words: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    config = Camera.model_validate({key: value.format(folder=folder) for key, value in camera.items()})

    with pytest.raises(error, match=re.escape(words)) as caught:
        find(config)

    assert "\n" not in str(caught.value)
