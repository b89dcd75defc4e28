import base64
import itertools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from smartcam.camera.session import open_session
from smartcam.config.sections import Camera
from smartcam.data import Frame
from smartcam.errors import SmartcamError, Unavailable
from tests.clips import FPS, bar_at, clip, picture

GST = (
    "exec:gst-launch-1.0 -q videotestsrc num-buffers=25 pattern=ball ! video/x-raw,format=I420,width=160,height=120 ! "
)
ELEMENTS = ("x264enc", "jpegenc", "mpegtsmux")


@pytest.fixture(scope="module")
def gstreamer() -> None:
    if not shutil.which("gst-launch-1.0"):
        pytest.skip("needs gstreamer1.0-tools")
    if any(subprocess.run(["gst-inspect-1.0", "--exists", element]).returncode for element in ELEMENTS):
        pytest.skip(f"needs GStreamer's {', '.join(ELEMENTS)}: gstreamer1.0-plugins-{{good,bad,ugly}}")


def always() -> bool:
    return True


def camera(source: object, **more: object) -> Camera:
    """Fast, once, and impatient."""
    quick = {"pace": "fast", "repeat": False, "open_timeout": 5, "read_timeout": 5}
    return Camera.model_validate({"source": str(source), **quick, **more})


def frames(config: Camera, most: int = 1000) -> list[Frame]:
    with open_session(config, "front", always) as session:
        return list(itertools.islice(session, most))


def live_frames(config: Camera) -> tuple[list[Frame], str]:
    """The frames of a source that ends, and why it did."""
    seen: list[Frame] = []
    with pytest.raises(Unavailable) as caught, open_session(config, "front", always) as session:
        seen.extend(session)
    return seen, str(caught.value)


def python(code: str) -> str:
    return f'exec:{sys.executable} -c "{code}"'


def soon_gone(words: str) -> bool:
    """A killed process may take a moment to be gone."""
    deadline = time.monotonic() + 3
    while running(words) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not running(words)


