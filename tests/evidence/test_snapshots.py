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

from smartcam.config import Config
from smartcam.data import WHOLE, Box, Detections, Event, Picture, Rgb, Scene, Track
from smartcam.evidence import Snapshots
from smartcam.evidence.snapshots import MAX_WAITING
from smartcam.geometry import MASKED
from smartcam.rules import Engine, Ulids
from smartcam.workers import Worker
from tests.evidence.pictures import Painting, decoded, flat, frame, noise
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


BLURRED = ALERT + '\nblur = ["person"]'
FACE: Box = (0.05, 0.1, 0.25, 0.6)
"""Of somebody whom the model is so unsure of that no track begins."""
DOG: Box = (0.75, 0.1, 0.95, 0.6)


def crowd(at: float, *, looked: bool = True, here: bool = True, middle: Box = FAR, someone: Box | None = FACE) -> Scene:
    """A sharp picture of a tracked person in the middle, another person at the left, and a dog at the right."""
    persons = [*([middle] if here else []), *([someone] if someone else [])]
    boxes = np.array([DOG, *persons], np.float32)
    scores = np.array([0.7, *[0.05] * len(persons)], np.float32)
    classes = np.array([1, *[0] * len(persons)], np.int32)
    found = Detections(boxes, scores, classes, ("person", "dog")) if looked else Detections.none()
    tracks = (Track(1, "person", middle, 0.8, at, at, 3, confirmed=True),) if here else ()
    return Scene("front", at, 1e6 + at, tracks, looked, frame(at, noise(320, 240)), found)


@dataclass
class Shown:
    """The pictures that a rule sends of some scenes, and whether details are left in them."""

    rule: str
    large: Callable[[str, float], Picture | None] = no_large
    glance: Callable[[str, Picture], Detections | None] = lambda _camera, _picture: None
    pictures: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = config(self.rule)
        self.engine = Engine(rules, Ulids(Random(0)))
        self.snapshots = Snapshots(
            rules, lambda _event, jpeg, _: self.pictures.append(jpeg), large=self.large, glance=self.glance
        )

    def look(self, *scenes: Scene) -> Rgb:
        """Its last picture after these."""
        for scene in scenes:
            self.snapshots.on_scene(scene)
            for event in self.engine.feed(scene):
                self.snapshots.on_event(event)
            self.snapshots.work()
        return decoded(self.pictures[-1])

    def fire(self, *scenes: Scene) -> Rgb:
        """The picture of a test event after these: of the latest frame."""
        for scene in scenes:
            self.snapshots.on_scene(scene)
        for event in self.engine.fire("r0", "front", scenes[-1].at, scenes[-1].wall):
            self.snapshots.on_event(event)
        self.snapshots.work()
        return decoded(self.pictures[0])


def shifted(box: Box, across: float) -> Box:
    return box[0] + across, box[1], box[2] + across, box[3]


def is_sharp(pixels: Rgb, box: Box) -> bool:
    height, width = pixels.shape[:2]
    part = pixels[round(box[1] * height) : round(box[3] * height), round(box[0] * width) : round(box[2] * width)]
    return float(np.abs(np.diff(part.astype(int), axis=1)).mean()) > 10


def test_a_rule_that_blurs_persons_shows_none_however_unsure_the_model_is() -> None:
    pixels = Shown(BLURRED).look(crowd(1))

    assert not is_sharp(pixels, FACE)
    assert not is_sharp(pixels, FAR)
    assert is_sharp(pixels, DOG)


def test_a_rule_that_blurs_nothing_shows_everybody() -> None:
    pixels = Shown(ALERT).look(crowd(1))

    assert all(is_sharp(pixels, box) for box in (FACE, FAR, DOG))


@pytest.mark.parametrize(("names", "dog_too"), [('["@pets", "person"]', True), ('["@any"]', True), ('["cat"]', False)])
def test_groups_are_blurred_as_their_members_are(names: str, dog_too: bool) -> None:
    pixels = Shown(f"{ALERT}\nblur = {names}").look(crowd(1))

    assert is_sharp(pixels, DOG) != dog_too


def test_a_crop_is_blurred_too() -> None:
    pixels = Shown(BLURRED + "\nsnapshot = { crop = true }").look(crowd(1))

    assert pixels.shape[1] < 200
    assert not is_sharp(pixels, (0.25, 0.25, 0.75, 0.75))


