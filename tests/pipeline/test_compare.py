"""What a change of rules does: added, removed, changed, and what stayed."""

from __future__ import annotations

import json

from smartcam.pipeline.compare import Change, Comparison, as_json, compare, lines, total
from smartcam.pipeline.story import Firing, Part, Story
from tests.pipeline.stories import firing, miss, story


def of(*firings: Firing, **parts: Part) -> Story:
    """These events, and rules that did not fire."""
    rules = dict.fromkeys(each.rule for each in firings)
    found = {rule: Part(tuple(each for each in firings if each.rule == rule)) for rule in rules}
    return story(60.0, **found, **parts)


def told(changes: tuple[Change, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.kind, change.firing.rule, change.why) for change in changes]


def test_the_same_events_are_no_change() -> None:
    """Ids may differ: another rule that fires takes one."""
    comparison = compare(
        of(firing("visitor", 1, 5), firing("visitor", 9, 12)), of(firing("visitor", 1, 5), firing("visitor", 9, 12))
    )
    assert (comparison.changes, comparison.same) == ((), 2)
    assert comparison.counts == {"visitor": (2, 2)}


def test_what_only_the_new_rules_tell_is_added_and_says_why_it_was_not_told() -> None:
    old = of(visitor=Part(misses=(miss("visitor", 2, "person 0.41, needs score 0.5"), miss("visitor", 50, "no"))))
    comparison = compare(old, of(firing("visitor", 1, 5)))
    assert told(comparison.changes) == [
        ("added", "visitor", ("person seen with score 0.80", "before: person 0.41, needs score 0.5"))
    ]
    assert comparison.counts == {"visitor": (0, 1)}


def test_what_the_new_rules_do_not_tell_is_removed_and_says_why() -> None:
    new = of(visitor=Part(why_not="it is Sun 23:30: only 02:00-03:00"))
    assert told(compare(of(firing("visitor", 1, 5)), new).changes) == [
        ("removed", "visitor", ("person seen with score 0.80", "now: it is Sun 23:30: only 02:00-03:00"))
    ]


def test_a_rule_that_is_gone_says_so() -> None:
    comparison = compare(of(firing("visitor", 1, 5)), of(firing("other", 30, 31)))
    assert told(comparison.changes) == [
        ("removed", "visitor", ("person seen with score 0.80", "now: no such rule")),
        ("added", "other", ("person seen with score 0.80", "before: no such rule")),
    ]
    assert comparison.counts == {"other": (None, 1), "visitor": (1, None)}


def test_an_event_that_moved_is_changed() -> None:
    comparison = compare(of(firing("visitor", 1, 5)), of(firing("visitor", 3.25, 5)))
    assert told(comparison.changes) == [("changed", "visitor", ("was 0:01.0-0:05.0, is 0:03.2-0:05.0",))]
    assert comparison.same == 0


def test_events_that_nearly_meet_are_one_that_moved_and_those_far_apart_are_two() -> None:
    assert [change.kind for change in compare(of(firing("v", 1, 2)), of(firing("v", 4, 5))).changes] == ["changed"]
    assert [change.kind for change in compare(of(firing("v", 1, 2)), of(firing("v", 9, 10))).changes] == [
        "removed",
        "added",
    ]


def test_an_event_that_says_something_else_is_changed() -> None:
    old = firing("visitor", 1, 5, zones=("yard",), level="event")
    new = firing("visitor", 1, 5, "dog", zones=(), level="alert", evidence=("snapshot",), message="a dog")
    (change,) = compare(of(old), of(new)).changes
    assert (change.kind, change.why) == (
        "changed",
        ("was person", "was in yard", "was of level event", "was with no picture", "was without a message"),
    )


def test_a_rule_that_was_renamed_is_changed() -> None:
    comparison = compare(of(firing("visitor", 1, 5)), of(firing("guest", 1, 5)))
    assert told(comparison.changes) == [("changed", "guest", ("was the rule visitor",))]


def test_a_rule_that_both_have_was_not_renamed() -> None:
    old = of(firing("visitor", 1, 5), guest=Part())
    new = of(firing("guest", 1, 5), visitor=Part())
    assert [(change.kind, change.firing.rule) for change in compare(old, new).changes] == [
        ("added", "guest"),
        ("removed", "visitor"),
    ]


def test_each_event_is_in_one_pair_and_the_best_pair_counts() -> None:
    """One event became two: the longer of them is what it was."""
    comparison = compare(of(firing("visitor", 1, 20)), of(firing("visitor", 1, 4), firing("visitor", 8, 20)))
    assert [(change.kind, change.firing.start_at) for change in comparison.changes] == [("added", 1), ("changed", 8)]


def test_an_event_that_was_swallowed_by_another_says_so() -> None:
    comparison = compare(of(firing("visitor", 1, 4), firing("visitor", 8, 20)), of(firing("visitor", 1, 20)))
    removed = next(change for change in comparison.changes if change.kind == "removed")
    assert removed.why[-1] == "now: part of the event of 0:01-0:20"


def differing() -> Comparison:
    return compare(
        of(firing("visitor", 1, 5), firing("car", 7, 9, "car", zones=("road",)), firing("same", 0, 1)),
        of(
            firing("visitor", 2, 5),
            firing("herd", 41, 50, "cattle"),
            firing("same", 0, 1),
            car=Part(misses=(miss("car", 8, "2 s of 60 s"),)),
        ),
    )


def test_people_get_a_line_for_each_change_and_the_counts_of_rules_that_differ() -> None:
    text = "\n".join(line.text for line in lines(differing(), "clip.mp4", 64))
    assert text == (
        """\
clip.mp4: 1 added, 1 removed, 1 changed, 1 the same
~ 0:02-0:05 visitor: person (was 0:01.0-0:05.0, is
    0:02.0-0:05.0)
- 0:07-0:09 car: car in road (car seen with score 0.80; now: 2 s
    of 60 s)
+ 0:41-0:50 herd: cattle (cattle seen with score 0.80; before:
    no such rule)
  fired   old   new
  herd      -     1
  car       1     0"""
    )


def test_programs_get_an_object_for_each_change() -> None:
    changed, removed, added = (json.loads(as_json(change, story())) for change in differing().changes)
    assert added == {
        "change": "added",
        "clip": "clip.mp4",
        "rule": "herd",
        "camera": "yard",
        "start_s": 41,
        "end_s": 50,
        "start": "2026-06-21T21:30:41.000Z",
        "label": "cattle",
        "zones": [],
        "level": "event",
        "reasons": ["cattle seen with score 0.80"],
        "why": ["cattle seen with score 0.80", "before: no such rule"],
    }
    assert (removed["change"], removed["rule"], removed["zones"]) == ("removed", "car", ["road"])
    assert (changed["start_s"], changed["was"]["start_s"]) == (2, 1)


def test_a_total_adds_up_what_recordings_say() -> None:
    both = total([differing(), compare(of(firing("herd", 1, 2)), of(herd=Part()))])
    assert (both.number("added"), both.number("removed"), both.number("changed"), both.same) == (1, 2, 1, 1)
    assert both.counts == {"visitor": (1, 1), "herd": (1, 1), "same": (1, 1), "car": (1, 0)}
