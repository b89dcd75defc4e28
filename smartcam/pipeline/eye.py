"""One accelerator's way from frames to scenes: whether to look, the model, the tracker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field

from smartcam import config
from smartcam.data import Detections, Frame, Scene, Track
from smartcam.detect.accelerator import AcceleratorLost
from smartcam.detect.classifier import Classifier
from smartcam.detect.detector import Detector
from smartcam.errors import Unavailable
from smartcam.pipeline.cascade import Cascade
from smartcam.track import Tracker
from smartcam.workers import Alive, LatestFrames, Waiting

AGAIN_WHILE_UNSURE_S = 0.2
"""How soon a thing that is not yet known to be real is looked at again, also when nothing moves."""

GLANCE_S = 0.5
"""How long one who asks for a glance waits for a moment without frames; then it is taken between two of them."""

BLIND_S = 60.0
"""A camera that was away for longer begins with no tracks: what stood there may be another thing now."""


@dataclass(slots=True)
class Gaze:
    """What is known of one camera: an eye with another model may go on with it."""

    tracker: Tracker = field(default_factory=lambda: Tracker(max_blind_s=BLIND_S))
    looked_at: float | None = None
    settled: tuple[Track, ...] = ()
    """The tracks as of the frame before the last that was taken: those that are certainly known by now."""

    def wants(self, work: Waiting, look_again_s: float) -> bool:
        """Whether this frame is worth an inference: motion, or a live track that is due again."""
        if work.motion or self.looked_at is None:
            return True
        unsure = any(not track.confirmed for track in self.settled)
        due_s = AGAIN_WHILE_UNSURE_S if unsure else look_again_s
        return bool(self.settled) and work.frame.at - self.looked_at >= due_s


@dataclass(slots=True)
class _Pending:
    """A frame that was taken, and is no scene yet."""

    frame: Frame
    gaze: Gaze
    moved: bool
    looking: bool = False
    """Whether the detector has it."""


@dataclass(frozen=True, slots=True)
class _Glance:
    """A picture that somebody else wants looked at."""

    frame: Frame
    asked_at: float = field(default_factory=time.monotonic)
    seen: Future[Detections | None] = field(default_factory=Future)


class Eye:
    """Turns each frame that is taken into exactly one scene, in the order of the frames.

    Two frames are in flight at most: the next crop is prepared while the accelerator works. Whether
    frame n is looked at is decided on the tracks of frame n - 2, never on a result that may or may not have
    arrived: the same frames give the same scenes every time. Without an accelerator the scenes go on, unlooked;
    a `strict` eye raises `Unavailable` instead.

    `cameras` and `gazes` are the owner's: cameras may come and go while it runs. What still waits of one that is gone
    is dropped.
    """

    def __init__(
        self,
        detector: Detector,
        cameras: Mapping[str, config.Camera],
        emit: Callable[[Scene], None],
        *,
        cascade: Cascade | None = None,
        gazes: dict[str, Gaze] | None = None,
        strict: bool = False,
    ) -> None:
        self._strict = strict
        self._cascade = cascade or Cascade()
        self.detector = detector
        self._emit = emit
        self._pending: deque[_Pending] = deque()
        self._cameras = cameras
        self._gazes = {} if gazes is None else gazes
        self._hands_over = False
        self._spared = False
        self._glances: deque[_Glance] = deque()
        self.looks = 0
        """Inferences so far."""

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The models that take second looks."""
        return self._cascade.classifiers

    def hand_over(self) -> None:
        """At its end, leave what still waits to the eye that comes after it."""
        self._hands_over = True

    def glance(self, frame: Frame, timeout_s: float = 5.0) -> Detections | None:
        """What is in a picture that is no part of the story: no scene and no track come of it.

        Of any other thread, which waits meanwhile. None when the eye does not come to it in time: frames go first.
        """
        asked = _Glance(frame)
        self._glances.append(asked)
        try:
            return asked.seen.result(timeout_s)
        except (TimeoutError, CancelledError):
            asked.seen.cancel()
            return None

    def run(self, waiting: LatestFrames, alive: Alive) -> None:
        """The worker's loop: takes what waits, and drains it at the end."""
        self._begin_afresh()
        while alive() or (waiting and not self._hands_over):
            self.detector.ready()
            self._cascade.keep_ready()
            if work := waiting.take(timeout_s=0.0 if self._pending or self._glances else 0.5):
                self.take(work)
            else:
                self.flush()
            if self._glances and (not work or time.monotonic() - self._glances[0].asked_at > GLANCE_S):
                self._take_a_glance(self._glances.popleft())
        self.flush()
        while self._glances:
            self._glances.popleft().seen.cancel()

    def _take_a_glance(self, asked: _Glance) -> None:
        if not asked.seen.set_running_or_notify_cancel():
            return
        self.flush()
        seen = None
        with suppress(AcceleratorLost):
            if self.detector.ready():
                self.detector.submit(asked.frame)
                seen = self.detector.collect()
        asked.seen.set_result(seen)

    def take(self, work: Waiting) -> None:
        """Begin with a frame; finish older ones until at most one is still in flight."""
        if self._cascade.due(work.frame.at):
            self.flush()
            self._cascade.run()
        if (section := self._cameras.get(work.frame.camera)) is None:
            return
        gaze = self._gazes.setdefault(work.frame.camera, Gaze())
        taken = _Pending(work.frame, gaze, bool(work.motion))
        self._pending.append(taken)
        if gaze.wants(work, section.look_again) and not self._spares():
            self._begin(taken)
        while len(self._pending) > 1 or (self._pending and not self._pending[0].looking):
            self._finish()
        gaze.settled = gaze.tracker.carried(work.frame.at)

    def _spares(self) -> bool:
        """Every second look is left out while the accelerator is too hot."""
        self._spared = self.detector.hot and not self._spared
        return self._spared

    def flush(self) -> None:
        """Finish everything that is in flight."""
        while self._pending:
            self._finish()

    def _begin(self, taken: _Pending) -> None:
        if not self.detector.ready():
            self._lost(self.detector.state.reason)
            return
        try:
            self.detector.submit(taken.frame)
        except AcceleratorLost as loss:
            self._lost(str(loss))
            return
        taken.looking = True
        taken.gaze.looked_at = taken.frame.at
        self.looks += 1

    def _finish(self) -> None:
        frame, looking = self._pending[0].frame, self._pending[0].looking
        detections = Detections.none()
        if looking:
            try:
                detections = self.detector.collect()
            except AcceleratorLost as loss:
                self._lost(str(loss))
                return
        tracker = self._pending[0].gaze.tracker
        tracks = tracker.update(frame.at, detections) if looking else tracker.carried(frame.at)
        tracks = self._cascade.name(frame, tracks)
        moved = self._pending[0].moved
        self._pending.popleft()
        self._emit(Scene(frame.camera, frame.at, frame.wall, tracks, looking, frame, detections, moved=moved))

    def _lost(self, reason: str) -> None:
        """The accelerator is gone and took its frames along."""
        if self._strict:
            raise Unavailable(f"the recording was not seen to its end: {reason}")
        self._give_up_looking()

    def _give_up_looking(self) -> None:
        """What was in flight becomes scenes that nobody looked at."""
        for taken in self._pending:
            taken.looking = False
        for gaze in tuple(self._gazes.values()):
            gaze.looked_at = None  # What moved meanwhile may stand still by then: the next frame is looked at.

    def _begin_afresh(self) -> None:
        """After a failure of this loop: whatever the detector still has in flight belongs to nobody."""
        with suppress(AcceleratorLost):
            while self.detector.in_flight:
                self.detector.collect()
        self._give_up_looking()
        self.flush()
