import contextlib
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smartcam.camera.stream import CameraStatus, CameraStream, Rate
from smartcam.config.sections import Camera
from smartcam.data import Frame
from smartcam.workers import Worker
from tests.clips import bar_at, clip, picture
from tests.servers import RtspServer, rtsp_server

SECRET = "p@ss:hunter2/%"


class Watched:
    """A camera in its worker, and all that it told."""

    def __init__(self, config: Camera) -> None:
        self.frames: list[Frame] = []
        self.told: list[CameraStatus] = []
        self.ticks: list[tuple[float, float]] = []
        self.stream = CameraStream("front", config, self.frames.append, self.told.append, self._tick)
        self.worker = Worker("camera front", self.stream.run)

    def _tick(self, at: float, wall: float) -> None:
        self.ticks.append((at, wall))

    def until(self, reached: Callable[[], bool], within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not reached():
            assert time.monotonic() < deadline, self.told
            time.sleep(0.02)

    def next_frame(self) -> Frame:
        """One that comes after this call."""
        seen = len(self.frames)
        self.until(lambda: len(self.frames) > seen)
        return self.frames[-1]

    def offline(self) -> str:
        self.until(lambda: bool(self.told) and not self.told[-1].online)
        return self.told[-1].reason


@contextmanager
def watched(source: object, **more: object) -> Iterator[Watched]:
    impatient = {"open_timeout": 2, "read_timeout": 1, "retry_min": 0.1, "retry_max": 0.3}
    camera = Watched(Camera.model_validate({"source": str(source), **impatient, **more}))
    with camera.worker:
        yield camera
    assert camera.worker.done
    assert not camera.worker.failures


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("footage") / "a.mp4", 40)


@pytest.fixture
def server(footage: Path, tmp_path: Path) -> Iterator[RtspServer]:
    with rtsp_server(footage, tmp_path) as running:
        yield running


def test_an_rtsp_camera_gives_frames_as_they_come(server: RtspServer) -> None:
    with watched(server.url) as camera:
        camera.until(lambda: len(camera.frames) >= 20)

    assert camera.told == [CameraStatus(True, "", (160, 120), "h264")]
    assert [frame.seq for frame in camera.frames] == list(range(len(camera.frames)))
    assert all(b.at >= a.at for a, b in itertools.pairwise(camera.frames))
    steps = {(bar_at(b.picture.luma) - bar_at(a.picture.luma)) % 160 for a, b in itertools.pairwise(camera.frames)}
    assert steps == {4}, "every frame came, in order"


