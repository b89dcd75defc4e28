"""One accelerator's way from frames to scenes: whether to look, the model, the tracker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from smartcam import config
from smartcam.data import Detections, Frame, Motion, Scene
from smartcam.detect.accelerator import AcceleratorLost
from smartcam.detect.detector import Detector
from smartcam.errors import Unavailable
from smartcam.track import Tracker
from smartcam.workers import Alive, LatestFrames, Waiting

AGAIN_WHILE_UNSURE_S = 0.2
"""How soon a thing that is not yet known to be real is looked at again, also when nothing moves."""

BLIND_S = 60.0
"""A camera that was away for longer begins with no tracks: what stood there may be another thing now."""


@dataclass(slots=True)
class _Gaze:
    """What the eye knows of one camera."""

    tracker: Tracker
    look_again_s: float
    looked_at: float | None = None

    def wants(self, frame: Frame, motion: Motion) -> bool:
        """Whether this frame is worth an inference: motion, or a live track that is due again."""
        if motion or self.looked_at is None:
            return True
        since = frame.at - self.looked_at
        tracks = self.tracker.carried(frame.at)
        unsure = any(not track.confirmed for track in tracks)
        return bool(tracks) and since >= (AGAIN_WHILE_UNSURE_S if unsure else self.look_again_s)


class Eye:
    """Turns each frame that is taken into exactly one scene, in the order of the frames.

    Two frames are in flight at most: the next crop is prepared while the accelerator works. Whether
    frame n is looked at is decided on the tracks of a frame before it, never on a result that may or may
    not have arrived: a recording gives the same scenes every time. Without an accelerator the scenes go on,
    unlooked; a `strict` eye raises `Unavailable` instead.
    """

    def __init__(
        self,
        detector: Detector,
        cameras: Mapping[str, config.Camera],
        emit: Callable[[Scene], None],
        *,
        strict: bool = False,
    ) -> None:
        self._strict = strict
        self.detector = detector
        self._emit = emit
        self._pending: deque[tuple[Frame, bool]] = deque()
        self._gazes = {name: _Gaze(Tracker(max_blind_s=BLIND_S), camera.look_again) for name, camera in cameras.items()}
        self.looks = 0
        """Inferences so far."""

    def run(self, waiting: LatestFrames, alive: Alive) -> None:
        """The worker's loop: takes what waits, and drains it at the end."""
        self._begin_afresh()
        while alive() or waiting:
            self.detector.ready()
            if work := waiting.take(timeout_s=0.0 if self._pending else 0.5):
                self.take(work)
            else:
                self.flush()
        self.flush()

    def take(self, work: Waiting) -> None:
        """Begin with a frame; finish older ones until at most one is still in flight."""
        frame = work.frame
        looking = self._gazes[frame.camera].wants(frame, work.motion) and self._begin(frame)
        self._pending.append((frame, looking))
        while len(self._pending) > 1 or (self._pending and not self._pending[0][1]):
            self._finish()

    def flush(self) -> None:
        """Finish everything that is in flight."""
        while self._pending:
            self._finish()

    def _begin(self, frame: Frame) -> bool:
        if not self.detector.ready():
            self._lost(self.detector.state.reason)
            return False
        try:
            self.detector.submit(frame)
        except AcceleratorLost as loss:
            self._lost(str(loss))
            return False
        self._gazes[frame.camera].looked_at = frame.at
        self.looks += 1
        return True

    def _finish(self) -> None:
        frame, looking = self._pending[0]
        detections = Detections.none()
        if looking:
            try:
                detections = self.detector.collect()
            except AcceleratorLost as loss:
                self._lost(str(loss))
                return
        self._pending.popleft()
        tracker = self._gazes[frame.camera].tracker
        tracks = tracker.update(frame.at, detections) if looking else tracker.carried(frame.at)
        self._emit(Scene(frame.camera, frame.at, frame.wall, tracks, looking, frame, detections))

    def _lost(self, reason: str) -> None:
        """The accelerator is gone and took its frames along: they are scenes that nobody looked at."""
        if self._strict:
            raise Unavailable(f"the recording was not seen to its end: {reason}")
        self._pending = deque((frame, False) for frame, _ in self._pending)
        for gaze in self._gazes.values():
            gaze.looked_at = None  # What moved meanwhile may stand still by then: the next frame is looked at.

    def _begin_afresh(self) -> None:
        """After a failure of this loop: what was in flight belongs to nobody."""
        self._pending.clear()
        with suppress(AcceleratorLost):
            while self.detector.in_flight:
                self.detector.collect()
