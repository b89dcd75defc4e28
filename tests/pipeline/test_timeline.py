"""The timeline, as it is printed: what a person sees is what is asserted."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from smartcam.data import Scene
from smartcam.pipeline.story import Notes, Part, Story
from smartcam.pipeline.timeline import ASCII, BLOCKS, MIN_COLUMNS, Marks, clock, marks_for, timeline
from tests.pipeline.stories import firing, miss, story
from tests.rules.scenes import dog, engine, every, fed, person, scene, walk

BERLIN = ZoneInfo("Europe/Berlin")

EVENING = story(
    120.0,
    ("gate-car", "into-paddock"),
    visitor=Part((firing("visitor", 3.0, 40.0), firing("visitor", 90.0, 90.5)), (miss("visitor", 60.0, "it rests"),)),
    herd=Part(misses=(miss("herd", 41.0, "saw 2, needs >= 3", 2.7), miss("herd", 50.0, "saw 1, needs >= 3", 2.3))),
    loitering=Part(misses=(miss("loitering", 12.0, "41 s of 60 s"),)),
    night_fox=Part(why_not="it is Sun 23:30: only 02:00-03:00"),
    first_dog=Part(why_not="no dog seen"),
)


def printed(told: Story, columns: int = 64, marks: Marks = BLOCKS) -> str:
    lines = timeline(told, columns=columns, marks=marks, zone=BERLIN)
    return "\n".join(["", *(line.text for line in lines), ""])


def test_a_story_is_a_bar_for_each_rule_or_the_reason_why_it_has_none() -> None:
    assert printed(EVENING) == (
        """
clip.mp4: 2:00 as yard, from Sun 2026-06-21 23:30:00 CEST
                 0:00       0:30        1:00        1:30
visitor   2x     ·█▒▒▒▒▒▒▒▒▒▒▒▒▒▒·······○···········█···········
                 nearly once more: it rests at 1:00
herd      never  ················○··○···························
                 saw 2, needs >= 3 at 0:41 (and 1 more)
loitering never: 41 s of 60 s at 0:12
night-fox never: it is Sun 23:30: only 02:00-03:00
first-dog never: no dog seen
                 █ fires  ▒ goes on  ○ nearly
not on yard: gate-car, into-paddock
"""
    )


def test_a_beginning_that_nobody_said_is_told_as_pretended() -> None:
    lines = timeline(story(10.0), zone=BERLIN, invented=True)
    assert [line.text for line in lines] == [
        "clip.mp4: 0:10 as yard",
        "pretending that it begins on Sun 2026-06-21 23:30:00 CEST; --at sets another",
    ]


def test_without_blocks_it_is_ascii() -> None:
    assert printed(story(10.0, visitor=Part((firing("visitor", 3.0, 7.0),))), marks=ASCII) == (
        """
clip.mp4: 0:10 as yard, from Sun 2026-06-21 23:30:00 CEST
           0:00      0:02       0:04      0:06       0:08
visitor 1x ...............#======================...............
           # fires  = goes on  o nearly
