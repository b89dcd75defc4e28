"""A camera, as the pipeline sees it: frames, its status, and a tick while there are none."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from smartcam.camera.reopen import CameraStatus, Reopening
from smartcam.camera.ring import Ring
from smartcam.camera.session import open_session
from smartcam.camera.tap import Tap
from smartcam.config.sections import Camera
from smartcam.data import Frame
from smartcam.workers import Alive

__all__ = ["CameraStatus", "CameraStream", "Rate"]


class CameraStream:
    """Hands on a camera's frames for as long as its worker runs, whatever happens to the camera.

    `on_frame`, `on_status` (when anything but the rate changed) and `on_tick` (`at` and `wall`, about once a second
    while offline) are called by the worker's thread. `run` returns when a recording that does not repeat is over.
    What comes compressed is kept in `ring`, with the camera's sound if that is wanted, for the seconds that it wants.
    """

    def __init__(
        self,
        name: str,
        config: Camera,
        on_frame: Callable[[Frame], None],
        on_status: Callable[[CameraStatus], None],
        on_tick: Callable[[float, float], None] | None = None,
        *,
        sound: bool = False,
    ) -> None:
        self.ring = Ring()
        self._name = name
        self._config = config
        self._on_frame = on_frame
        self._on_tick = on_tick
        self._sound = sound
        self._tap = Tap(self.ring, config.rotate, name)
        self._seq = itertools.count()
        self._rate = Rate()
        self._last_at = 0.0
        self._reopening = Reopening(f"camera {name}", config, on_status, self._tick)

    @property
    def status(self) -> CameraStatus:
        """As it is now, with its rate."""
        status = self._reopening.status
        return replace(status, fps=self._rate.fps) if status.online else status

    def run(self, alive: Alive) -> None:
        self._reopening.run(self._attempt, alive)

    def _attempt(self, alive: Alive) -> None:
        self._rate = Rate()
        start = self._now()
        with open_session(
            self._config, self._name, alive, seq=self._seq, start=start, tap=self._tap, sound=self._sound
        ) as session:
            for n, frame in enumerate(session):
                if n == 0:
                    self._reopening.online(frame.picture.size, session.codec)
                self._last_at = frame.at
                self._rate.count(frame.at)
                self._on_frame(frame)

    def _tick(self) -> None:
        if self._on_tick:
            self._on_tick(*self._now())

    def _now(self) -> tuple[float, float]:
        """`at` and `wall`; `at` never goes back, also after a recording that played faster than time."""
        now = time.monotonic()
        return max(now, self._last_at), time.time()


class Rate:
    """Frames a second, over the last few seconds of frames."""

    SPAN = 64

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=self.SPAN)
        self.fps: float | None = None

    def count(self, at: float) -> None:
        self._times.append(at)
        elapsed_s = at - self._times[0]
        self.fps = (len(self._times) - 1) / elapsed_s if elapsed_s > 0 else None