def running(words: str) -> bool:
    """Whether a process with these words on its command line runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words in path.read_text(errors="replace").replace("\0", " ") and path.parent.name != str(os.getpid()):
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mp4", "libx265", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
    ],
)
def test_a_file_gives_every_frame_in_order(name: str, codec: str, pixel_format: str, tmp_path: Path) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = clip(tmp_path / name, 30, codec=codec, pixel_format=pixel_format, options=options)

    seen = frames(camera(path))

    assert [frame.seq for frame in seen] == list(range(30))
    assert [bar_at(frame.picture.luma) // 4 for frame in seen] == list(range(30))
    assert np.allclose(np.diff([frame.at for frame in seen]), 1 / FPS, atol=0.002)
    assert np.allclose(np.diff([frame.wall - frame.at for frame in seen]), 0, atol=1e-5)


def test_frames_kept_by_the_receiver_stay_as_they_were(tmp_path: Path) -> None:
    """The decoder must not write into a frame that somebody holds."""
    held = frames(camera(clip(tmp_path / "a.mp4", 40)))

    assert [bar_at(frame.picture.luma) // 4 for frame in held[:35]] == list(range(35))


def test_a_file_plays_in_real_time(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 13)
    began = time.monotonic()

    late = [time.monotonic() - frame.at for frame in frames_one_by_one(camera(path, pace="real-time"))]

    assert time.monotonic() - began >= 12 / FPS
    assert min(late) >= 0, "no frame comes before its time"


def frames_one_by_one(config: Camera) -> Iterator[Frame]:
    with open_session(config, "front", always) as session:
        yield from session


def test_a_repeated_file_goes_on_in_number_and_time(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 10)

    seen = frames(camera(path, repeat=True), most=25)

    assert [frame.seq for frame in seen] == list(range(25))
    assert [bar_at(frame.picture.luma) // 4 for frame in seen] == [n % 10 for n in range(25)]
    assert np.allclose(np.diff([frame.at for frame in seen]), 1 / FPS, atol=0.002)


def test_a_stop_ends_the_session(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 10)
    answers = iter([True] * 5)

    with open_session(camera(path, repeat=True), "front", lambda: next(answers, False)) as session:
        assert len(list(session)) < 5


def test_a_folder_plays_its_pictures_and_passes_over_a_damaged_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / "a.png", 0)
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    picture(tmp_path / "c.jpg", 2)
    picture(tmp_path / "d.bmp", 3, size=(320, 240))

    seen = frames(camera(tmp_path, fps=4))

    assert [bar_at(frame.picture.luma) for frame in seen] == pytest.approx([0, 8, 12], abs=1)
    assert [round(frame.at - seen[0].at, 3) for frame in seen] == [0.0, 0.25, 0.5]
    assert seen[2].picture.size == (320, 240)
    assert "b.jpg: not a picture" in caplog.text


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
@pytest.mark.parametrize("size", [(322, 1), (1, 322), (1, 1)])
def test_a_picture_of_a_single_line_is_a_frame(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    picture(tmp_path / name, size=size)

    (frame,) = frames(camera(tmp_path))

    assert frame.picture.luma.shape == size[::-1]
    assert frame.picture.rgb(size=(64, 64)).shape == (64, 64, 3)


def test_a_rotated_camera_gives_upright_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 1)

    assert frames(camera(path, rotate=90))[0].picture.size == (120, 160)


@pytest.mark.parametrize("form", ["file", "command", "folder"])
def test_a_masked_camera_gives_masked_frames(form: str, tmp_path: Path) -> None:
    """Whatever it is: nobody looks at what is under the mask, which is drawn on the upright picture."""
    left_half = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    path = picture(tmp_path / "a.png").parent if form == "folder" else clip(tmp_path / "a.ts", 3)
    config = camera(f"exec:cat {path}" if form == "command" else path, rotate=90, mask=[left_half])

    seen = live_frames(config)[0] if form == "command" else frames(config)

    assert seen
    for frame in seen:
        assert frame.picture.size == (120, 160)
        assert len(np.unique(frame.picture.luma[:, :58])) == 1
        assert np.ptp(frame.picture.rgb()[:, :58].astype(int)) <= 2
        assert len(np.unique(frame.picture.luma[:, 62:])) > 20


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 500])
def test_a_foreign_file_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)

    with pytest.raises(Unavailable, match=r"a\.mp4: what is in it is no video, or damaged"):
        frames(camera(path))


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        assert isinstance(sound, av.AudioStream)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))

    with pytest.raises(Unavailable, match="there is no video in it"):
        frames(camera(path))


def test_damaged_packets_are_passed_over(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", 60)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = bytes(400)
    path.write_bytes(content)

    seen = frames(camera(path))

    assert 40 <= len(seen) <= 60
    assert bar_at(seen[-1].picture.luma) == (59 * 4) % 160


def test_a_file_with_nothing_but_damage_is_no_endless_loop(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 20)
    content = path.read_bytes()
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    path.write_bytes(content[:begin] + bytes(end - begin) + content[end:])

    with pytest.raises(Unavailable, match="no picture in it can be decoded"):
        frames(camera(path, repeat=True))


@pytest.mark.parametrize(
    ("pipeline", "form"),
    [
        ("x264enc tune=zerolatency ! video/x-h264,stream-format=byte-stream ! fdsink", "auto"),
        ("x264enc tune=zerolatency ! video/x-h264,stream-format=byte-stream ! fdsink", "h264"),
        ("jpegenc ! fdsink", "mjpeg"),
        ("x264enc ! mpegtsmux ! fdsink", "mpegts"),
        ("fdsink", "i420"),
    ],
)
def test_a_gstreamer_pipeline_is_a_camera(pipeline: str, form: str, gstreamer: None) -> None:
    size = {"size": "160x120"} if form == "i420" else {}

    seen, why = live_frames(camera(GST + pipeline, format=form, **size))

    assert len(seen) == 25
    assert {frame.picture.size for frame in seen} == {(160, 120)}
    assert all(abs(frame.wall - time.time()) < 10 and frame.at <= time.monotonic() for frame in seen)
    assert why.endswith("the command ended with status 0")


def test_h265_from_a_command(tmp_path: Path) -> None:
    if "libx265" not in av.codecs_available:
        pytest.skip("this PyAV has no libx265")
    path = clip(tmp_path / "a.hevc", 10, codec="libx265", options={"x265-params": "log-level=none"})

    seen, _ = live_frames(camera(f"exec:cat {path}", format="h265"))

    assert len(seen) == 10


def test_a_command_that_fails_is_quoted_without_its_password() -> None:
    code = "import sys; sys.stderr.write('first\\nno camera at rtsp://bob:hunter2@cam\\n'); sys.exit(3)"

    with pytest.raises(Unavailable) as caught:
        frames(camera(python(code), format="h264"))

    assert "the command ended with status 3: no camera at rtsp://bob:***@cam" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match=r"cannot run 'no-such-program': No such file.*install it"):
        frames(camera("exec:no-such-program"))


def test_a_command_that_never_writes_is_given_up_and_ended() -> None:
    began = time.monotonic()

    with pytest.raises(Unavailable, match=r"no video within 0\.5 s"):
        frames(camera("exec:sleep 98765", open_timeout=0.5))

    assert time.monotonic() - began < 5
    assert soon_gone("sleep 98765")


def test_a_command_that_stalls_is_given_up_and_its_children_with_it(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", 50)
    shell = f"exec:sh -c 'cat {path}; sleep 87654 & sleep 87654'"
    seen: list[Frame] = []

    with (
        pytest.raises(Unavailable, match=r"silent for 0\.7 s"),
        open_session(camera(shell, format="mpegts", read_timeout=0.7), "front", always) as session,
    ):
        seen.extend(session)

    assert len(seen) >= 45
    assert soon_gone("sleep 87654")


def test_a_command_that_will_not_end_is_killed() -> None:
    """One that ignores SIGTERM, with a child that does too."""
    stubborn = "exec:sh -c 'trap \"\" TERM; sleep 65432 & sleep 65432'"

    with pytest.raises(Unavailable, match="no video"):
        frames(camera(stubborn, open_timeout=0.3))

    assert soon_gone("sleep 65432")


def test_a_command_that_only_complains_is_given_up() -> None:
    """What it says on stderr is no sign of video."""
    with pytest.raises(Unavailable, match=r"no video within 0\.5 s"):
        frames(camera("exec:sh -c 'while true; do echo no signal >&2; done'", open_timeout=0.5))


def test_a_talkative_command_does_not_block_on_its_messages(tmp_path: Path) -> None:
    """More than a pipe holds, before the first byte of video."""
    path = clip(tmp_path / "a.ts", 10)
    code = f"import sys; sys.stderr.write('x' * 300000); sys.stdout.buffer.write(open('{path}', 'rb').read())"

    seen, _ = live_frames(camera(python(code), format="mpegts"))

    assert len(seen) == 10


def test_a_change_of_size_ends_a_live_session(tmp_path: Path) -> None:
    small = clip(tmp_path / "a.h264", 10)
    large = clip(tmp_path / "b.h264", 10, size=(320, 240))

    seen, why = live_frames(camera(f"exec:cat {small} {large}", format="h264"))

    assert {frame.picture.size for frame in seen} == {(160, 120)}
    assert "the picture changed from 160x120 to 320x240" in why


HUGE = """
import resource, sys
from pathlib import Path
from smartcam.camera.recording import read_picture
from smartcam.errors import SmartcamError
try:
    read_picture(Path(sys.argv[1]))
