"""When an event's pictures are sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import av
import numpy as np
import pytest

from smartcam.data import WHOLE, Box, Event, Picture, Rgb, Scene, Track
from smartcam.evidence import Snapshots
from smartcam.evidence.snapshots import MAX_WAITING
from smartcam.rules import Engine, Ulids
from smartcam.workers import Worker
from tests.evidence.pictures import Painting, decoded, flat, frame
from tests.rules.scenes import config, every

ALERT = 'see = "person"\nlevel = "alert"\ndo = ["snapshot"]'
PLAIN = 'see = "person"\ndo = ["snapshot"]'
FAR: Box = (0.45, 0.4, 0.55, 0.6)
NEAR: Box = (0.3, 0.2, 0.7, 0.8)


def seen(at: float, box: Box | None = FAR, *, id_: int = 1) -> Scene:
    """A look at somebody, in a grey that tells the time."""
    tracks = (Track(id_, "person", box, 0.8, at, at, 3, confirmed=True),) if box else ()
    return Scene("front", at, 1e6 + at, tracks, looked=True, frame=frame(at, flat(shade=min(round(at * 5), 255))))


def no_large(camera: str, at: float) -> Picture | None:
    return None


@dataclass
class Watched:
    """Rules and evidence, as the judge drives them, and what was delivered."""

    rule: str
    large: Callable[[str, float], Picture | None] = no_large
    at_once: bool = True
    now: float = 0.0
    delivered: list[tuple[float, str, int, float]] = field(default_factory=list)
    """When, the event's phase, the picture's number, and the time of its frame as its grey tells it."""

    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = config(self.rule)
        self.engine = Engine(rules, Ulids(Random(0)))
        self.snapshots = Snapshots(rules, self.deliver, large=self.large)

    def deliver(self, event: Event, jpeg: bytes, number: int) -> None:
        self.delivered.append((self.now, event.phase, number, float(np.median(decoded(jpeg))) / 5))

    def look(self, *scenes: Scene) -> None:
        for scene in scenes:
            self.now = scene.at
            self.snapshots.on_scene(scene)
            self.tell(self.engine.feed(scene))

    def finish(self) -> None:
        self.tell(self.engine.finish(self.now, 1e6 + self.now))

    def tell(self, events: list[Event]) -> None:
        self.events += events
        for event in events:
            self.snapshots.on_event(event)
        if self.at_once:
            self.snapshots.work()


def test_the_first_picture_of_an_alert_goes_at_once() -> None:
    watched = Watched(ALERT)
    watched.look(seen(1), seen(2))

    assert watched.delivered == [(1, "start", 1, 1)]


def test_the_picture_of_any_other_event_goes_five_seconds_after_its_start() -> None:
    watched = Watched(PLAIN)
    watched.look(*[seen(at) for at in every(1, 1, 3)], *[seen(at, NEAR) for at in every(1, 4, 9)])

    assert watched.delivered == [(6, "start", 1, 4)]


def test_or_at_its_end_if_that_comes_first() -> None:
    watched = Watched(PLAIN)
    watched.look(seen(1), seen(2, None), seen(5, None))

    assert watched.delivered == [(5, "end", 1, 1)]


@pytest.mark.parametrize(("rule", "sent_at"), [(ALERT, 1), (PLAIN, 6)])
def test_a_clearly_better_one_follows_at_the_end(rule: str, sent_at: float) -> None:
    watched = Watched(rule)
    watched.look(*[seen(at) for at in every(1, 1, 7)], seen(8, NEAR), seen(9), seen(10, None), seen(13, None))

    assert watched.delivered == [(sent_at, "start", 1, 1), (13, "end", 2, 8)]


def test_one_that_is_not_clearly_better_does_not() -> None:
    watched = Watched(ALERT)
    watched.look(seen(1), seen(2, (0.44, 0.38, 0.56, 0.62)), seen(3, None), seen(6, None))

    assert len(watched.delivered) == 1


def test_the_picture_may_be_from_before_the_event_began() -> None:
    """The best since the track's birth: who loiters may have shown the face on arrival."""
    watched = Watched(ALERT + '\nfor = "3s"')
    watched.look(seen(1, NEAR), seen(2), seen(3), seen(4))

    assert watched.delivered == [(4, "start", 1, 1)]


