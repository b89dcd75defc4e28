"""A node without eyes: the daemon's store and its way to the broker, and events that never stop coming.

It runs in a process of its own, that is cut off in the middle of anything. Whoever started it is told what is
committed: a witness reads the database beside the one that writes it, and sees a row when anybody could.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import smartcam.evidence.footage
import smartcam.store.writer
from smartcam.config import Config
from smartcam.data import Event, Exhibit, Message, Packet, Phase
from smartcam.durable import make_durably
from smartcam.errors import SmartcamError
from smartcam.evidence.clips import finished
from smartcam.evidence.footage import Footage
from smartcam.evidence.mp4 import salvage
from smartcam.mqtt.payloads import exhibit_message
from smartcam.mqtt.topics import Topics
from smartcam.pipeline.owing import Owing
from smartcam.pipeline.reporter import Reporter
from smartcam.pipeline.uplink import Uplink
from smartcam.store import Leftover, open_to_read
from smartcam.workers import Alive, Worker
from tests.faults.spoiled import Mutation, spoil

NODE, CAMERA = "ridge1", "front"
WARM_MESSAGES = 400
"""They fill the WAL, so that it is used again from its start: only then does a commit grow no file, and takes nothing
else to the disk with it."""
STEP_S = 0.004
"""Between two things that happen, in the middle."""
LOOK_S = 0.001
SYNC_S = 0.03
"""How often a growing clip is forced to the disk: in its short life, a node must come to it."""
WORK, REST, END = "work", "rest", "end"
"""What a process is told once it is ready, and at last."""


@dataclass(frozen=True)
class Orders:
    """What a process is started with."""

    folder: Path
    broker: str
    log: Path
    """On another disk."""
    name: str
    """Begins the ids of its events."""
    seed: str
    delete_s: float
    """How long what is done lies in the outbox: seconds are more than such a process lives."""
    film: tuple[Packet, ...]
    """What clips are made of."""
    warm: bool
    mutation: Mutation | None


class Ready(NamedTuple):
    """The store is open, the link tries to connect."""

    after_s: float


class Kept(NamedTuple):
    """Committed since the last word."""

    messages: list[tuple[int, str, int]]
    """n, id and seq."""
    files: list[str]


def live(orders: Orders, harness: Connection) -> None:
    """The life of the process: it ends by violence only, or when it is told to."""
    began = time.monotonic()
    with orders.log.open("w") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO)
    spoil(orders.mutation)
    setattr(smartcam.store.writer, "DELETE_S", orders.delete_s)  # noqa: B010 - it is not its own
    smartcam.evidence.footage.SYNC_S = SYNC_S
    os.environ["RUNTIME_DIRECTORY"] = str(orders.log.parent)
    told = {"url": orders.broker, "connect_timeout": 3, "retry_min": 0.05, "retry_max": 0.3}
    camera = {CAMERA: {"source": "x.mp4"}}
    config = Config.model_validate({"node": {"name": NODE, "data": str(orders.folder)}, "mqtt": told, "camera": camera})
    with Owing(config, salvage=salvage, finish=finish) as owing, Worker("store", owing.run):
        if owing.trouble:
            raise SmartcamError(owing.trouble)
        with Uplink(config, owing.outbox, on_set=lambda *_: None) as uplink:
            uplink.renew(config)
            harness.send(Ready(time.monotonic() - began))
            if harness.recv() == WORK:
                with Worker("witness", Witness(orders.folder, harness).run):
                    Happenings(orders, owing).go_on_until(harness.poll)
            harness.recv()


def finish(left: Leftover) -> tuple[Message, Exhibit]:
    """What an earlier life was filming is owed too."""
    now = time.time()
    told, (event, camera, rule) = left.told, (left.told[key] for key in ("id", "camera", "event_type"))
    exhibit = Exhibit(event, "clip", camera, rule, told["level"], told["score"], now, now)
    exhibit = replace(exhibit, file=left.file, bytes=left.bytes, sha256=left.sha256)
    return exhibit_message(Topics(NODE), exhibit, codec="h264"), exhibit


class Witness:
    """Tells what is committed."""

    def __init__(self, folder: Path, harness: Connection) -> None:
        self._folder = folder
        self._harness = harness

    def run(self, alive: Alive) -> None:
        """The worker's loop."""
        with closing(open_to_read(self._folder)) as db:
            last_n, last_file = 0, 0
            while alive():
                messages = db.execute("SELECT n, id, seq FROM event WHERE n > ? ORDER BY n", (last_n,)).fetchall()
                files = db.execute("SELECT rowid, file FROM media WHERE rowid > ?", (last_file,)).fetchall()
                if messages or files:
                    self._harness.send(Kept(messages, [file for _, file in files]))
                last_n = max([last_n, *(n for n, _, _ in messages)])
                last_file = max([last_file, *(row for row, _ in files)])
                time.sleep(LOOK_S)


class Happenings:
    """Events, their pictures and their clips, several at a time."""

    def __init__(self, orders: Orders, owing: Owing) -> None:
        self._orders = orders
        self._count = 0
        self._random = random.Random(orders.seed)
        self._reporter = Reporter(
            Topics(NODE),
            lambda _camera: "",
            owing.outbox.put,
            clock_ok=lambda: True,
            last_n=owing.last_n,
            keep=owing.outbox.keep,
        )

    def go_on_until(self, over: Callable[[], bool]) -> None:
        """For ever, mostly."""
        if self._orders.warm:
            for _ in range(WARM_MESSAGES // 2):
                self._tell(self._tell(self._begun(), "start"), "end")
        stories = [self._story() for _ in range(3)]
        while not over():
            at = self._random.randrange(len(stories))
            if next(stories[at], "over") == "over":
                stories[at] = self._story()
            time.sleep(self._random.expovariate(1 / STEP_S))

    def _story(self) -> Iterator[None]:
        """One event, step by step."""
        event = self._tell(self._begun(), "start")
        yield
        if self._random.random() < 0.6:
            self._reporter.snapshot(event, b"\xff\xd8" + self._random.randbytes(self._random.randrange(60_000)), 1)
            yield
        if self._random.random() < 0.4:
            yield from self._film(event)
        for phase in self._random.choice((("end",), ("update", "end"))):
            event = self._tell(event, phase)  # type: ignore[arg-type]  # those are phases
            yield

    def _begun(self) -> Event:
        self._count += 1
        return Event(
            id=f"01J{self._orders.name}{self._count:015d}",
            seq=0,
            camera=CAMERA,
            rule="visitor",
            level=self._random.choice(("info", "event", "alert")),
            phase="start",
            at=time.monotonic(),
            start=time.time(),
            end=None,
            label="person",
            score=0.8,
            count=1,
            zones=("yard",),
            dwell_s=1.0,
            tracks=(),
            reasons=("person in yard " + "for long " * self._random.randrange(60),),
            evidence=("snapshot", "clip"),
        )

    def _tell(self, event: Event, phase: Phase) -> Event:
        event = replace(event, phase=phase, seq=event.seq + 1)
        self._reporter.event(event)
        return event

    def _film(self, event: Event) -> Iterator[None]:
        """A clip that grows, is finished, and only then owed."""
        part = self._orders.folder / "media" / event.id / "clip.mp4.part"
        make_durably(part.parent.parent)
        make_durably(part.parent)
        with Footage(part) as footage:
            for packet in self._orders.film[: self._random.randrange(5, len(self._orders.film))]:
                footage.add(packet)
                if self._random.random() < 0.3:
                    yield
            footage.end()
        self._reporter.clip(event, finished(footage, time.time() - time.monotonic()))
        yield