def test_somebody_who_is_missed_in_this_very_frame_was_seen_a_moment_ago() -> None:
    pixels = Shown(BLURRED).fire(crowd(1.0), crowd(1.2), crowd(1.4, someone=None))

    assert not is_sharp(pixels, FACE)
    assert is_sharp(pixels, DOG)


def test_a_frame_that_nobody_looked_at_is_blurred_as_a_whole() -> None:
    """The accelerator is away: nobody knows who is in it."""
    pixels = Shown(BLURRED).fire(crowd(1), *[crowd(at, looked=False) for at in every(0.5, 1.5, 10)])

    assert not any(is_sharp(pixels, box) for box in (FACE, FAR, DOG, WHOLE))


def test_or_it_is_looked_at_now() -> None:
    def glance(camera: str, picture: Picture) -> Detections:
        assert (camera, picture.size) == ("front", (320, 240))
        return crowd(0).detections

    shown = Shown(BLURRED, glance=glance)
    pixels = shown.fire(crowd(1), *[crowd(at, looked=False) for at in every(0.5, 1.5, 10)])

    assert not is_sharp(pixels, FACE)
    assert is_sharp(pixels, DOG)


def test_a_larger_picture_that_is_looked_at_itself_serves_at_once() -> None:
    shown = Shown(
        BLURRED,
        lambda _camera, _at: noise(640, 480),
        glance=lambda _camera, _picture: crowd(0, someone=shifted(FACE, 0.1)).detections,
    )
    pixels = shown.look(crowd(1))

    assert pixels.shape[1] == 640
    assert not is_sharp(pixels, FACE), "where the small one showed them"
    assert not is_sharp(pixels, shifted(FACE, 0.1))
    assert is_sharp(pixels, DOG)


def test_a_still_scene_is_as_good_as_looked_at() -> None:
    pixels = Shown(BLURRED).fire(crowd(1), *[crowd(at, looked=False) for at in every(0.5, 1.5, 3)])

    assert not is_sharp(pixels, FACE)
    assert is_sharp(pixels, DOG)


def test_the_larger_picture_serves_once_it_is_known_where_everybody_was_about_then() -> None:
    """It may be two seconds off, and somebody walked on meanwhile."""
    shown = Shown(BLURRED, lambda _camera, _at: noise(640, 480))
    at_once = shown.look(*[crowd(at) for at in every(0.5, 0, 3)])
    assert at_once.shape[1] == 320, "of the very frame that was looked at"

    later = shown.look(
        *[crowd(at, someone=shifted(FACE, (at - 3.5) / 10)) for at in every(0.5, 3.5, 5.5)],
        crowd(6, middle=(0.4, 0.3, 0.6, 0.9), someone=shifted(FACE, 0.25)),
        *[crowd(at, someone=shifted(FACE, 0.25)) for at in every(0.5, 6.5, 9)],
        *[crowd(at, someone=None, here=False) for at in every(0.5, 9.5, 14)],
    )
    assert later.shape[1] == 640
    assert not is_sharp(later, (0.05, 0.1, 0.5, 0.6)), "all the way that was walked in these seconds"
    assert is_sharp(later, DOG)


LONG = [
    *[crowd(at) for at in every(1, 1, 7)],
    crowd(8, middle=NEAR),
    *[crowd(at) for at in every(1, 9, 30)],
    *[crowd(at, here=False) for at in every(1, 31, 36)],
]
"""Its best picture is made long before it ends, while it can still be had from the larger stream."""
SHORT = [crowd(1), *[crowd(at, here=False) for at in every(1, 2, 6)]]


@pytest.mark.parametrize("scenes", [SHORT, LONG])
def test_a_picture_takes_no_more_than_the_way_out_has_left(scenes: list[Scene]) -> None:
    room = [100_000]
    sent: list[tuple[str, bytes]] = []
    rules = config(PLAIN)
    snapshots = Snapshots(rules, lambda event, jpeg, _: sent.append((event.phase, jpeg)), max_bytes=lambda: room[0])
    engine = Engine(rules, Ulids(Random(0)))
    for scene in scenes:
        snapshots.on_scene(scene)
        for event in engine.feed(scene):
            if event.phase == "end":
                room[0] = 4000
            snapshots.on_event(event)
        snapshots.work()

    phase, jpeg = sent[-1]
    assert phase == "end"
    assert len(jpeg) <= 4000


