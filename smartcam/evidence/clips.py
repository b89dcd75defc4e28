"""Events → clips: when one is made, of which packets, and where it lies."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from smartcam.config import Camera, Config
from smartcam.config.rule import Clip
from smartcam.data import Event
from smartcam.durable import make_durably
from smartcam.errors import Unavailable
from smartcam.evidence.blur import to_blur
from smartcam.evidence.clip_file import ClipFile, finished
from smartcam.evidence.films import Ended, Films, remove
from smartcam.evidence.hiding import CoverSource
from smartcam.evidence.recording import PacketSource, Recording, Wanted
from smartcam.evidence.retaking import retaking
from smartcam.evidence.wanting import audio_wanted, seconds_wanted
from smartcam.workers import Alive

__all__ = ["ClipFile", "Clips", "audio_wanted", "finished", "seconds_wanted"]

log = logging.getLogger(__name__)

PULL_S = 0.5
"""How often what is new is taken out of the rings."""
SLICE_S = 0.25
"""How long one clip is worked at, before all others have their turn."""
NO_ROOM = "there is no room on the disk"
MOST_AT_ONCE = 16
MOST_ENCODED = 2
"""An encoder of 1080p takes 150 MB: the packets of others wait, as long as there is room for them."""
LAST_WORDS_S = 6.0
"""How long encoding may take once the daemon is to end; what is left then is not in the clip."""
LAST_NAMES_S = 3.0
"""How long after that clips may be read and named."""
MASK_CHANGED = "its camera's mask was changed"


@dataclass(frozen=True, slots=True)
class _Asked:
    """An event that wants a clip, and what the configuration said of it when it began."""

    event: Event
    clip: Clip
    camera: Camera
    blur: Collection[str] | None


class Clips:
    """Makes a clip for each event of a rule that asks for one, on its own thread.

    `deliver(event, clip)` is called there, once the file is on the disk under its name: the event is as it was last
    told. `packets(camera)` gives a camera's packets of the last seconds, which must reach back `seconds_wanted`; and
    `reading(cameras)` tells, whenever they change, of which cameras clips are being made: theirs must reach back
    `READ_S` at least. While not `has_room()`, clips end with what there is: events go on. `link_size()` is
    the longer side, in pixels, that the link can carry of one that ends now, or None. `cover` tells what a rule's
    blur must hide; without it, all of the picture is blurred.
    """

    def __init__(
        self,
        config: Config,
        media_folder: Path,
        deliver: Callable[[Event, ClipFile], None],
        *,
        packets: Callable[[str], PacketSource | None],
        reading: Callable[[frozenset[str]], None] = lambda _cameras: None,
        has_room: Callable[[], bool] = lambda: True,
        link_size: Callable[[], int | None] = lambda: None,
        cover: CoverSource | None = None,
    ) -> None:
        self.dropped = 0
        """Clips that were not made."""
        self.trouble = ""
        """Why the last one was not made, or not whole: one sentence, or nothing."""
        self._config = config
        """In force now: a reload puts another in its place, whatever is done at that moment."""
        self._folder = media_folder
        self._deliver = deliver
        self._packets = packets
        self._reading = reading
        self._read: frozenset[str] = frozenset()
        """What was told of it last."""
        self._has_room = has_room
        self._link_size = link_size
        self._cover = cover
        self._told: queue.SimpleQueue[_Asked | Event] = queue.SimpleQueue()
        self._recordings: dict[str, Recording] = {}
        """By event."""
        self._events: dict[str, Event] = {}
        """As last told, until their clips are delivered."""
        self._films = Films(self._finish, lambda ended, why: self._miss(ended.wanted.event, why))

    def renew(self, config: Config) -> None:
        """Go on for other rules and cameras. Clips under way are made as they were asked for; but nothing leaves that
        was made under another mask of its camera."""
        self._config = config

    def on_event(self, event: Event) -> None:
        """Take what the rules say. Never waits, never raises."""
        rule = self._config.rule.get(event.rule)
        camera = self._config.camera.get(event.camera)
        if event.seq == 1 and "clip" in event.evidence and rule and camera:
            self._told.put(_Asked(event, rule.clip, camera, to_blur(self._config, event.rule)))
        self._told.put(event)  # Its clip must end also where the rule wants none any more.

    def run(self, alive: Alive) -> None:
        """The worker's loop; clips under way when it ends are finished with what there is."""
        with self._films.shrinker():
            busy = False
            while alive():
                self._listen(0 if busy else PULL_S)
                busy = self._turn()
            self._listen(0)
        self._end_all()

    def _listen(self, timeout_s: float) -> None:
        """Take the events that came; where there are none, the first one at the moment that it comes."""
        with suppress(queue.Empty):
            if timeout_s:
                self._take(self._told.get(timeout=timeout_s))
            while True:
                self._take(self._told.get_nowait())

    def _take(self, told: _Asked | Event) -> None:
        if isinstance(told, _Asked):
            self._begin(told)
        # One that began before this process did, or before the rule asked for a clip, gets none.
        elif told.id in self._events:
            self._events[told.id] = told
            if told.phase == "end" and (recording := self._recordings.get(told.id)):
                recording.event_ends(told)

    def _turn(self) -> bool:
        """Everything that can be done now, but no clip for long; whether there is more to do at once."""
        self._drop_barred()
        has_room = self._has_room()
        busy, encoded = self._films.work(time.monotonic() + SLICE_S), 0
        for id_, recording in tuple(self._recordings.items()):
            with self._spared(id_, recording):
                if has_room:
                    recording.pull()
                else:
                    recording.stop(NO_ROOM)
                encoded += recording.encodes
                if not recording.encodes or encoded <= MOST_ENCODED:
                    busy |= recording.work(time.monotonic() + SLICE_S)
                if recording.over:
                    recording.end()
                    self._close(id_, recording)
        self._tell_reading()
        return busy

    def _drop_barred(self) -> None:
        """Give up what was made under another mask."""
        for id_, recording in tuple(self._recordings.items()):
            if self._is_barred(recording.wanted):
                self._give_up(id_, recording, MASK_CHANGED)
        self._films.drop(lambda ended: self._is_barred(ended.wanted), MASK_CHANGED)

    def _is_barred(self, wanted: Wanted) -> bool:
        camera = self._config.camera.get(wanted.event.camera)
        return camera is not None and camera.mask != wanted.mask

    def _tell_reading(self) -> None:
        read = frozenset(each.wanted.event.camera for each in self._recordings.values() if each.takes)
        if read != self._read:
            self._read = read
            self._reading(read)

    def _begin(self, asked: _Asked) -> None:
        event, name = asked.event, asked.event.camera
        source = self._packets(name)
        if source is None:
            self._miss(event, "the camera gives no video")
            return
        if len(self._recordings) >= MOST_AT_ONCE or not self._has_room():
            self._miss(event, "too many are made already" if self._has_room() else NO_ROOM)
            return
        folder = self._folder / event.id
        recording = Recording(
            Wanted(event, asked.clip, event.start - event.at, asked.camera.mask),
            source,
            folder / "clip.mp4.part",
            partial(retaking, event.camera, asked.camera, asked.clip, asked.blur, self._cover),
            lambda: self._packets(name) is source,
        )
        try:
            make_durably(self._folder)
            make_durably(folder)
            recording.__enter__()
        except OSError as error:
            self._miss(event, _reason(error))
            return
        self._recordings[event.id] = recording
        self._events[event.id] = event
        self._tell_reading()

    def _end_all(self) -> None:
        """Clips under way end with what there is."""
        until = time.monotonic() + LAST_WORDS_S
        with ExitStack() as each:  # One that fails keeps no other from its end.
            each.callback(self._films.end, until + LAST_NAMES_S)
            each.callback(self._drop_barred)
            for id_, recording in self._recordings.items():
                each.callback(self._end, id_, recording, until)
            each.callback(self._drop_barred)

    def _end(self, id_: str, recording: Recording, until: float) -> None:
        if id_ not in self._recordings:
            return
        with self._spared(id_, recording):
            recording.stop("smartcam was stopped")
            recording.work(until)
            if not recording.over:  # Too slow; or nobody will look any more at what may have to be hidden in it.
                recording.cut_short = "smartcam was stopped"
            recording.end()
            self._close(id_, recording)

    @contextmanager
    def _spared(self, id_: str, recording: Recording) -> Iterator[None]:
        """What goes wrong with this clip ends this one only, also where nobody foresaw it."""
        try:
            yield
        except _foreseen() as error:
            self._save(id_, recording, error)
        except Exception as error:
            self._give_up(id_, recording, f"{type(error).__name__}: {error}")
            raise

    def _save(self, id_: str, recording: Recording, error: Exception) -> None:
        """Keep what there is of a clip that cannot go on."""
        recording.cut_short = _reason(error)
        with suppress(OSError, ValueError):
            if recording.footage.cut():
                self._close(id_, recording)
                return
        self._give_up(id_, recording, _reason(error))

    def _close(self, id_: str, recording: Recording) -> None:
        """It has ended: what is left to be done is its film's."""
        recording.__exit__()
        if not recording.footage.first:
            self._give_up(id_, recording, recording.cut_short or "there were no pictures of it")
            return
        del self._recordings[id_]
        size = min(filter(None, (recording.wanted.clip.size, self._link_size())), default=None)
        self._films.put(Ended(recording.wanted, recording.footage, recording.truncated, size))

    def _finish(self, ended: Ended, clip: ClipFile) -> None:
        """It is on the disk for good."""
        event = self._events.pop(ended.wanted.event.id, ended.wanted.event)
        if self._is_barred(ended.wanted):
            for file in (clip, clip.small):
                if file:
                    remove(file.path)
            self._miss(event, MASK_CHANGED)
            return
        self.trouble = self._sentence(event, f"is not whole: {clip.truncated}") if clip.truncated else ""
        if clip.truncated:
            log.info("%s", self.trouble)
        self._deliver(event, clip)

    def _give_up(self, id_: str, recording: Recording, why: str) -> None:
        self._recordings.pop(id_, None)
        recording.__exit__()
        remove(recording.footage.part)
        self._miss(recording.wanted.event, why)

    def _miss(self, event: Event, why: str) -> None:
        self._events.pop(event.id, None)
        self.dropped += 1
        self.trouble = self._sentence(event, f"cannot be made: {why}")
        log.warning("%s", self.trouble)

    def _sentence(self, event: Event, what: str) -> str:
        return f"camera {event.camera}, rule {event.rule}: the clip {what}"


def _foreseen() -> tuple[type[Exception], ...]:
    """What a clip may fail of."""
    import av
    import cv2

    return OSError, Unavailable, ValueError, av.FFmpegError, cv2.error


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