"""
    )


@pytest.mark.parametrize(
    ("encoding", "marks"),
    [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("no such encoding", ASCII)],
)
def test_blocks_are_drawn_where_they_can_be_written(encoding: str | None, marks: Marks) -> None:
    assert marks_for(encoding) is marks


@pytest.mark.parametrize("columns", [1, MIN_COLUMNS, 80, 200])
def test_nothing_is_wider_than_there_is_room(columns: int) -> None:
    long = story(
        5000.0,
        tuple(f"a-rule-elsewhere-{n}" for n in range(20)),
        a_rule_whose_name_is_long_x=Part(why_not="one thing and another " * 9),
        other=Part((firing("other", 4999.0, 5000.0),), (miss("other", 0.0, "this or that " * 20),)),
    )
    lines = timeline(long, columns=columns)
    assert max(len(line.text) for line in lines[1:]) <= max(columns, MIN_COLUMNS)
    assert "a-rule-whose-name-is-l.." in "".join(line.text for line in lines)


def test_a_clip_of_one_picture_has_a_timeline_too() -> None:
    lines = timeline(story(0.0, visitor=Part((firing("visitor", 0.0, 0.0),))))
    assert [line.text.rstrip() for line in lines[1:3]] == ["           0:00", "visitor 1x █" + "·" * 68]


def test_a_camera_without_rules_says_so_by_what_is_elsewhere() -> None:
    told = printed(story(10.0, ("gate-car",))).splitlines()
    assert told[2:] == ["not on yard: gate-car"]


@pytest.mark.parametrize(("at", "shown"), [(0.0, "0:00"), (41.9, "0:41"), (754.0, "12:34"), (3723.0, "1:02:03")])
def test_places_are_minutes_and_seconds(at: float, shown: str) -> None:
    assert clock(at) == shown


def test_notes_of_what_an_engine_says_become_a_story() -> None:
    """An event ends when it was last seen, not when that was told."""
    rules = engine('see = "person"\ncamera = "front"', 'see = "dog"\ncamera = "front"', 'see = "cat"\ncamera = "back"')
    notes = Notes("clip.mp4", "front", 1_000_000.0)
    scenes = [*walk(person, at=every(0.5, 1, 3)), *(scene(at) for at in every(0.5, 3.5, 8))]
    for each in scenes:
        notes.scene(each)
    for event in fed(rules, scenes):
        notes.event(event)
    told = notes.story(rules.standings(), rules.config.rule)
    assert [(each.rule, each.start_at, each.end_at) for each in told.firings] == [("r0", 1.0, 3.0)]
    assert told.length_s == 8.0
    assert (list(told.parts), told.elsewhere) == (["r0", "r1"], ("r2",))
    assert told.parts["r1"].why_not == "no dog seen"


def test_misses_of_other_cameras_and_rules_are_not_mixed_in() -> None:
    rules = engine('see = "dog"\nfor = "10s"', 'see = "person"\nfor = "10s"')
    notes = Notes("clip.mp4", "front", 1_000_000.0)
    fed(rules, [*walk(dog, at=every(0.5, 1, 5)), *(scene(at) for at in every(0.5, 5.5, 12))])
    notes.misses(rules.misses)
    notes.misses([miss("r0", 1.0, "of camera yard")])
    told = notes.story(rules.standings(), rules.config.rule)
    assert [[(each.reason, each.at) for each in part.misses] for part in told.parts.values()] == [
        [("4 s of 10 s", 5.0)],
        [],
    ]


def test_a_rule_that_is_switched_off_says_so() -> None:
    assert why_not('see = "dog"\nenabled = false') == "it is switched off (enabled = false)"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ('see = "dog"\nwhen = "23:00-05:00"', "no dog seen"),
        ('see = ["dog", "cat"]\nonly = "disarmed"', "no dog or cat seen"),
        ('see = "dog"\ncount = ">= 3"\nwhen = "23:00-05:00"', "no dog seen"),
        ('see = "@any"\nwhen = "23:00-05:00"', "nothing seen"),
        ('see = "person"\nwhen = "23:00-05:00"', "it is Mon 13:46: only 23:00-05:00"),
        ('see = "dog"\ncount = "== 0"\nwhen = "23:00-05:00"', "it is Mon 13:46: only 23:00-05:00"),
        ('at = "12:00"', "it waits for 12:00"),
        ('at = "12:00"\nwhen = "23:00-05:00"', "it is Mon 13:46: only 23:00-05:00"),
    ],
)
def test_that_nothing_was_there_says_more_than_the_time_of_day(rule: str, why: str) -> None:
    """Only of a rule that waits for things."""
    seen = [] if "@any" in rule else walk(person, at=every(0.5, 1, 3))
    assert why_not(rule, seen) == why


def why_not(rule: str, scenes: list[Scene] | None = None) -> str:
    """What a story says in the end of a rule that did not fire."""
    rules = engine(rule)
    notes = Notes("clip.mp4", "front", 0.0)
    for each in scenes or [scene(0.0)]:
        notes.scene(each)
        rules.feed(each)
    standings = rules.standings()
    rules.finish(each.at, each.wall)
    notes.misses(rules.misses)
    return notes.story(standings, rules.config.rule).parts["r0"].why_not
