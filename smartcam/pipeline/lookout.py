"""One camera's part of the daemon: its stream, its motion gate, and its larger record stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from smartcam import config
from smartcam.camera.record import PICTURES_S, RecordStream
from smartcam.camera.ring import Ring
from smartcam.camera.stream import CameraStatus, CameraStream
from smartcam.data import Frame, Motion, Picture
from smartcam.detect.motion import MotionGate
from smartcam.workers import LatestFrames, Worker


class Lookout:
    """Hands a camera's frames, with what moved in them, to `waiting`.

    `on_status` and `on_tick` are called with the camera's name, by its thread. With `sound`, the packets of its clips
    are heard too, where the camera has a microphone.
    """

    def __init__(
        self,
        name: str,
        section: config.Camera,
        waiting: LatestFrames,
        *,
        on_status: Callable[[str, CameraStatus], None],
        on_tick: Callable[[str, float, float], None],
        sound: bool = False,
    ) -> None:
        self.name = name
        self.frames = 0
        """Since the start."""
        self._section = section
        self._waiting = waiting
        self._gate = MotionGate()
        self._record = RecordStream(name, section, sound=sound) if section.record else None
        self._stream = CameraStream(
            name,
            section,
            self._on_frame,
            partial(on_status, name),
            partial(on_tick, name),
            sound=sound and not self._record,
        )

    @property
    def status(self) -> CameraStatus:
        return self._stream.status

    @property
    def record_status(self) -> CameraStatus | None:
        """How the record stream is; None where there is none."""
        return self._record.status if self._record else None

    @property
    def ring(self) -> Ring:
        """The last seconds, compressed: of the record stream where there is one, or else of the stream itself."""
        return self._record.ring if self._record else self._stream.ring

    def keep(self, seconds: float) -> None:
        """Keep so many seconds of packets for clips, from now on; pictures have their own from a record stream."""
        self.ring.max_s = max(seconds, PICTURES_S) if self._record else seconds

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before the detector came to them."""
        return self._waiting.dropped.get(self.name, 0)

    @property
    def has_frames_waiting(self) -> bool:
        """Whether the detector that looks at it has not come to its end yet."""
        return bool(self._waiting)

    def workers(self) -> Iterator[Worker]:
        """Its threads, to be started in this order; the last one gives the frames."""
        if self._record:
            yield Worker(f"record {self.name}", self._record.run)
        yield Worker(f"camera {self.name}", self._stream.run)

    def large(self, at: float) -> Picture | None:
        """The moment `at` from the record stream, or None where there is none, or it is too long ago."""
        return self._record.picture_at(at) if self._record else None

    def _on_frame(self, frame: Frame) -> None:
        self.frames += 1
        moved = self._gate.look(frame.picture.luma, frame.at) if self._section.motion else Motion.everywhere()
        self._waiting.put(frame, moved, keep_all=self._section.pace == "fast")