def test_a_rule_that_asks_for_no_picture_gets_none() -> None:
    watched = Watched('see = "person"\nlevel = "alert"')
    watched.look(seen(1), seen(9))
    watched.finish()

    assert watched.delivered == []


def test_an_event_without_tracks_gets_the_latest_frame() -> None:
    watched = Watched(ALERT + '\ncount = "== 0"')
    watched.look(*[seen(at, None) for at in every(1, 1, 6)])

    assert watched.delivered == [(4, "start", 1, 4)]


def test_finishing_delivers_what_is_owed() -> None:
    watched = Watched(PLAIN)
    watched.look(seen(1), seen(2))
    watched.finish()

    assert watched.delivered == [(2, "end", 1, 1)]


def test_boxes_and_crop_are_drawn_as_the_rule_says() -> None:
    pictures: list[bytes] = []
    for look in ("{}", "{ boxes = true }", "{ crop = true }"):
        rules = config(f"{ALERT}\nsnapshot = {look}")
        snapshots = Snapshots(rules, lambda _event, jpeg, _number: pictures.append(jpeg))
        snapshots.on_scene(seen(1))
        for event in Engine(rules, Ulids(Random(0))).feed(seen(1)):
            snapshots.on_event(event)
        snapshots.work()
    plain, boxes, crop = map(decoded, pictures)

    assert np.ptp(plain) == 0
    assert np.ptp(boxes) > 100
    assert crop.shape[1] < plain.shape[1]


def test_the_larger_stream_gives_the_same_moment() -> None:
    asked: list[tuple[str, float]] = []

    def large(camera: str, at: float) -> Picture:
        asked.append((camera, at))
        return flat(shade=200)

    watched = Watched(ALERT, large)
    watched.look(seen(1))

    assert asked == [("front", 1)]
    assert watched.delivered == [(1, "start", 1, 40)]


class Broken(Painting):
    """A picture that the decoder made of damage."""

    def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:  # noqa: ARG002 (a picture's shape)
        raise ValueError("cannot reshape array of size 0")


def undecodable(camera: str, at: float) -> Picture:
    raise av.InvalidDataError(1094995529, "Invalid data found when processing input")


