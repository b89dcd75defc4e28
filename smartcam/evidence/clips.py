"""Events → clips: when one is made, of which packets, and where it lies."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smartcam.config import Camera, Config
from smartcam.config.rule import Clip
from smartcam.data import Coding, Event
from smartcam.durable import make_durably
from smartcam.errors import Unavailable
from smartcam.evidence.blur import to_blur
from smartcam.evidence.clip_file import ClipFile, finished
from smartcam.evidence.encode import h264_encoder, plain
from smartcam.evidence.footage import Footage
from smartcam.evidence.hiding import Cover, Hiding
from smartcam.evidence.mp4 import BROWSERS_PLAY, REMUXED
from smartcam.evidence.recording import PacketSource, Recording, Retaking, Wanted
from smartcam.evidence.smaller import Shrinker, Shrinking
from smartcam.evidence.wanting import audio_wanted, seconds_wanted
from smartcam.workers import Alive, Worker

__all__ = ["ClipFile", "Clips", "audio_wanted", "finished", "seconds_wanted"]

log = logging.getLogger(__name__)

PULL_S = 0.5
"""How often what is new is taken out of the rings."""
SLICE_S = 0.25
"""How long one clip is encoded at a time, before all others have their turn."""
MOST_AT_ONCE = 16
LAST_WORDS_S = 8.0
"""How long encoding may take once the daemon is to end; what is left then is not in the clip."""


@dataclass(frozen=True, slots=True)
class _Told:
    """An event, and what the configuration says of it at that moment."""

    event: Event
    clip: Clip
    camera: Camera
    blur: Collection[str] | None


@dataclass(frozen=True, slots=True)
class _Film:
    """A recording that has ended; its file is forced to the disk, but has not got its name yet."""

    recording: Recording
    footage: Footage
    shrinking: Shrinking | None = None


class Clips:
    """Makes a clip for each event of a rule that asks for one, on its own thread.

    `deliver(event, clip)` is called there, once the file is on the disk under its name: the event is as it was last
    told. `packets(camera)` gives a camera's packets of the last seconds, which must reach back `seconds_wanted`.
    `cover` tells what a rule's blur must hide; without it, all of the picture is blurred.
    """

    def __init__(
        self,
        config: Config,
        media_folder: Callable[[], Path] | Path,
        deliver: Callable[[Event, ClipFile], None],
        *,
        packets: Callable[[str], PacketSource | None],
        cover: Cover | None = None,
    ) -> None:
        self.dropped = 0
        """Clips that were not made."""
        self.trouble = ""
        """Why the last one was not made, or not whole: one sentence, or nothing."""
        self._config = config
        self._folder = media_folder
        self._deliver = deliver
        self._packets = packets
        self._cover = cover
        self._told: queue.SimpleQueue[_Told] = queue.SimpleQueue()
        self._recordings: dict[str, Recording] = {}
        """By event."""
        self._events: dict[str, Event] = {}
        """As last told, until their clips are delivered."""
        self._shrinker = Shrinker(lambda job, small: self._shrunk.put((job, small)))
        self._shrinking: dict[Path, _Film] = {}
        self._shrunk: queue.SimpleQueue[tuple[Shrinking, Footage | None]] = queue.SimpleQueue()

    def renew(self, config: Config) -> None:
        """Go on for other rules and cameras; clips under way are made as they were asked for."""
        self._config = config

    def on_event(self, event: Event) -> None:
        """Take what the rules say. Never waits, never raises."""
        rule = self._config.rule.get(event.rule)
        camera = self._config.camera.get(event.camera)
        if "clip" in event.evidence and rule and camera:
            self._told.put(_Told(event, rule.clip, camera, to_blur(self._config, event.rule)))

    @property
    def waiting(self) -> int:
        """Clips that are being made."""
        return len(self._recordings) + len(self._shrinking)

    def run(self, alive: Alive) -> None:
        """The worker's loop; clips under way when it ends are finished with what there is."""
        with Worker("smaller clips", self._shrinker.run):
            busy = False
            while alive():
                self._listen(0 if busy else PULL_S)
                busy = self._turn()
            self._listen(0)
            self._end_all()
        self._take_shrunk()
        for film in tuple(self._shrinking.values()):
            self._finish(film, None)

    def _listen(self, timeout_s: float) -> None:
        """Take the events that came; where there are none, the first one at the moment that it comes."""
        with suppress(queue.Empty):
            if timeout_s:
                self._take(self._told.get(timeout=timeout_s))
            while True:
                self._take(self._told.get_nowait())

    def _take(self, told: _Told) -> None:
        event = told.event
        if event.seq == 1:
            self._begin(told)
        # One that began before this process did, or before the rule asked for a clip, gets none.
        if event.id in self._events:
            self._events[event.id] = event
        if event.phase == "end" and (recording := self._recordings.get(event.id)):
            recording.event_ends(event)

    def _turn(self) -> bool:
        """Everything that can be done now, but no clip for long; whether there is more to do at once."""
        self._take_shrunk()
        busy = False
        for id_, recording in tuple(self._recordings.items()):
            try:
                recording.pull()
                busy |= recording.work(time.monotonic() + SLICE_S)
                if recording.over:
                    recording.end()
            except (OSError, Unavailable, ValueError) as error:
                self._save(id_, recording, error)
            else:
                if recording.over:
                    self._close(id_, recording)
        return busy

    def _begin(self, told: _Told) -> None:
        event = told.event
        source = self._packets(event.camera)
        if source is None or len(self._recordings) >= MOST_AT_ONCE:
            self._miss(event, "the camera gives no video" if source is None else "too many are made already")
            return
        folder = self._folder if isinstance(self._folder, Path) else self._folder()
        wanted = Wanted(event, told.clip, event.start - event.at)
        recording = Recording(
            wanted, source, folder / event.id / "clip.mp4.part", lambda coding: self._retaking(told, coding)
        )
        try:
            make_durably(folder)
            make_durably(folder / event.id)
            recording.__enter__()
        except OSError as error:
            self._miss(event, _reason(error))
            return
        self._recordings[event.id] = recording
        self._events[event.id] = event

    def _retaking(self, told: _Told, coding: Coding) -> Retaking | None:
        """How packets of this coding are to be changed; None where they stay as they are."""
        blurs = told.blur is None or bool(told.blur)
        name = told.event.camera
        if told.camera.mask or blurs:
            hiding = Hiding(name, coding.rotate, told.camera.mask, blurs, told.blur, self._cover)
            return Retaking(hiding, 0, (lambda: self._settled_until(name)) if blurs else lambda: float("inf"))
        stays = {"auto": BROWSERS_PLAY, "original": REMUXED, "h264": ("h264",)}[told.clip.format]
        if coding.codec in stays or (coding.codec in REMUXED and not _encodes()):
            return None
        return Retaking(plain, coding.rotate, lambda: float("inf"))

    def _settled_until(self, camera: str) -> float:
        settled = self._cover.settled_until(camera) if self._cover else float("inf")
        return float("-inf") if settled is None else settled

    def _end_all(self) -> None:
        """Clips under way end with what there is."""
        until = time.monotonic() + LAST_WORDS_S
        for id_, recording in tuple(self._recordings.items()):
            try:
                recording.stop()
                recording.work(until)
                if not recording.over:  # Too slow; or nobody will look any more at what may have to be hidden in it.
                    recording.truncated = "smartcam was stopped"
                recording.end()
            except (OSError, Unavailable, ValueError) as error:
                self._save(id_, recording, error)
            else:
                self._close(id_, recording)

    def _save(self, id_: str, recording: Recording, error: Exception) -> None:
        """Keep what there is of a clip that cannot go on."""
        recording.truncated = _reason(error)
        try:
            if recording.footage.cut():
                self._close(id_, recording)
                return
        except OSError:
            pass
        self._give_up(id_, recording, _reason(error))

    def _close(self, id_: str, recording: Recording) -> None:
        """It has ended: give it its name, or make it smaller before."""
        footage = recording.footage
        recording.__exit__()
        if not footage.first:
            self._give_up(id_, recording, recording.truncated or "there were no pictures of it")
            return
        del self._recordings[id_]
        size = recording.wanted.clip.size
        if size is None or max(footage.first.coding.size) <= size:
            self._finish(_Film(recording, footage), None)
            return
        part = footage.part.with_name(f"clip-{size}.mp4.part")
        job = Shrinking(footage.part, part, footage.first.coding.rotate, size, footage.first.at)
        self._shrinking[part] = _Film(recording, footage, job)
        self._shrinker.put(job)

    def _take_shrunk(self) -> None:
        while not self._shrunk.empty():
            job, small = self._shrunk.get()
            if film := self._shrinking.get(job.part):
                self._finish(film, small)

    def _finish(self, film: _Film, small: Footage | None) -> None:
        """Give it its name, the smaller one first: while the large one is a part, it is found again after a crash."""
        if film.shrinking:
            self._shrinking.pop(film.shrinking.part, None)
        wanted = film.recording.wanted
        event = self._events.pop(wanted.event.id, wanted.event)
        try:
            small_file = finished(small, wanted.wall_offset) if small else None
            clip = finished(film.footage, wanted.wall_offset, small_file, film.recording.truncated)
        except OSError as error:
            self._miss(event, _reason(error))
            return
        self.trouble = self._sentence(event, f"ends early: {clip.truncated}") if clip.truncated else ""
        if clip.truncated:
            log.info("%s", self.trouble)
        self._deliver(event, clip)

    def _give_up(self, id_: str, recording: Recording, why: str) -> None:
        recording.__exit__()
        self._recordings.pop(id_, None)
        event = self._events.pop(id_, recording.wanted.event)
        part = recording.footage.part
        with suppress(OSError):
            part.unlink(missing_ok=True)
            part.parent.rmdir()
        self._miss(event, why)

    def _miss(self, event: Event, why: str) -> None:
        self.dropped += 1
        self.trouble = self._sentence(event, f"cannot be made: {why}")
        log.warning("%s", self.trouble)

    def _sentence(self, event: Event, what: str) -> str:
        return f"camera {event.camera}, rule {event.rule}: the clip {what}"


def _encodes() -> bool:
    try:
        h264_encoder()
    except Unavailable:
        return False
    return True


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
