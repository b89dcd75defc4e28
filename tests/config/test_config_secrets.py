"""No password is shown, and what is none stays legible."""

from __future__ import annotations

import pytest

from smartcam.config.secrets import masked


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
    assert "hunter2" not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize(
    "text",
    ["rtsp://cam.lan:554/stream?channel=1", "/media/clip.mp4", "exec:rpicam-vid -t 0 -o -", "x264enc key-int-max=25"],
)
def test_what_holds_no_password_is_shown_as_it_is(text: str) -> None:
    assert masked(text) == text