@pytest.mark.parametrize("large", [undecodable, lambda _camera, _at: Broken(flat().pixels)])
def test_where_the_larger_stream_gives_no_sound_picture_the_small_one_serves(
    large: Callable[[str, float], Picture], caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(ALERT, large)
    with caplog.at_level(logging.WARNING):
        watched.look(seen(1), seen(2, NEAR), seen(3, None), seen(6, None))

    assert watched.delivered == [(1, "start", 1, 1), (6, "end", 2, 2)]
    [record] = caplog.records
    assert record.message.startswith("camera front: no picture from its record stream (")


def test_a_larger_stream_that_breaks_is_told_once_and_once_more_after_it_was_sound(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sound_at = 21
    watched = Watched(ALERT, lambda _camera, at: flat(shade=200) if at == sound_at else Broken(flat().pixels))
    with caplog.at_level(logging.WARNING):
        for id_, at in enumerate((1, 11, sound_at, 31, 41)):
            watched.look(seen(at, id_=id_), seen(at + 1, None), seen(at + 4, None))

    assert [shade for _, _, _, shade in watched.delivered] == [1, 11, 40, 31, 41]
    assert len(caplog.records) == 2


def test_the_best_moment_is_fetched_before_the_larger_stream_forgets_it() -> None:
    """At the end of a long event its best moment has long left the ring."""
    asked: list[float] = []

    def ring(camera: str, at: float) -> Picture | None:
        asked.append(at)
        return flat(shade=round(at * 5) + 100) if watched.now - at < 20 else None

    watched = Watched(ALERT, ring)
    watched.look(seen(1), seen(2, NEAR), *[seen(at) for at in every(1, 3, 40)], seen(41, None), seen(44, None))

    assert watched.delivered == [(1, "start", 1, 21), (44, "end", 2, 22)]
    assert asked == [1, 2]


def test_a_best_moment_that_was_fetched_outlives_its_place_in_the_album() -> None:
    watched = Watched(ALERT)
    watched.look(seen(1), seen(2, NEAR), *[seen(at) for at in every(1, 3, 12)])
    watched.snapshots.album.release("front", watched.events[0].id)
    watched.look(*[seen(at, None) for at in every(1, 13, 16)])

    assert watched.delivered[1:] == [(15, "end", 2, 2)]


def test_nothing_is_held_once_an_event_is_over() -> None:
    watched = Watched(ALERT)
    watched.look(seen(1), *[seen(at, None) for at in every(1, 2, 4)])
    assert watched.snapshots.album.held_bytes > 0

    watched.look(seen(5, None), seen(6, None))
    assert watched.snapshots.album.held_bytes == 0


def test_an_event_that_never_ends_keeps_its_best_picture_though_its_track_ended_long_ago() -> None:
    """A road that is never empty: the first car came near, and a thousand went by far away."""
    watched = Watched(PLAIN + "\nsnapshot = { boxes = true }")
    watched.look(*[seen(at) for at in every(1, 1, 6)], seen(7, NEAR))
    watched.look(*[seen(8 + number / 2, id_=2 + number) for number in range(1000)])
    (event,) = {event.id for event in watched.events}
    assert len(watched.snapshots.album.held("front", event)) < 50

    watched.finish()

    assert [(phase, number, round(at)) for _, phase, number, at in watched.delivered] == [
        ("start", 1, 1),
        ("end", 2, 7),
    ]


def test_where_nobody_wants_pictures_none_is_made_or_kept() -> None:
    watched = Watched(ALERT)
    watched.snapshots = Snapshots(config(ALERT), None)
    watched.look(seen(1), seen(2, NEAR))
    watched.finish()

    assert [event.phase for event in watched.events] == ["start", "end"]
    assert watched.delivered == []
    assert watched.snapshots.album.held_bytes == 0


def test_a_full_queue_holds_nobody_up_and_tries_again() -> None:
    watched = Watched(ALERT, at_once=False)
    watched.look(seen(1))
    (start,) = Engine(config(ALERT), Ulids(Random(1))).feed(seen(1))
    for number in range(MAX_WAITING + 1):
        watched.snapshots.on_event(replace(start, id=f"{number}"))
    watched.snapshots.work()
    assert len(watched.delivered) == MAX_WAITING

    watched.look(seen(2))
    watched.snapshots.work()
    assert len(watched.delivered) == MAX_WAITING + 2
    assert watched.snapshots.dropped == 0


def test_what_a_full_queue_has_no_room_for_at_an_events_end_is_counted() -> None:
    watched = Watched(PLAIN, at_once=False)
    watched.look(seen(1))
    (start,) = Engine(config(PLAIN), Ulids(Random(1))).feed(seen(1))
    for number in range(MAX_WAITING + 2):
        watched.snapshots.on_event(replace(start, id=f"{number}", phase="end"))

    assert watched.snapshots.dropped == 2


def test_the_worker_delivers_all_that_waits_before_it_ends() -> None:
    watched = Watched(PLAIN, at_once=False)
    held = threading.Event()

    def slow(camera: str, at: float) -> Picture | None:
        held.wait(10)
        return None

    watched.snapshots = Snapshots(config(PLAIN), watched.deliver, large=slow)
    with Worker("evidence", watched.snapshots.run):
        for id_, at in enumerate(every(10, 0, 30)):
            watched.look(seen(at, id_=id_), seen(at + 1, None), seen(at + 4, None))
        held.set()

    assert len(watched.delivered) == 4
