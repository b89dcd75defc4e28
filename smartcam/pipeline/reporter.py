"""Events and what shows them → messages, and what of it is kept."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from smartcam.config import Config
from smartcam.data import Event, Exhibit, Message
from smartcam.evidence.clips import ClipFile
from smartcam.evidence.mp4 import salvage
from smartcam.mqtt.form import unix_s
from smartcam.mqtt.payloads import event_message, exhibit_message, snapshot_messages
from smartcam.mqtt.topics import Topics
from smartcam.owed import Firing
from smartcam.store.leftovers import Leftover

WHOLE = "clip.mp4"
"""The one at the camera's own size; what is made smaller of it is called clip-SIZE.mp4."""


class Send(Protocol):
    """As `Outbox.put`."""

    def __call__(self, message: Message, firing: Firing | None = None, exhibit: Exhibit | None = None, /) -> object: ...


class Keep(Protocol):
    """As `Outbox.keep`."""

    def __call__(self, exhibit: Exhibit, data: bytes = b"", /) -> object: ...


class Reporter:
    """Turns events and what shows them into messages, and numbers the node's events after `last_n`.

    `send` owes a message, `keep` only keeps what shows it. While `clips_wait()`, as over a metered way, clips stay here
    until somebody asks for them, and no picture is sent twice.
    """

    def __init__(
        self,
        topics: Topics,
        model_of: Callable[[str], str],
        send: Send,
        *,
        clock_ok: Callable[[], bool],
        last_n: int = 0,
        keep: Keep = lambda *_: None,
        clips_wait: Callable[[], bool] = lambda: False,
        corrected: Callable[[float], float] = lambda wall: wall,
    ) -> None:
        self._topics = topics
        self._model_of = model_of
        self._cameras: Collection[str] | None = None
        self._send = send
        self._keep = keep
        self._clock_ok = clock_ok
        self._count = itertools.count(last_n + 1)
        self._clips_wait = clips_wait
        self._corrected = corrected

    def renew(self, topics: Topics, model_of: Callable[[str], str], cameras: Collection[str]) -> None:
        """Go on for another configuration, with these cameras."""
        self._topics, self._model_of, self._cameras = topics, model_of, cameras

    def event(self, event: Event) -> None:
        """One firing's start, update or end."""
        event = self._with_corrected_times(event)
        n = next(self._count)
        model = self._model_of(event.camera)
        message = event_message(self._topics, event, n=n, clock_ok=self._clock_ok(), model=model)
        self._send(message, Firing(event, n))

    def _with_corrected_times(self, event: Event) -> Event:
        """What began before the clock was set tells its start as if it had been."""
        end = None if event.end is None else self._corrected(event.end)
        return replace(event, start=self._corrected(event.start), end=end)

    def snapshot(self, event: Event, jpeg: bytes, number: int) -> None:
        """A picture of an event, and the word that it is there. A later one takes the place of the first."""
        event = self._with_corrected_times(event)
        picture, latest = snapshot_messages(self._topics, event, jpeg)
        self._send(picture, None, _picture_of(event, jpeg, number))
        # Nothing stays at the broker of a camera that was removed meanwhile.
        if not self._clips_wait() and (self._cameras is None or event.camera in self._cameras):
            self._send(latest, None)

    def clip(self, event: Event, clip: ClipFile) -> None:
        """An event's clip: the small one is sent, where its rule wants one, and the whole stays here."""
        for number, file in enumerate(filter(None, (clip, clip.small)), start=1):
            start, end = self._corrected(file.start), self._corrected(file.end)
            exhibit = replace(_clip_of(event, file, number), start=start, end=end)
            if self._clips_wait() or (file is clip and (clip.small or clip.too_large)):
                self._keep(exhibit)
            else:
                self._send(exhibit_message(self._topics, exhibit, codec=file.codec), None, exhibit)

    def sample(self, exhibit: Exhibit, jpeg: bytes, *, upload: bool) -> None:
        """A picture of what no rule told."""
        if upload:
            self._send(exhibit_message(self._topics, exhibit, jpeg=jpeg), None, exhibit)
        else:
            self._keep(exhibit, jpeg)


def salvaged(config: Config, leftover: Leftover) -> tuple[Message | None, Exhibit]:
    """What is owed and kept of a clip that an end without warning interrupted: of one in two sizes only the smaller.

    What it shows is known only as far as its event was told: it begins earlier, and may end before or after.
    """
    told = leftover.told
    is_whole = PurePosixPath(leftover.file).name == WHOLE
    start = unix_s(told["start"])
    exhibit = Exhibit(
        event=told["id"],
        kind="clip",
        camera=told["camera"],
        rule=told["event_type"],
        level=told["level"],
        score=told["score"],
        start=start,
        end=unix_s(told["end"]) if "end" in told else start + told["dwell_s"],
        number=1 if is_whole else 2,
        reasons=tuple(told.get("reasons", ())),
        file=leftover.file,
        bytes=leftover.bytes,
        sha256=leftover.sha256,
    )
    rule = config.rule.get(told["event_type"])
    stays = config.uplink.metered or rule is None or "clip" not in rule.do or (is_whole and rule.clip.size)
    return None if stays else exhibit_message(Topics(config.node.name), exhibit), exhibit


def can_be_saved(part: Path) -> bool:
    """Whether a clip that broke off can be played, once it is cut. One that was being made smaller is not worth it."""
    return part.name == f"{WHOLE}.part" and salvage(part)


def _clip_of(event: Event, file: ClipFile, number: int) -> Exhibit:
    return Exhibit(
        event=event.id,
        kind="clip",
        camera=event.camera,
        rule=event.rule,
        level=event.level,
        score=event.score,
        start=file.start,
        end=file.end,
        number=number,
        reasons=event.reasons,
        file=str(PurePosixPath(*file.path.parts[-3:])),  # media/EVENT/clip.mp4, below the state folder
        bytes=file.bytes,
        sha256=file.sha256,
    )


def _picture_of(event: Event, jpeg: bytes, number: int) -> Exhibit:
    at = event.start if event.end is None else event.end
    return Exhibit(
        event=event.id,
        kind="snapshot",
        camera=event.camera,
        rule=event.rule,
        level=event.level,
        score=event.score,
        start=at,
        end=at,
        number=number,
        reasons=event.reasons,
        bytes=len(jpeg),
        sha256=hashlib.sha256(jpeg).hexdigest(),
    )
