"""Things that stand still, as stories: each counts how often a rule that tells a thing once would have told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from pydantic import TypeAdapter

from smartcam.data import Box, Scene, Track
from smartcam.rules.still import MOST, MOVED_S, REMEMBERED_S, STILL_S, WATCHED_S, StillMemory, StillThings
from tests.rules.scenes import WALL, every

LEAST_S, MOST_S = REMEMBERED_S
BAY: Box = (0.4, 0.5, 0.6, 0.7)
"""A parking bay."""
ROAD: Box = (0.0, 0.5, 0.2, 0.7)


def shifted(box: Box, right: float, down: float = 0.0) -> Box:
    return box[0] + right, box[1] + down, box[2] + right, box[3] + down


@dataclass
class Watching:
    """A camera, its tracker, and a rule that tells each thing once."""

    memory: StillMemory = field(default_factory=StillMemory)
    told: list[float] = field(default_factory=list)
    """When the rule told."""
    at: float = 0.0
    ids: int = 0
    known: set[int] = field(default_factory=set)
    """The things that were told, as the rules learn of them: from the tracks that they told of."""
    tracks: set[int] = field(default_factory=set)
    """The tracks that were told."""

    def __post_init__(self) -> None:
        self.still = StillThings(self.memory)

    def born(self) -> int:
        self.ids += 1
        return self.ids

    def look(self, *seen: tuple[int, str, Box], step_s: float = 0.5, young: bool = False, looked: bool = True) -> None:
        """The next look sees these tracks: id, label, box."""
        self.at += step_s
        tracks = tuple(Track(id_, label, box, 0.8, 0.0, self.at, 3, not young) for id_, label, box in seen)
        self.still.follow(Scene("front", self.at, WALL + self.at, tracks, looked=looked, frame=None))
        if not young:
            self._rule([id_ for id_, _, _ in seen])

    def stay(self, id_: int, box: Box, for_s: float, label: str = "car", step_s: float = 0.5) -> None:
        for _ in every(step_s, step_s, for_s):
            self.look((id_, label, box), step_s=step_s)

    def empty(self, for_s: float, step_s: float = 10.0) -> None:
        """Nothing is seen, though the camera looks."""
        for _ in every(step_s, step_s, for_s):
            self.look(step_s=step_s)

    def drive(self, id_: int, boxes: Iterable[Box], label: str = "car") -> None:
        for box in boxes:
            self.look((id_, label, box))

    def _rule(self, ids: list[int]) -> None:
        for id_ in ids:
            if id_ not in self.tracks and self.still.thing_of(id_) not in self.known:
                self.told.append(self.at)
                self.tracks.add(id_)
        self.known |= {thing for id_ in ids if id_ in self.tracks and (thing := self.still.thing_of(id_))}

    @property
    def things(self) -> list[str]:
        return [thing.label for thing in self.still.things]


@pytest.fixture
def front() -> Watching:
    return Watching()


def parked(front: Watching, for_s: float = 600.0) -> int:
    car = front.born()
    front.stay(car, BAY, for_s)
    return car


def into_the_bay() -> list[Box]:
    return [shifted(ROAD, step * 0.04) for step in range(11)]


def test_a_parked_car_that_is_lost_for_two_minutes_is_told_once(front: Watching) -> None:
    parked(front)

    front.empty(120)
    front.stay(front.born(), shifted(BAY, 0.02, 0.01), 60)

    assert front.told == [0.5]
    assert front.things == ["car"]


def test_a_thing_is_known_once_it_was_seen_for_long_enough(front: Watching) -> None:
    car = front.born()
    front.look((car, "car", BAY))

    front.stay(car, BAY, STILL_S - 0.5)
    assert front.still.thing_of(car) is None

    front.look((car, "car", BAY))
    (thing,) = front.still.things
    assert front.still.thing_of(car) == thing.id
    assert (thing.label, thing.box, thing.since_wall, thing.seen_wall) == ("car", BAY, WALL + 0.5, WALL + front.at)


def test_a_track_that_is_only_carried_on_proves_nothing(front: Watching) -> None:
    """Seen twice, and then hidden behind a lorry for a minute."""
    car = front.born()
    front.look((car, "car", BAY))
    last_seen = Track(car, "car", BAY, 0.8, 0.0, front.at, 3, confirmed=True)

    for at in every(0.5, 1.0, 60.0):
        front.still.follow(Scene("front", at, WALL + at, (last_seen,), looked=True, frame=None))

    assert front.things == []


@pytest.mark.parametrize(("sighting_s", "told"), [(0.5, 7), (3.0, 5)])
def test_a_statue_that_flickers_all_day_is_told_a_few_times(front: Watching, sighting_s: float, told: int) -> None:
    """371 times; and not at all on the second day."""
    noise = Random(1)
    for _ in range(2 * 371):
        statue = front.born()
        for _ in every(0.5, 0.0, sighting_s):
            wild = shifted(BAY, noise.uniform(-0.01, 0.01), noise.uniform(-0.01, 0.01))
            front.look((statue, "person", wild))
        front.empty(noise.uniform(30, 400))

    assert len(front.told) == told
    assert front.things == ["person"]


def test_a_statue_that_is_called_person_and_dog_is_one_thing_once_a_track_was_both(front: Watching) -> None:
    statue = front.born()
    front.stay(statue, BAY, 40, "person")
    front.stay(statue, BAY, 10, "dog")

    for label in ("dog", "person"):
        front.empty(60)
        front.stay(front.born(), BAY, 5, label)

    assert front.told == [0.5]
    assert front.things == ["person"]


def test_something_of_another_name_is_another_thing(front: Watching) -> None:
    """A dog that lies where a car stood is news. Both are told once."""
    parked(front)
    for _ in range(3):
        front.empty(60)
        front.stay(front.born(), BAY, 60, "dog")
        front.empty(60)
        front.stay(front.born(), BAY, 60, "car")

    assert len(front.told) == 2
    assert sorted(front.things) == ["car", "dog"]


def test_a_car_that_leaves_is_forgotten_and_the_next_one_is_told(front: Watching) -> None:
    car = parked(front)

    front.drive(car, reversed(into_the_bay()))
    assert front.things == []

    front.empty(30)
    front.stay(front.born(), BAY, 5)
    assert len(front.told) == 2


def test_a_car_that_comes_where_one_left_unseen_is_new_and_takes_its_place(front: Watching) -> None:
    """The first one was not seen any more; the second was seen to arrive."""
    parked(front)
    old = front.still.things
    front.empty(60)

    second = front.born()
    front.drive(second, into_the_bay())
    front.stay(second, BAY, 60)

    assert len(front.told) == 2
    assert [thing.id for thing in front.still.things] == [front.still.thing_of(second)]
    assert front.still.things[0].id != old[0].id


def test_two_cars_side_by_side_are_two_things(front: Watching) -> None:
    first, second = front.born(), front.born()
    beside = shifted(BAY, 0.1)
    for _ in every(0.5, 0.0, 60.0):
        front.look((first, "car", BAY), (second, "car", beside))

    assert front.things == ["car", "car"]
    assert front.still.thing_of(first) != front.still.thing_of(second)


def test_a_second_one_that_appears_beside_a_thing_that_is_seen_is_another(front: Watching) -> None:
    """Somebody steps out from behind the statue."""
    statue = front.born()
    front.stay(statue, BAY, 60, "person")

    somebody = front.born()
    front.look((statue, "person", BAY), (somebody, "person", shifted(BAY, 0.05)))

    assert front.still.thing_of(somebody) is None
    assert len(front.told) == 2


def test_after_a_restart_the_parked_car_is_known(front: Watching) -> None:
    parked(front)
    adapter = TypeAdapter(StillMemory)
    restored = adapter.validate_python(json.loads(adapter.dump_json(front.memory)))
    assert restored == front.memory
    restored.forget_tracks()

    after = Watching(restored, at=5.0, known=front.known)
    after.stay(after.born(), BAY, 60)

    assert after.told == []
    assert after.things == ["car"]


def test_a_track_goes_on_over_another_reader_of_the_same_memory(front: Watching) -> None:
    car = parked(front, 20)

    after = replace(front)
    after.stay(car, BAY, 20)

    assert after.things == ["car"]
    assert len(after.told) == 1


def test_a_person_who_pauses_is_no_still_thing(front: Watching) -> None:
    person = front.born()
    front.stay(person, BAY, 20, "person")
    front.drive(person, reversed(into_the_bay()), "person")

    front.empty(30)
    front.stay(front.born(), BAY, 20, "person")

    assert front.things == []
    assert len(front.told) == 2


def test_whoever_appears_on_a_things_place_and_walks_on_is_told(front: Watching) -> None:
    """Somebody talked at the door for a minute; the next one who steps out of it must not be missed."""
    talking = front.born()
    front.stay(talking, BAY, 60, "person")
    front.empty(60)

    somebody = front.born()
    front.look((somebody, "person", BAY))
    assert len(front.told) == 1
    front.drive(somebody, [shifted(BAY, -0.15), shifted(BAY, -0.3)], "person")

    assert len(front.told) == 2
    assert front.things == []


def test_who_walks_by_in_front_does_not_move_a_thing(front: Watching) -> None:
    """For a moment only the rear half of the car is seen."""
    car = parked(front)
    x1, y1, x2, y2 = BAY

    front.stay(car, ((x1 + x2) / 2 + 0.01, y1, x2, y2), MOVED_S - 0.5)
    assert front.still.thing_of(car) is not None

    front.stay(car, BAY, 10)
    front.empty(60)
    front.stay(front.born(), BAY, 10)
    assert len(front.told) == 1


ROOF, REAR = (0.4, 0.5, 0.6, 0.58), (0.45, 0.5, 0.6, 0.7)


@pytest.mark.parametrize(("first", "then"), [(ROOF, BAY), (REAR, BAY), (BAY, REAR), (BAY, ROOF)])
def test_a_thing_of_which_only_a_part_is_seen_at_first_is_known(front: Watching, first: Box, then: Box) -> None:
    """The first look at a car in the shade finds its roof, and the second one all of it, or the other way round."""
    parked(front)
    front.empty(60)

    again = front.born()
    front.look((again, "car", first), young=True)
    front.stay(again, then, MOVED_S - 1)
    front.stay(again, BAY, 60)

    assert len(front.told) == 1
    assert front.things == ["car"]


def test_a_thing_of_which_a_part_is_hidden_for_long_stays_known(front: Watching) -> None:
    """Behind a bin that was put there, say."""
    parked(front)
    front.empty(60)

    front.stay(front.born(), (0.4, 0.5, 0.6, 0.62), 600)

    assert len(front.told) == 1


def test_what_is_not_confirmed_moves_no_thing(front: Watching) -> None:
    """A ghost that appears on the car and jumps away."""
    parked(front)
    front.empty(10)

    ghost = front.born()
    front.look((ghost, "car", BAY), young=True)
    front.look((ghost, "car", ROAD), young=True)

    assert front.things == ["car"]


def test_a_thing_is_known_by_what_it_is_called_when_it_is_confirmed(front: Watching) -> None:
    """The first look may call it anything."""
    parked(front)
    front.empty(60)

    again = front.born()
    front.look((again, "boat", BAY), young=True)
    front.stay(again, BAY, 5, "car")

    assert len(front.told) == 1


def test_of_two_things_close_together_the_nearer_one_is_known(front: Watching) -> None:
    first, second, beside = front.born(), front.born(), shifted(BAY, 0.05)
    for _ in every(0.5, 0.0, 60.0):
        front.look((first, "car", BAY), (second, "car", beside))
    things = front.still.thing_of(first), front.still.thing_of(second)
    front.empty(60)

    for box, thing in ((beside, things[1]), (BAY, things[0])):
        again = front.born()
        front.look((again, "car", box))
        assert front.still.thing_of(again) == thing


def test_who_moves_into_the_place_before_it_is_confirmed_was_not_born_there(front: Watching) -> None:
    parked(front)
    front.empty(60)

    second = front.born()
    for box in into_the_bay()[4:]:
        front.look((second, "car", box), young=True)
    front.look((second, "car", BAY))

    assert len(front.told) == 2


@pytest.mark.parametrize(
    ("stood_s", "remembered_s"), [(60.0, LEAST_S), (3 * LEAST_S, 3 * LEAST_S), (2 * MOST_S, MOST_S)]
)
def test_a_thing_that_is_not_seen_is_remembered_for_as_long_as_it_stood(
    front: Watching, stood_s: float, remembered_s: float
) -> None:
    front.stay(front.born(), BAY, stood_s, step_s=5.0)

    front.empty(remembered_s - 20)
    assert front.things == ["car"]

    front.empty(40)
    assert front.things == []


def test_a_thing_is_remembered_while_nobody_looks(front: Watching) -> None:
    """The night is dark, nothing moves, and the camera is offline for hours: nobody saw that it left."""
    parked(front)

    for _ in range(12 * 60):
        front.look(step_s=60, looked=False)
    front.look(step_s=6 * 3600)
    front.empty(LEAST_S - WATCHED_S - 10)

    assert front.things == ["car"]


def test_cattle_that_graze_leave_no_things_behind(front: Watching) -> None:
    """A minute here, a minute there, in one place at a time. What was lost is told again when it moves, not before."""
    cow, box, known_at = front.born(), ROAD, 0
    for step in range(60):
        front.stay(cow, box, 60, "cattle")
        known_at += front.still.thing_of(cow) is not None
        assert len(front.things) <= 1
        if step % 5 == 4:
            front.empty(30)
            cow = front.born()
            front.stay(cow, box, 10, "cattle")
        away = 0.2 if box[0] < 0.7 else -0.7
        front.drive(cow, [shifted(box, away * part / 10) for part in range(11)], "cattle")
        box = shifted(box, away)

    assert known_at == 60
    assert len(front.told) == 1 + 60 // 5


def test_cattle_that_graze_slowly_on_are_no_still_thing(front: Watching) -> None:
    """Their own length in two minutes."""
    cow = front.born()
    front.drive(cow, (shifted(ROAD, 0.2 * step / 240) for step in range(240 * 4)), "cattle")

    assert front.things == []
    assert len(front.memory.spots) == 1


def test_a_shadow_that_creeps_and_flickers_all_day_stays_one_thing(front: Watching) -> None:
    """Its own width in two hours."""
    for minute in range(8 * 60):
        shadow = front.born()
        for _ in range(6):
            front.look((shadow, "person", shifted((0.0, 0.5, 0.2, 0.9), 0.2 * minute / 120)))
        front.empty(60)

    assert len(front.told) == 5
    assert front.things == ["person"]


def test_a_camera_remembers_so_many_things_and_the_latest_of_them(front: Watching) -> None:
    grid = [(x / 12, y / 12, (x + 1) / 12, (y + 1) / 12) for x in range(12) for y in range(12)]
    first, latest = ([(front.born(), "car", box) for box in grid[half : half + MOST - 10]] for half in (0, MOST))
    for cars in (first, latest):
        for _ in every(1, 0, STILL_S):
            front.look(*cars, step_s=1.0)

    assert len(front.still.things) == MOST
    assert all(front.still.thing_of(id_) for id_, _, _ in latest)


def test_what_might_become_a_thing_crowds_out_none_that_is_one(front: Watching) -> None:
    """Many pass where a few stand."""
    parked(front)
    for number in range(3 * MOST):
        x, y = number % 16 / 16, number // 16 / 16
        front.look((front.born(), "person", (x, y, x + 1 / 16, y + 1 / 16)))

    assert front.things == ["car"]
    assert len(front.memory.spots) == 1 + MOST
