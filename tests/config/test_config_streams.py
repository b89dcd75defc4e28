"""What can be said about a camera's source without looking for it."""

from __future__ import annotations

import pytest

from smartcam.config.streams import Form, form_of, stream, video, words_of


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("clip.mp4", "file"),
        ("~/pictures", "file"),
        ("a:b.mp4", "file"),
        ("/dev/video0", "device"),
        ("rtsp://cam.lan:554/stream", "network"),
        ("RTSP://cam.lan/stream", "network"),
        ("http://[::1]:8080/video?channel=1", "network"),
        ("rtsp://bob:p%40ss@cam.lan/", "network"),
        ("exec:gst-launch-1.0 rtspsrc location=rtsp://cam.lan ! fdsink", "command"),
    ],
)
def test_each_form_is_told_by_its_text(text: str, form: Form) -> None:
    assert form_of(text) == form
    assert stream(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://cam/x", '"ftp" is no kind of source; use rtsp://'),
        ("gst-launch-1.0 rtspsrc location=rtsp://cam", "exec:COMMAND or a file"),
        ("rtsp://", "write rtsp://HOST/PATH"),
        ("rtsp:///stream", "write rtsp://HOST/PATH"),
        ("rtsp://[::1/stream", "write rtsp://HOST/PATH"),
        ("rtsp://cam:99999/", "write rtsp://HOST/PATH"),
        ("rtsp://bob:hunter2/x@cam/", "percent-encode special characters of a password"),
        ("ftp password=hunter2://", "is no kind of source"),
        ("exec:", "without a command"),
        ("exec:prog --password 'hunter2", "close the quotes"),
        ("a\0b", "NUL character"),
    ],
)
def test_what_can_be_no_source_is_refused_with_a_remedy_and_without_its_password(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        stream(text)
    assert "hunter2" not in str(refused.value)


def test_a_command_is_split_as_a_shell_would_with_nothing_expanded() -> None:
    assert words_of("exec: prog 'a b' $HOME |\n more") == ("prog", "a b", "$HOME", "|", "more")


@pytest.mark.parametrize("text", ["still.png", "/srv/A.JPG"])
def test_a_picture_is_no_record_stream(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be a picture"):
        video(text)


@pytest.mark.parametrize("text", ["a.mp4", "rtsp://cam/snapshot.jpg", "exec:cat a.png"])
def test_what_may_be_video_is_a_record_stream(text: str) -> None:
    assert video(text) == text