LEFT_HALF = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)


def with_mask(rules: Config) -> Config:
    front = rules.camera["front"].model_copy(update={"mask": LEFT_HALF})
    return rules.model_copy(update={"camera": rules.camera | {"front": front}})


def left_of(jpeg: bytes) -> float:
    """How much is to be seen where the mask lies."""
    pixels = decoded(jpeg).astype(int)
    return float(np.abs(pixels[:, : pixels.shape[1] // 2 - 8] - MASKED).max())


def in_detail(at: float, box: Box = FAR) -> Scene:
    return replace(seen(at, box), frame=frame(at, noise(seed=1)))


@pytest.mark.parametrize("large", [no_large, lambda _camera, _at: noise(640, 480)], ids=["own", "larger stream"])
def test_a_mask_holds_for_frames_that_were_taken_before_it(large: Callable[[str, float], Picture | None]) -> None:
    """The picture is made after the reload, of a moment before it."""
    sent: list[bytes] = []
    rules = config(ALERT)
    engine = Engine(rules, Ulids(Random(0)))
    snapshots = Snapshots(rules, lambda _event, jpeg, _number: sent.append(jpeg), large=large)
    for scene in (in_detail(1.0), in_detail(2.0)):
        snapshots.on_scene(scene)
        for event in engine.feed(scene):
            snapshots.on_event(event)
    snapshots.renew(with_mask(rules))
    snapshots.work()

    assert [left_of(jpeg) < 5 for jpeg in sent] == [True]


def test_a_picture_that_was_kept_ready_is_made_anew_under_a_new_mask() -> None:
    sent: list[bytes] = []
    rules = config(ALERT)
    engine = Engine(rules, Ulids(Random(0)))
    snapshots = Snapshots(rules, lambda _event, jpeg, _number: sent.append(jpeg))

    def look(*scenes: Scene) -> None:
        for scene in scenes:
            snapshots.on_scene(scene)
            for event in engine.feed(scene):
                snapshots.on_event(event)
            snapshots.work()

    look(in_detail(1.0), in_detail(2.0, NEAR), *[in_detail(at) for at in every(1, 3, 14)])
    snapshots.renew(with_mask(rules))
    look(*[replace(seen(at, None), frame=frame(at)) for at in every(1, 15, 20)])

    assert [left_of(jpeg) < 5 for jpeg in sent] == [False, True]


def test_a_mask_that_comes_while_a_picture_is_made_holds_for_it_too() -> None:
    sent: list[bytes] = []
    rules = config(ALERT)

    def slow(_camera: str, _at: float) -> Picture:
        snapshots.renew(with_mask(rules))
        return noise(640, 480)

    engine = Engine(rules, Ulids(Random(0)))
    snapshots = Snapshots(rules, lambda _event, jpeg, _number: sent.append(jpeg), large=slow)
    scene = in_detail(1.0)
    snapshots.on_scene(scene)
    for event in engine.feed(scene):
        snapshots.on_event(event)
    snapshots.work()

    assert [left_of(jpeg) < 5 for jpeg in sent] == [True]


def test_what_a_rule_blurs_since_its_event_began_is_blurred() -> None:
    sent: list[bytes] = []
    rules = config(ALERT)
    engine = Engine(rules, Ulids(Random(0)))
    snapshots = Snapshots(rules, lambda _event, jpeg, _number: sent.append(jpeg))
    scene = in_detail(1.0, (0.0, 0.0, 0.5, 1.0))
    snapshots.on_scene(scene)
    for event in engine.feed(scene):
        snapshots.on_event(event)
    [name] = rules.rule
    rule = rules.rule[name].model_copy(update={"blur": ("person",)})
    snapshots.renew(rules.model_copy(update={"rule": {name: rule}}))
    snapshots.work()

    [jpeg] = sent
    across = np.abs(np.diff(decoded(jpeg).astype(int), axis=1))
    assert float(across[:, :70].mean()) < float(across[:, 100:].mean()) / 4
