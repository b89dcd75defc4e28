"""Samples of near misses: every one of a period has the same chance, and its own picture."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.config import Config
from smartcam.data import WHOLE, Box, Exhibit, Rgb
from smartcam.evidence.album import Candidate
from smartcam.evidence.samples import Draw, Samples, Visit
from smartcam.workers import Worker
from tests.evidence.pictures import Painting, decoded, frame, noise

LEFT_HALF = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
YARD, GATE = Visit("yard", "front"), Visit("gate", "front")


def candidate(at: float = 1.0, picture: Painting | None = None, things: Any = ()) -> Candidate:
    return Candidate(frame(at, picture), None, (), 0.0, things)


def drawn_from(visits: int, seed: int) -> float | None:
    """Which of so many, each a near miss."""
    draw = Draw(Random(seed))
    for n in range(visits):
        draw.closer(YARD, candidate(float(n)))
        draw.missed(YARD, float(n), "too short")
    found = draw.end()
    return found and found.wall


@settings(max_examples=5, deadline=None)
@given(visits=st.integers(1, 8), seed=st.integers(0, 1000))
def test_each_has_the_same_chance(visits: int, seed: int) -> None:
    """500 draws: each is drawn about as often; four standard deviations are about one in ten thousand."""
    counted = Counter(drawn_from(visits, seed * 1000 + n) for n in range(500))
    expected = 500 / visits
    deviation = (500 / visits * (1 - 1 / visits)) ** 0.5
    assert all(abs(counted[float(n)] - expected) <= 4.5 * deviation for n in range(visits))


def test_visits_that_overlap_have_the_same_chance_too() -> None:
    """Whichever ends first."""

    def first(seed: int) -> bool:
        draw = Draw(Random(seed))
        draw.closer(YARD, candidate(1.0))
        draw.closer(GATE, candidate(2.0))
        draw.missed(GATE, 2.0, "")
        draw.missed(YARD, 1.0, "")
        found = draw.end()
        assert found
        return found.visit == YARD

    assert 200 < sum(first(seed) for seed in range(500)) < 300


def test_the_picture_is_the_one_of_the_moment_when_the_rule_came_closest() -> None:
    draw = Draw(Random(0))
    for at in (1.0, 2.0, 3.0):
        draw.closer(YARD, candidate(at))
    draw.missed(YARD, 3.0, "too short")
    found = draw.end()
    assert found
    assert (found.candidate.frame.at, found.reason, found.among) == (3.0, "too short", 1)


def test_a_visit_that_came_to_an_event_is_no_miss() -> None:
    draw = Draw(Random(0))
    draw.closer(YARD, candidate())
    draw.keep_only([])
    assert draw.held_bytes == 0
    assert draw.missed(YARD, 1.0, "") is None
    assert draw.end() is None


def test_one_without_a_picture_counts_and_is_not_drawn() -> None:
    draw = Draw(Random(0))
    draw.missed(GATE, 1.0, "")
    draw.closer(YARD, candidate())
    draw.missed(YARD, 2.0, "")
    found = draw.end()
    assert found
    assert (found.visit, found.among) == (YARD, 2)


def test_no_more_frames_are_held_than_there_is_room_for() -> None:
    draw = Draw(Random(0), most_held=3)
    for n in range(50):
        draw.closer(Visit("yard", f"cam{n}"), candidate(float(n)))
        assert draw.held_bytes <= 3 * 160 * 120 * 1.5
    draw = Draw(Random(0), most_bytes=160 * 120 * 3)
    for n in range(50):
        draw.closer(Visit("yard", f"cam{n}"), candidate(float(n)))
        assert draw.held_bytes <= 160 * 120 * 3


def test_rules_that_miss_at_the_same_moment_share_a_frame() -> None:
    draw, shared = Draw(Random(0), most_held=1), candidate()
    for n in range(5):
        draw.closer(Visit(f"r{n}", "front"), shared)
    draw.missed(Visit("r0", "front"), 1.0, "")
    assert draw.end()


# Beside the daemon


def config(**sampling: Any) -> Config:
    return Config.model_validate(
        {
            "camera": {"front": {"source": "clip.mp4"}},
            "sampling": sampling,
            "rule": {
                "yard": {"see": "person", "level": "alert", "do": ["snapshot"], "blur": ["person"]},
                "gate": {"see": "car"},
            },
        }
    )


class Taken:
    """Samples at work, and what they delivered."""

    def __init__(self, config: Config, **more: Any) -> None:
        self.all: list[tuple[Exhibit, bytes]] = []
        self.samples = Samples(
            config, lambda *sample: self.all.append(sample), lambda wall: f"ID{wall:g}", random=Random(1), **more
        )

    def miss(self, visit: Visit, at: float, picture: Painting | None = None, things: Any = ()) -> None:
        self.samples.closer(visit, candidate(at, picture, things))
        self.samples.missed(visit, 1000 + at, "2 s of 5 s")

    def work(self) -> list[tuple[Exhibit, bytes]]:
        with Worker("samples", self.samples.run):
            pass
        return self.all


def test_a_sample_is_delivered_when_the_period_is_over() -> None:
    taken = Taken(config(rejects="1 per hour"))
    taken.samples.turn(0.0)
    taken.miss(GATE, 5.0)
    taken.miss(GATE, 6.0)
    taken.samples.turn(3599.0)
    assert taken.work() == []
    taken.samples.turn(3600.0)
    [(exhibit, jpeg)] = taken.work()
    assert exhibit == Exhibit(
        event=f"ID{exhibit.start:g}",
        kind="sample",
        camera="front",
        rule="gate",
        level="event",
        score=0.0,
        start=exhibit.start,
        end=exhibit.start,
        reasons=("2 s of 5 s", "drawn from 2 near misses"),
        bytes=len(jpeg),
        sha256=hashlib.sha256(jpeg).hexdigest(),
    )
    assert exhibit.start in (1005.0, 1006.0)
    taken.samples.turn(7200.0)
    assert len(taken.work()) == 1


def test_what_is_drawn_by_the_end_of_the_daemon_is_delivered_too() -> None:
    taken = Taken(config(rejects="1 per day"))
    taken.miss(GATE, 5.0)
    taken.samples.finish()
    assert len(taken.work()) == 1


def test_without_sampling_nothing_is_delivered() -> None:
    taken = Taken(config())
    assert not taken.samples.are_wanted
    taken.miss(GATE, 5.0)
    taken.samples.finish()
    assert taken.work() == []


def test_of_a_rule_that_was_removed_meanwhile_nothing_is_delivered() -> None:
    """What it blurs is not known any more."""
    taken = Taken(config(rejects="1 per hour"))
    taken.miss(YARD, 5.0)
    taken.samples.renew(config(rejects="1 per hour").model_copy(update={"rule": {}}))
    taken.samples.finish()
    assert taken.work() == []


def test_where_something_else_is_to_be_blurred_from_now_on_what_was_drawn_is_given_up() -> None:
    """Where that was in its picture may be forgotten by now."""
    taken, before = Taken(config(rejects="1 per hour")), config(rejects="1 per hour")
    taken.miss(GATE, 5.0)
    gate = before.rule["gate"].model_copy(update={"blur": ("car",)})
    taken.samples.renew(before)
    taken.samples.renew(before.model_copy(update={"rule": before.rule | {"gate": gate}}))
    taken.samples.finish()
    assert taken.work() == []


def test_what_the_rule_blurs_is_blurred() -> None:
    picture = noise(320, 240)
    taken = Taken(config(rejects="1 per hour"))
    taken.miss(YARD, 5.0, picture, things=(("person", (0.5, 0.0, 1.0, 1.0)),))
    taken.samples.finish()
    [(_, jpeg)] = taken.work()
    pixels = decoded(jpeg)
    assert _detail(pixels[:, :120]) > 10 * _detail(pixels[:, 180:])


def test_and_everything_where_nobody_looked() -> None:
    taken = Taken(config(rejects="1 per hour"))
    taken.miss(YARD, 5.0, noise(320, 240), things=None)
    taken.samples.finish()
    [(_, jpeg)] = taken.work()
    assert _detail(decoded(jpeg)) < 15


def test_a_mask_that_came_after_the_frame_is_burned_into_the_sample() -> None:
    before = config(rejects="1 per hour")
    taken = Taken(before)
    taken.miss(GATE, 5.0, noise(320, 240))
    front = before.camera["front"].model_copy(update={"mask": LEFT_HALF})
    taken.samples.finish()
    taken.samples.renew(before.model_copy(update={"camera": {"front": front}}))

    [(_, jpeg)] = taken.work()
    pixels = decoded(jpeg)
    assert _detail(pixels[:, :150]) < 1 < _detail(pixels[:, 170:])


def test_a_mask_that_comes_while_a_sample_is_made_holds_for_it_too() -> None:
    before = config(rejects="1 per hour")
    front = before.camera["front"].model_copy(update={"mask": LEFT_HALF})
    taken = Taken(before)

    class Slow(Painting):
        def rgb(self, box: Box = WHOLE, size: tuple[int, int] | None = None) -> Rgb:
            taken.samples.renew(after)
            return super().rgb(box, size)

    after = before.model_copy(update={"camera": {"front": front}})
    taken.miss(GATE, 5.0, Slow(noise(320, 240).pixels))
    taken.samples.finish()

    [(_, jpeg)] = taken.work()
    assert _detail(decoded(jpeg)[:, :150]) < 1


def test_a_sample_that_waits_to_be_made_is_given_up_where_something_else_is_to_be_blurred() -> None:
    taken, before = Taken(config(rejects="1 per hour")), config(rejects="1 per hour")
    taken.miss(GATE, 5.0)
    taken.samples.finish()
    gate = before.rule["gate"].model_copy(update={"blur": ("car",)})
    taken.samples.renew(before.model_copy(update={"rule": before.rule | {"gate": gate}}))

    assert taken.work() == []


def _detail(pixels: Any) -> float:
    return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())
