"""What holds for every story: whoever comes, stays, is missed or goes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smartcam.data import Event, Scene, Track
from smartcam.rules import Engine
from tests.rules.scenes import STREET, WALL, YARD, Thing, config, engine, every, fed, person, scene

ROUNDING_S = 1e-6
"""Of times that are added up."""
RULES = (
    'see = "@any"',
    'see = "person"\nzone = "yard"\nfor = "2s"\ncooldown = "5s"',
    'see = "@pets"\ncount = ">= 2"',
    'see = "person"\ncount = "< 1"\nfor = "4s"',
    'see = ["person", "dog"]\ncount = "== 2"\nscore = 0.5\ncooldown = "1s"',
)

things = st.builds(
    Thing,
    id=st.integers(1, 5),
    label=st.sampled_from(["person", "dog", "cat"]),
    score=st.sampled_from([0.4, 0.6, 0.9]),
    foot=st.sampled_from([YARD, STREET]),
    confirmed=st.sampled_from([True, True, True, False]),
)
moments = st.tuples(
    st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.0]),
    st.lists(things, max_size=3, unique_by=lambda thing: thing.id),
    st.sampled_from(["looked", "looked", "looked", "skipped", "offline"]),
    st.sampled_from(["front", "front", "back"]),
)


def story(moments: list[tuple[float, list[Thing], str, str]]) -> list[Scene]:
    """Moments one after another, as scenes; where nobody looks, everything stands as it was last seen."""
    scenes, at = [], 0.0
    standing: dict[str, tuple[Track, ...]] = {}
    for pause_s, seen, how, camera in moments:
        at += pause_s
        now = scene(at, *seen, camera=camera)
        if how != "looked":
            now = replace(now, looked=False, tracks=standing.get(camera, ()))
            now = now if how == "skipped" else replace(now, frame=None, online=False)
        standing[camera] = now.tracks
        scenes.append(now)
    return scenes


def by_event(events: list[Event]) -> dict[str, list[Event]]:
    messages: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        messages[event.id].append(event)
    return messages


def told_by(rules: Engine, scenes: list[Scene]) -> list[Event]:
    last = scenes[-1].at if scenes else 0.0
    return [*fed(rules, scenes), *rules.finish(last, WALL + last)]


@given(st.lists(moments, max_size=60))
def test_every_start_has_one_end_and_its_messages_count_from_one(
    story_of: list[tuple[float, list[Thing], str, str]],
) -> None:
    for messages in by_event(told_by(engine(*RULES), story(story_of))).values():
        phases = [event.phase for event in messages]

        assert phases == ["start", *["update"] * (len(messages) - 2), "end"]
        assert [event.seq for event in messages] == list(range(1, len(messages) + 1))
        assert len({(event.rule, event.camera, event.start, event.reasons) for event in messages}) == 1
        assert [event.end is None for event in messages] == [phase != "end" for phase in phases]
        assert messages[-1].end is not None
        assert messages[0].start <= messages[-1].end <= WALL + messages[-1].at + ROUNDING_S


@given(st.lists(moments, max_size=60))
def test_updates_are_ten_seconds_apart_and_never_say_less_dwell_or_score(
    story_of: list[tuple[float, list[Thing], str, str]],
) -> None:
    for messages in by_event(told_by(engine(*RULES), story(story_of))).values():
        for before, after in pairwise(messages):
            assert after.phase == "end" or after.at - before.at >= 10
            assert after.dwell_s >= before.dwell_s
            assert after.score >= before.score


@given(st.lists(moments, max_size=60))
def test_a_rule_has_one_open_event_on_a_camera_and_rests_for_its_cooldown(
    story_of: list[tuple[float, list[Thing], str, str]],
) -> None:
    cooldown_s = {name: rule.cooldown.s for name, rule in config(*RULES).rule.items()}
    ended: dict[tuple[str, str], float] = {}
    is_open: set[tuple[str, str]] = set()
    for event in told_by(engine(*RULES), story(story_of)):
        key = event.rule, event.camera
        if event.phase == "start":
            assert key not in is_open
            assert event.start >= ended.get(key, 0.0) + cooldown_s[event.rule]
            is_open.add(key)
        elif event.end is not None:
            is_open.remove(key)
            ended[key] = event.end


@given(st.sets(st.integers(1, 99), max_size=90))
def test_frames_that_were_dropped_change_no_dwell(dropped: set[int]) -> None:
    """Ten seconds at ten frames a second, of which any may be missing but the first and the last."""
    kept = [scene(at, person) for number, at in enumerate(every(0.1, 0, 10)) if number not in dropped]

    events = fed(engine('see = "person"\nfor = "10s"'), kept)

    assert [(event.phase, event.at, event.dwell_s) for event in events] == [("start", 10, 10)]
