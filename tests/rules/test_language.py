"""The rules of the design, each firing and each holding back, with what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from smartcam.config import parse
from smartcam.data import Event, Scene
from smartcam.rules import Engine, Ulids
from tests.rules.scenes import Thing, cattle, dog, every, fed, person, scene, walk

LEFT, RIGHT = (0.25, 0.5), (0.75, 0.5)
PLACE = """
[site]
latitude  = 46.64
longitude = 8.59
timezone  = "Europe/Zurich"

[camera.front]
source = "front.mp4"

[zone.feeder]
camera = "front"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]

[zone.yard]
camera = "front"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]

[zone.gate]
camera = "front"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]

[line.fence]                # from the bottom upwards: the right half is the inner side
camera = "front"
points = [[0.5, 1], [0.5, 0]]

[group]
wildlife = ["deer", "boar", "fox"]
"""
NIGHT_WILDLIFE = """
[rule.night-wildlife]
see  = ["deer", "boar", "fox"]
zone = "feeder"
when = "night"
do   = ["snapshot", "clip"]
"""
YARD_INTRUDER = """
[rule.yard-intruder]
see    = "person"
zone   = "yard"
when   = ["mon-fri 18:00-07:00", "sat-sun"]
unless = "disarmed"
level  = "alert"
do     = ["snapshot", "clip"]
"""
LOITERING = """
[rule.loitering]
see  = ["car", "truck"]
zone = "gate"
for  = "60s"
"""
INTO_PADDOCK = """
[rule.into-paddock]
see     = "person"
crosses = "fence"
toward  = "in"
"""
HERD = """
[rule.herd]
see      = "cattle"
count    = ">= 3"
for      = "5s"
cooldown = "30m"
"""
WALKER_AND_DOG = """
[rule.walker-and-dog]
see    = "dog"
with   = "person"
within = "3s"
"""
FIRST_TODAY = """
[rule.first-today]
see  = "@wildlife"
once = "day per label"
do   = ["snapshot"]
"""
HEARTBEAT = """
[rule.heartbeat]
at = "12:00"
do = ["snapshot"]
"""
deer, car, fox = Thing(30, "deer"), Thing(31, "car"), Thing(32, "fox")


def ranger(rule: str) -> Engine:
    return Engine(parse(PLACE + rule), Ulids(Random(0)))


def beginning(local: str, scenes: Iterable[Scene]) -> list[Scene]:
    """The same scenes, at this time in the mountains."""
    start = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Zurich")).timestamp()
    return [replace(each, wall=start + each.at) for each in scenes]


def starts(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.phase == "start"]


def held_back(engine: Engine, scenes: Iterable[Scene]) -> list[str]:
    """What was missing, where nothing fired and all has gone again."""
    played = list(scenes)
    last = played[-1]
    gone = [replace(scene(last.at + more), wall=last.wall + more) for more in (1, 2, 3, 4)]
    assert fed(engine, [*played, *gone]) == []
    return [miss.reason for miss in engine.misses]


def test_night_wildlife_fires_at_night() -> None:
    [event] = starts(fed(ranger(NIGHT_WILDLIFE), beginning("2026-11-24 22:10", walk(deer, at=every(1, 0, 5)))))

    assert event.reasons == ("deer seen with score 0.87", "in zone feeder", "it is night")
    assert (event.level, event.evidence) == ("event", ("snapshot", "clip"))


def test_night_wildlife_leaves_the_day_alone() -> None:
    [missing] = held_back(ranger(NIGHT_WILDLIFE), beginning("2026-11-24 14:02", walk(deer, at=every(1, 0, 5))))

    assert missing == "it is day until 16:43: only at night"


def test_night_wildlife_looks_at_the_feeder_only() -> None:
    scenes = beginning("2026-11-24 22:10", walk(deer.at(RIGHT), at=every(1, 0, 5)))

    assert held_back(ranger(NIGHT_WILDLIFE), scenes) == ["deer not in feeder"]


def test_a_yard_intruder_in_the_evening_is_an_alert() -> None:
    [event] = starts(fed(ranger(YARD_INTRUDER), beginning("2026-11-24 18:02", walk(person, at=every(1, 0, 5)))))

    assert event.level == "alert"
    assert event.reasons == (
        "person seen with score 0.87",
        "in zone yard",
        "within mon-fri 18:00-07:00",
        "not disarmed",
    )


def test_nobody_intrudes_at_work_or_while_it_is_disarmed() -> None:
    at_work = beginning("2026-11-24 10:00", walk(person, at=every(1, 0, 5)))
    [missing] = held_back(ranger(YARD_INTRUDER), at_work)
    assert missing == "it is Tue 10:00: only mon-fri 18:00-07:00 or sat-sun"

    disarmed = ranger(YARD_INTRUDER)
    disarmed.alarm.arm(False)
    assert held_back(disarmed, beginning("2026-11-28 10:00", walk(person, at=every(1, 0, 5)))) == ["it is disarmed"]


def test_loitering_fires_after_a_minute() -> None:
    [event] = starts(fed(ranger(LOITERING), walk(car, at=every(1, 0, 70))))

    assert event.at == 60
    assert event.reasons == ("car seen with score 0.87", "in zone gate", "stayed 60 s (for = 60 s)")


def test_who_leaves_earlier_does_not_loiter() -> None:
    assert held_back(ranger(LOITERING), walk(car, at=every(1, 0, 41))) == ["41 s of 60 s"]


def test_into_paddock_fires_at_the_fence() -> None:
    steps = [scene(at / 2, person.at((0.3 + at / 20, 0.5))) for at in range(10)]

    [event] = starts(fed(ranger(INTO_PADDOCK), steps))

    assert event.reasons == ("person seen with score 0.87", "crossed fence (in)")


def test_out_of_the_paddock_or_along_its_fence_is_no_way_in() -> None:
    out = [scene(at / 2, person.at((0.7 - at / 20, 0.5))) for at in range(10)]
    assert held_back(ranger(INTO_PADDOCK), out) == ["person did not cross fence (in)"]

    along = [scene(at / 2, person.at((0.45, 0.1 + at / 20))) for at in range(10)]
    assert held_back(ranger(INTO_PADDOCK), along) == ["person did not cross fence (in)"]


def test_a_herd_is_three() -> None:
    [event] = starts(fed(ranger(HERD), walk(*cattle[:3], at=every(1, 0, 8))))

    assert event.at == 5
    assert event.reasons == ("cattle seen with score 0.52", "3 cattle (count >= 3)", "held 5 s (for = 5 s)")


def test_two_are_no_herd_and_the_same_herd_rests() -> None:
    assert held_back(ranger(HERD), walk(*cattle[:2], at=every(1, 0, 8))) == ["saw 2, needs >= 3"]

    rested = ranger(HERD)
    assert len(starts(fed(rested, walk(*cattle[:3], at=every(1, 0, 8))))) == 1
    fed(rested, walk(at=every(1, 9, 20)))
    again = [each.at for each in starts(fed(rested, walk(*cattle[2:], at=every(1, 600, 620))))]
    fed(rested, walk(at=every(1, 621, 630)))
    assert (again, rested.misses[-1].reason) == ([], "it rests for another 20 min (cooldown)")


def test_a_walker_and_a_dog_may_come_one_after_the_other() -> None:
    scenes = [*walk(dog, at=[0, 1]), scene(2), *walk(person, at=[3, 4])]

    [event] = starts(fed(ranger(WALKER_AND_DOG), scenes))

    assert event.at == 3
    assert event.label == "dog"
    assert event.reasons == ("dog seen with score 0.66", "with person 0.87 (within 3 s)")


def test_a_dog_alone_is_no_walker() -> None:
    missing = ["dog without person within 3 s"]
    assert held_back(ranger(WALKER_AND_DOG), walk(dog, at=every(1, 0, 8))) == missing

    too_late = [*walk(dog, at=[0, 1]), *walk(at=[2, 3, 4]), *walk(person, at=[5, 6])]
    assert held_back(ranger(WALKER_AND_DOG), too_late) == missing


def test_the_first_of_each_kind_is_told_every_day() -> None:
    engine = ranger(FIRST_TODAY)
    morning = [*walk(deer, at=every(1, 0, 5)), *walk(at=every(1, 6, 12)), *walk(fox, at=every(1, 20, 25))]
    next_day = walk(Thing(33, "deer"), at=every(1, 86_400, 86_405))

    events = starts(fed(engine, beginning("2026-11-24 08:00", [*morning, *walk(at=[30, 40]), *next_day])))

    assert [(event.label, event.at) for event in events] == [("deer", 0), ("fox", 20), ("deer", 86_400)]


def test_the_second_of_a_kind_is_not_told_that_day() -> None:
    engine = ranger(FIRST_TODAY)
    fed(engine, beginning("2026-11-24 08:00", [*walk(fox, at=every(1, 0, 5)), *walk(at=every(1, 6, 12))]))

    later = beginning("2026-11-24 08:00", walk(Thing(34, "fox"), at=every(1, 3600, 3605)))

    assert held_back(engine, later) == ["a fox was told today"]


def test_a_heartbeat_comes_at_noon() -> None:
    events = fed(ranger(HEARTBEAT), beginning("2026-11-24 11:59:58", walk(at=every(0.5, 0, 5))))

    assert [(event.phase, event.at, event.reasons) for event in events] == [
        ("start", 2, ("it is 12:00",)),
        ("end", 2.5, ("it is 12:00",)),
    ]
    assert (events[0].label, events[0].tracks) == ("", ())


def test_a_heartbeat_does_not_come_in_the_afternoon() -> None:
    engine = ranger(HEARTBEAT)

    assert fed(engine, beginning("2026-11-24 12:00:01", walk(person, at=every(0.5, 0, 60)))) == []
    assert [standing.why_not for standing in engine.standings()] == ["it waits for 12:00"]