except SmartcamError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_picture_of_400_megapixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """In a process of its own, whose memory is that of nothing else."""
    path = tmp_path / "huge.png"
    make = "import cv2, numpy, sys; cv2.imwrite(sys.argv[1], numpy.zeros((20000, 20000), numpy.uint8))"
    subprocess.run([sys.executable, "-c", make, str(path)], check=True)

    done = subprocess.run([sys.executable, "-c", HUGE, str(path)], check=True, capture_output=True, text=True)

    said, peak_kib = done.stdout.splitlines()
    assert "not a picture that can be read" in said
    assert int(peak_kib) < 400 * 1024


def test_a_video_of_more_than_64_megapixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 8200, 8200, "gray"
        container.mux(stream.encode(av.VideoFrame(8200, 8200, "gray")))

    with pytest.raises(SmartcamError, match="larger than 64 megapixels"):
        frames(camera(path))


def test_nothing_is_logged_by_a_session_that_goes_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    frames(camera(clip(tmp_path / "a.mp4", 3)))

    assert not caplog.records


@pytest.fixture
def mjpeg_server(tmp_path: Path) -> Iterator[str]:
    """What a cheap camera speaks: JPEGs in an endless multipart answer; here ten, for whoever has the password."""
    jpegs = [picture(tmp_path / f"{n}.jpg", n).read_bytes() for n in range(10)]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"bob:hunter2").decode():
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            for jpeg in jpegs:
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/video"
        server.shutdown()


def test_an_http_camera_gives_its_pictures(mjpeg_server: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2")

    seen, why = live_frames(camera(mjpeg_server, username="bob", password_file=str(password)))

    assert [bar_at(frame.picture.luma) for frame in seen] == pytest.approx([4 * n for n in range(len(seen))], abs=1)
    assert len(seen) >= 9
    assert why == f"{mjpeg_server}: it broke off"


def test_an_http_camera_that_refuses_is_said(mjpeg_server: str) -> None:
    with pytest.raises(Unavailable, match="user name or the password is refused"):
        frames(camera(mjpeg_server))
