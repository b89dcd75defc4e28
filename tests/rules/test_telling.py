"""What an event says, what a rule says of itself, and test events."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from smartcam.config import parse
from smartcam.errors import SmartcamError
from smartcam.rules import Engine, Ulids
from tests.rules.scenes import BASE, STREET, WALL, YARD, Thing, dog, engine, every, fed, person, scene, walk

SITE = '[site]\nlatitude = 46.64\nlongitude = 8.59\ntimezone = "Europe/Zurich"\n[mode.home]\n[mode.away]\n'


def placed(rules: str) -> Engine:
    return Engine(parse(f"{BASE}\n{SITE}\n{rules}"), Ulids(Random(0)), clock_ok=lambda wall: wall >= WALL)


def test_a_message_is_filled_in() -> None:
    message = "{count} {label} in {zone} on {camera} since {time}, {date}: {phase} {score} {dwell}"
    rule = f'see = "person"\nmessage = "{message}"'

    start, end = fed(placed(f"[rule.r0]\n{rule}"), [*walk(person, at=every(1, 0, 65)), *walk(at=[66, 70])])

    assert start.message == "1 person in yard on front since 14:46, 1970-01-12: start 0.87 0 s"
    assert end.message == "1 person in yard on front since 14:46, 1970-01-12: end 0.87 65 s"


def test_a_message_without_a_second_look_takes_the_label() -> None:
    [event] = fed(engine('see = "dog"\nmessage = "{sublabel} {{ok}}"'), [scene(0, dog)])

    assert event.message == "dog {ok}"


def test_what_is_too_small_says_how_tall_it_should_be() -> None:
    rules = engine('see = "person"\nheight = 0.5')

    assert fed(rules, [*walk(person, at=[0, 1]), *walk(at=[2, 4])]) == []
    assert rules.misses[0].reason == "person 0.20 of the picture tall, needs 0.5"


def test_what_is_as_tall_as_asked_fires_and_says_so() -> None:
    [event] = fed(engine('see = "person"\nheight = [0.1, 0.3]'), [scene(0, person)])

    assert event.reasons[1] == "0.20 of the picture tall (0.1 to 0.3)"


def test_a_near_miss_tells_the_closest_of_the_visit() -> None:
    rules = engine('see = "person"\nzone = "yard"\nfor = "10s"\nscore = 0.5')
    visit = [
        scene(0, person.scored(0.4)),
        *walk(person.at(STREET), at=[1, 2]),
        *walk(person, at=every(1, 3, 9)),
        *walk(person.at(STREET), at=every(1, 10, 15)),
    ]

    fed(rules, [*visit, *walk(at=[16, 18])])

    [miss] = rules.misses
    assert (miss.rule, miss.camera, miss.at, miss.reason) == ("r0", "front", 9, "6 s of 10 s")
    assert [(s.near_misses, s.last_miss) for s in rules.standings() if s.camera == "front"] == [(1, "6 s of 10 s")]


def test_a_visit_that_fires_is_no_near_miss() -> None:
    rules = engine('see = "person"\nzone = "yard"')

    fed(rules, [*walk(person.at(STREET), at=[0, 1]), *walk(person, at=[2, 3]), *walk(at=[4, 8])])

    assert not rules.misses


def test_where_something_is_always_there_the_visit_is_cut() -> None:
    rules = engine('see = "person"\nzone = "shed"')

    there_and_back = [person.at(YARD), person.at(STREET)]
    fed(rules, [scene(at, there_and_back[int(at / 5) % 2]) for at in every(5, 0, 1300)])

    assert len(rules.misses) == 2


def test_disarming_ends_the_event() -> None:
    rules = placed('[rule.r0]\nsee = "person"\nunless = "disarmed"')
    events = fed(rules, walk(person, at=[0, 1, 2]))

    rules.alarm.arm(False)
    events += fed(rules, walk(person, at=every(1, 3, 8)))

    assert [(event.phase, event.at) for event in events] == [("start", 0), ("end", 6)]
    assert rules.standings()[0].why_not == "it is disarmed"


def test_a_mode_opens_and_closes_rules() -> None:
    rules = placed('[rule.r0]\nsee = "person"\nonly = ["away", "disarmed"]')

    assert fed(rules, walk(person, at=[0, 1])) == []
    assert rules.standings()[0].why_not == "only while away or disarmed"
    rules.alarm.set_mode("away")
    [event] = fed(rules, [scene(2, person)])
    assert event.reasons[-1] == "away"


def test_rules_that_need_the_clock_wait_until_it_is_set() -> None:
    rules = placed(
        '[rule.r0]\nsee = "person"\nwhen = "14:00-15:00"\n'
        '[rule.r1]\nsee = "person"\nonce = "day"\n'
        '[rule.r2]\nsee = "person"'
    )

    unset = [replace(each, wall=each.at) for each in walk(person, at=[0, 1])]

    assert [event.rule for event in fed(rules, unset)] == ["r2"]
    assert [each.why_not for each in rules.standings() if each.camera == "front"][:2] == [
        "the clock is not set yet"
    ] * 2
    assert [event.rule for event in fed(rules, walk(person, at=[2, 3]))] == ["r0", "r1"]


@pytest.mark.parametrize(
    ("rule", "why_not"),
    [
        ('see = "dog"\nenabled = false', "it is switched off (enabled = false)"),
        ('see = ["dog", "cat"]', "no dog or cat seen now"),
        ('see = "person"\nzone = "shed"', "person not in shed"),
        ('see = "person"', ""),
    ],
)
def test_a_rule_says_why_it_does_not_fire_now(rule: str, why_not: str) -> None:
    rules = engine(f'camera = "front"\n{rule}')
    fed(rules, walk(person, at=[0, 1]))

    [standing] = rules.standings()

    assert standing.why_not == why_not
    assert standing.open is (not why_not)


def test_a_test_event_is_marked_and_changes_nothing() -> None:
    rules = engine('see = "person"\ndo = ["snapshot"]\nlevel = "alert"')
    fed(rules, [scene(7)])

    start, end = rules.fire("r0", "front", 7, WALL + 7)

    assert (start.phase, end.phase, start.test, end.test) == ("start", "end", True, True)
    assert (start.id, start.seq, end.seq, start.camera, start.level) == (end.id, 1, 2, "front", "alert")
    assert (start.evidence, start.reasons, start.start) == (("snapshot",), ("a test: nothing was seen",), WALL + 7)
    assert [standing.fired for standing in rules.standings()] == [0, 0]


@pytest.mark.parametrize(
    ("rule", "camera", "sentence"),
    [
        ("r00", None, 'no rule "r00" (did you mean "r0"?); there are r0'),
        ("r0", "back", 'the rule "r0" is not on camera "back": it is on front'),
    ],
)
def test_a_test_of_what_is_not_there_is_refused(rule: str, camera: str | None, sentence: str) -> None:
    with pytest.raises(SmartcamError) as refused:
        engine('see = "person"\nzone = "yard"').fire(rule, camera, 0, WALL)

    assert str(refused.value) == sentence


def test_company_is_another_thing_of_the_kind() -> None:
    rule = 'see = "person"\nwith = "person"'

    assert fed(engine(rule), walk(person, at=[0, 1, 2])) == []
    assert len(fed(engine(rule), walk(person, Thing(9, "person"), at=[0]))) == 1