def test_a_killed_server_is_found_again_when_it_is_back(server: RtspServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with watched(server.url) as camera:
        first = camera.next_frame()
        server.kill()
        camera.offline()
        camera.until(lambda: "nothing answers at that address" in camera.told[-1].reason)
        time.sleep(0.7)  # several attempts
        server.start()
        again = camera.next_frame()

    assert again.seq > first.seq
    assert again.at > first.at
    assert camera.told[-1].online
    assert caplog.text.count("nothing answers at that address") == 1, "one line per cause, not per attempt"
    assert caplog.text.count("online, 160x120 h264") == 2


def test_a_server_that_goes_silent_is_noticed(server: RtspServer) -> None:
    with watched(server.url) as camera:
        camera.next_frame()
        server.silence()
        assert "silent for 1 s" in camera.offline()
        server.speak()
        camera.next_frame()

    assert camera.told[-1].online


def test_a_wrong_password_is_said_and_never_shown(
    footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = tmp_path / "wrong"
    wrong.write_text("letmein:/@%\n")
    with rtsp_server(footage, tmp_path, login=("bob", SECRET)) as server:
        host = server.url.removeprefix("rtsp://")
        for config in (
            {"source": server.url, "username": "bob", "password_file": str(wrong)},
            {"source": f"rtsp://bob:letmein@{host}"},
        ):
            with watched(**config) as camera:
                assert "user name or the password is refused" in camera.offline()

    assert "letmein" not in caplog.text
    assert "user name or the password is refused" in caplog.text


def test_a_password_of_awkward_characters_opens_the_stream(
    footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "password"
    file.write_text(SECRET)
    with (
        rtsp_server(footage, tmp_path, login=("bob", SECRET)) as server,
        watched(server.url, username="bob", password_file=str(file)) as camera,
    ):
        camera.next_frame()
        server.kill()
        camera.offline()

    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(camera.told)


def test_a_missing_stream_is_said(server: RtspServer) -> None:
    with watched(f"{server.url}-other") as camera:
        assert "there is no such stream there" in camera.offline()


def test_a_camera_that_is_not_there_is_tried_again_and_time_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with watched("/dev/video9") as camera:
        camera.until(lambda: len(camera.ticks) >= 2)

    assert camera.told == [
        CameraStatus(False, "/dev/video9: no such device; plug the camera in, or see `ls /dev/video*`")
    ]
    assert len(caplog.records) == 1
    (first_at, first_wall), (second_at, second_wall) = camera.ticks[:2]
    assert 0.9 <= second_at - first_at < 2
    assert second_wall - first_wall == pytest.approx(second_at - first_at, abs=0.2)


def test_a_file_that_appears_later_is_played(tmp_path: Path) -> None:
    path = tmp_path / "later.mp4"
    with watched(path) as camera:
        assert "no such file" in camera.offline()
        clip(path, 5)
        camera.next_frame()


def test_a_command_that_ends_is_started_again(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", 5)
    with watched(f"exec:cat {path}", format="mpegts") as camera:
        camera.until(lambda: len(camera.frames) >= 12)

    assert [frame.seq for frame in camera.frames] == list(range(len(camera.frames)))
    assert [status.online for status in camera.told[:4]] == [True, False, True, False]


def test_pauses_between_attempts_grow_to_their_limit(tmp_path: Path) -> None:
    """So that a camera that refuses is not pestered, and one that returns is found soon."""
    starts = tmp_path / "starts"
    code = f"import time; open('{starts}', 'a').write(str(time.monotonic()) + chr(10))"
    with watched(f'exec:{sys.executable} -c "{code}"', retry_min=0.1, retry_max=0.4) as camera:
        camera.until(lambda: starts.exists() and len(starts.read_text().split()) >= 5)

    times = [float(line) for line in starts.read_text().split()]
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert all(0.4 <= pause < 1.5 for pause in pauses[2:4])


def test_a_recording_that_does_not_repeat_ends_the_worker(footage: Path) -> None:
    with watched(footage, repeat=False, pace="fast") as camera:
        camera.until(lambda: camera.worker.done)

    assert len(camera.frames) == 40
    assert camera.told[-1] == CameraStatus(False, "the recording is over")


def test_a_stop_is_heeded_within_a_second(tmp_path: Path) -> None:
    """While a picture of a folder stands for a minute."""
    picture(tmp_path / "a.png")
    with watched(tmp_path, fps=1 / 60) as camera:
        camera.until(lambda: bool(camera.frames))
        began = time.monotonic()
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("code", ["exec sleep 60", "while :; do echo no signal >&2; sleep 1; done"])
def test_a_stop_ends_a_command_that_has_not_begun(code: str, tmp_path: Path) -> None:
    """Whatever its open time-out: the daemon leaves no process behind."""
    mark = tmp_path / "pid"
    with watched(f"exec:sh -c 'echo $$ >{mark}; {code}'", open_timeout=25) as camera:
        camera.until(lambda: mark.exists() and mark.read_text().endswith("\n"))
        began = time.monotonic()

    assert time.monotonic() - began < 3
    assert not Path(f"/proc/{mark.read_text().strip()}").exists()
    assert not camera.told, "a stop is no failure"


def test_a_receiver_that_fails_leaves_no_command_behind(tmp_path: Path) -> None:
    """The worker runs the loop again; the camera of the failed one must be free by then."""
    path = clip(tmp_path / "a.ts", 5)
    alive = threading.Event()

    def fail(_: Frame) -> None:
        raise RuntimeError("broken receiver")

    config = Camera.model_validate({"source": f"exec:sh -c 'cat {path}; exec sleep 76543'", "format": "mpegts"})
    stream = CameraStream("front", config, fail, lambda _: None)
    with pytest.raises(RuntimeError, match="broken receiver"):
        stream.run(lambda: not alive.is_set())

    deadline = time.monotonic() + 3
    while (left := commands_with(b"76543")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def commands_with(word: bytes) -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(path.read_bytes())
    return [line for line in found if word in line]


def test_the_rate_is_that_of_the_last_frames() -> None:
    rate = Rate()
    assert rate.fps is None
    for n in range(100):
        rate.count(n / 5)
    for n in range(100):
        rate.count(20 + n / 15)

    assert rate.fps == pytest.approx(15, abs=0.1)
