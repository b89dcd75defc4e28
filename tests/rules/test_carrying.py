"""What the rules remember can be carried: into a file and back, over a reload, over a restart."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.config import Config, parse
from smartcam.data import Event, Scene
from smartcam.rules import Engine, Ulids
from smartcam.rules.memory import Memory, kept, restored
from tests.rules.scenes import BASE, WALL, Thing, config, engine, every, fed, person, told, walk
from tests.rules.test_properties import moments, story

MORE = """
[site]
latitude  = 46.64
longitude = 8.59
timezone  = "Europe/Zurich"

[line.path]
camera = "front"
points = [[0.5, 0], [0.5, 1]]

[mode.home]
[mode.away]
when = "03:00-04:00"
"""
KEYS = st.fixed_dictionaries(
    {"see": st.sampled_from(['"person"', '"@any"', '["dog", "cat"]', '"@pets"'])},
    optional={
        "zone": st.just('"yard"'),
        "score": st.sampled_from(["0.5", "0.7"]),
        "for": st.sampled_from(['"1s"', '"4s"']),
        "count": st.sampled_from(['">= 2"', '"== 1"', '"< 2"', '"== 0"']),
        "with": st.sampled_from(['"person"', '["dog", "cat"]']),
        "once": st.sampled_from(['"day"', '"day per label"', '"visit"']),
        "cooldown": st.sampled_from(['"3s"', '"10s per label"', '"5s per zone"']),
        "when": st.sampled_from(['"night"', '"14:46-14:48"']),
        "only": st.sampled_from(['"armed"', '"away"']),
        "height": st.sampled_from(["0.1", "[0.1, 0.3]"]),
        "message": st.just('"{count} {label} in {zone} at {time}"'),
    },
)
CROSSING = st.fixed_dictionaries(
    {"see": st.just('"@any"'), "crosses": st.just('"path"')},
    optional={"toward": st.sampled_from(['"in"', '"out"', '"either"'])},
)
rule_sets = st.lists(st.one_of(KEYS, CROSSING), min_size=1, max_size=4)
stories = st.lists(moments, max_size=40)


def configured(rules: list[dict[str, str]]) -> Config:
    texts = []
    for number, keys in enumerate(rules):
        if "zone" in keys and "zone" in keys.get("cooldown", ""):
            keys = {**keys, "cooldown": '"5s"'}
        texts.append(f"[rule.r{number}]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items()))
    return parse("\n".join([BASE, MORE, *texts]))


def fresh(settings: Config) -> Engine:
    return Engine(settings, Ulids(Random(0)))


def played(rules: Engine, scenes: list[Scene], *, to: float | None = None) -> list[Event]:
    """All that is said to these scenes, and at the end of the story."""
    last = to if to is not None else scenes[-1].at if scenes else 0.0
    return [*fed(rules, scenes), *rules.finish(last, WALL + last)]


def now_of(scenes: list[Scene]) -> tuple[float, float]:
    return end_of(scenes), WALL + end_of(scenes)


def end_of(scenes: list[Scene]) -> float:
    return scenes[-1].at if scenes else 0.0


@settings(max_examples=150)
@given(rule_sets, stories, st.data())
def test_splitting_a_recording_and_carrying_the_memory_over_changes_nothing(
    rules: list[dict[str, str]], moments: list[tuple[float, list[Thing], str, str]], data: st.DataObject
) -> None:
    scenes, configuration = story(moments), configured(rules)
    whole = played(fresh(configuration), scenes)
    cut = data.draw(st.integers(0, len(scenes)))
    ids = Ulids(Random(0))

    first = Engine(configuration, ids)
    before = fed(first, scenes[:cut])
    second = Engine(configuration, ids, memory=Memory.from_json(first.memory.to_json()))

    assert before + played(second, scenes[cut:], to=end_of(scenes)) == whole


@settings(max_examples=150)
@given(rule_sets, stories, st.data())
def test_a_reload_with_the_same_rules_changes_no_event(
    rules: list[dict[str, str]], moments: list[tuple[float, list[Thing], str, str]], data: st.DataObject
) -> None:
    scenes = story(moments)
    whole = played(fresh(configured(rules)), scenes)
    cut = data.draw(st.integers(0, len(scenes)))

    first = fresh(configured(rules))
    before = fed(first, scenes[:cut])
    second, ends = first.replaced(configured(rules), *now_of(scenes[:cut]))

    assert ends == []
    assert before + played(second, scenes[cut:], to=end_of(scenes)) == whole


@given(rule_sets, stories)
def test_a_rule_beside_changes_nothing_for_the_others(
    rules: list[dict[str, str]], moments: list[tuple[float, list[Thing], str, str]]
) -> None:
    """Also a reload that adds one in the middle."""
    scenes = story(moments)
    alone = [(event.rule, event.phase, event.at) for event in played(fresh(configured(rules)), scenes)]

    first = fresh(configured(rules))
    before = fed(first, scenes[: len(scenes) // 2])
    second, _ = first.replaced(configured([*rules, {"see": '"@any"'}]), *now_of(scenes[: len(scenes) // 2]))
    after = played(second, scenes[len(scenes) // 2 :], to=end_of(scenes))

    assert [(e.rule, e.phase, e.at) for e in before + after if e.rule != f"r{len(rules)}"] == alone


def test_a_rule_that_is_taken_out_ends_its_event() -> None:
    first = engine('see = "person"', 'see = "dog"')
    fed(first, walk(person, at=[0, 1, 2]))

    _, ends = first.replaced(config('see = "dog"'), 2, WALL + 2)

    assert [(event.rule, event.phase, event.at) for event in ends] == [("r0", "end", 2)]


def test_a_rule_that_is_switched_off_and_on_again_still_rests() -> None:
    resting = 'see = "person"\ncooldown = "1h"'
    first = engine(resting)
    fed(first, [*walk(person, at=[0, 1]), *walk(at=[2, 3, 4, 5])])

    off, _ = first.replaced(config(resting + "\nenabled = false"), 5, WALL + 5)
    fed(off, walk(person, at=[10, 11]))
    on, _ = off.replaced(config(resting), 11, WALL + 11)

    assert fed(on, [*walk(at=[20, 30]), *walk(Thing(77, "person"), at=[40, 41])]) == []


def test_words_and_evidence_may_change_under_an_open_event() -> None:
    first = engine('see = "person"')
    fed(first, walk(person, at=[0, 1]))

    second, ends = first.replaced(config('see = "person"\nlevel = "alert"\nmessage = "{label}!"'), 1, WALL + 1)
    [end] = fed(second, walk(at=[2, 3, 4, 5]))

    assert ends == []
    assert (end.phase, end.level, end.message) == ("end", "alert", "person!")


def after_a_restart(first: Engine, *rules: str, off_s: float = 60.0) -> Engine:
    """An engine in a new process, whose monotonic clock begins anew, `off_s` after the last scene at 5 s."""
    data = kept(first.memory, at=5, wall=WALL + 5)
    return Engine(config(*rules), Ulids(Random(1)), memory=restored(data, at=0, wall=WALL + 5 + off_s))


@pytest.mark.parametrize(("off_s", "fires"), [(60, False), (3600, True)])
def test_a_cooldown_goes_on_while_the_power_is_off(off_s: float, fires: bool) -> None:
    rule = 'see = "person"\ncooldown = "30m"'
    first = engine(rule)
    fed(first, [*walk(person, at=[0, 1]), *walk(at=[2, 3, 4, 5])])

    second = after_a_restart(first, rule, off_s=off_s)

    assert bool(fed(second, walk(Thing(1, "person"), at=every(1, 0, 3)))) is fires


def test_an_event_that_was_open_when_the_power_went_is_ended() -> None:
    first = engine('see = "person"')
    [start] = fed(first, walk(person, at=every(1, 0, 5)))

    second = after_a_restart(first, 'see = "person"')
    events = fed(second, [replace(each, wall=WALL + 65 + each.at) for each in walk(at=every(1, 0, 5))])

    assert told(events) == [("end", 0)]
    assert (events[0].id, events[0].seq, events[0].start) == (start.id, 2, start.start)


def test_a_rule_may_be_called_as_times_are() -> None:
    """Times are known by the names of fields, never by what a person calls things."""
    rules = BASE + '[rule.since]\nsee = "person"\ncooldown = "1h"\n[rule.gone_at]\nsee = "person"\n'
    first = Engine(parse(rules), Ulids(Random(0)))
    fed(first, walk(person, at=every(1, 0, 30)))

    memory = restored(kept(first.memory, at=30, wall=WALL + 30), at=1000, wall=WALL + 30)

    for name in ("since", "gone_at"):
        firing = memory.rules["front"][name].seen
        assert firing
        assert firing.firing
        assert (firing.firing.seq, firing.firing.start_at, firing.firing.start) == (1, 970, WALL)


def test_a_clock_that_is_not_set_after_the_restart_lets_no_time_pass() -> None:
    rule = 'see = "person"\ncooldown = "30m"'
    first = engine(rule)
    fed(first, [*walk(person, at=[0, 1]), *walk(at=[2, 3, 4, 5])])

    memory = restored(kept(first.memory, at=5, wall=WALL + 5), at=0, wall=0)

    assert fed(Engine(config(rule), Ulids(Random(1)), memory=memory), walk(Thing(1, "person"), at=[0, 1])) == []


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 9000,
        b'{"version":1}',
        b'{"version":2,"saved":1}',
        b'{"version":1,"saved":"x"}',
    ],
)
def test_what_is_no_memory_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's and our own)
        restored(damaged, 0, 0)


@pytest.mark.parametrize("now", ['see = "person"\nscore = 0.9', 'see = "person"\nenabled = false', None])
def test_an_event_of_a_rule_that_changed_while_nobody_was_running_is_ended(now: str | None) -> None:
    first = engine('see = "person"')
    [start] = fed(first, walk(person, at=every(1, 0, 5)))

    second = after_a_restart(first, now) if now else after_a_restart(first)
    [end] = second.settle(7, WALL + 66)

    assert (end.phase, end.id, end.seq, end.rule) == ("end", start.id, 2, "r0")
    assert second.settle(8, WALL + 67) == []
    assert fed(second, [replace(each, wall=WALL + 70 + each.at) for each in walk(at=every(1, 8, 15))]) == []


def test_what_is_gone_for_long_is_forgotten_with_its_camera() -> None:
    first = engine('see = "person"')
    fed(first, walk(person, at=[0, 1]))
    other = parse('[camera.other]\nsource = "-"\n[rule.a]\nsee = "person"')

    second, _ = first.replaced(other, 1, WALL + 1)
    assert "front" in second.memory.rules
    third, _ = second.replaced(other, 2 * 3600, WALL + 2 * 3600)

    assert set(third.memory.rules) == set(third.memory.cameras) == {"other"}


def test_a_clock_that_is_set_back_over_noon_beats_once() -> None:
    rules = Engine(parse(BASE + MORE + '[rule.noon]\nat = "12:00"\ncamera = "front"'), Ulids(Random(0)))
    noon = 1_795_518_000.0  # 2026-11-24T12:00 in Zurich
    walls = [noon - 1, noon + 0.5, noon + 1, noon - 0.5, noon + 0.2, noon + 1, noon + 2]

    events = [
        event for at, wall in enumerate(walls) for event in rules.feed(replace(walk(at=[float(at)])[0], wall=wall))
    ]

    assert [event.phase for event in events] == ["start", "end"]


def test_what_has_been_gone_for_long_is_forgotten_at_a_start_too() -> None:
    first = engine('see = "person"')
    fed(first, walk(person, at=[0, 1]))
    other = parse('[camera.other]\nsource = "-"\n[rule.a]\nsee = "person"')
    second, _ = first.replaced(other, 1, WALL + 1)

    memory = restored(kept(second.memory, 1, WALL + 1), at=0, wall=WALL + 2 * 3600)
    third = Engine(other, Ulids(Random(1)), memory=memory)

    assert "front" in third.memory.rules
    assert third.settle(0, WALL + 2 * 3600) == []
    assert "front" not in third.memory.rules
