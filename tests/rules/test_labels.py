"""Labels of rules against the labels of models."""

from __future__ import annotations

from smartcam.config import Config
from smartcam.config.lines import KeyPath
from smartcam.rules import unknown_labels
from smartcam.rules.labels import expand
from tests.rules.scenes import config


def test_groups_become_their_members_and_any_is_every_label() -> None:
    groups = {"pets": ("dog", "cat")}

    assert expand(("@pets", "person"), groups) == frozenset({"dog", "cat", "person"})
    assert expand(("person", "@any"), groups) is None


KNOWN = frozenset({"person", "dog"})


def told(rules: Config, *known: frozenset[str] | None) -> list[tuple[KeyPath, str]]:
    """Keys and labels, where the models of all rules know the same, or those of each what is given for it."""
    known_to = dict(zip(rules.rule, known if len(known) > 1 else known * len(rules.rule), strict=True))
    return [(each.key, each.label) for each in unknown_labels(rules, known_to)]


def test_a_label_that_no_model_knows_is_told_with_its_place() -> None:
    assert told(config('see = "persn"', 'see = ["@any", "dog"]'), KNOWN) == [(("rule", "r0", "see"), "persn")]
    assert told(config('see = "dog"\nwith = "persn"'), KNOWN) == [(("rule", "r0", "with"), "persn")]


def test_each_rule_is_judged_by_its_own_models() -> None:
    rules = config('see = "dog"', 'see = "dog"', 'see = "dog"')

    assert told(rules, KNOWN, frozenset({"bird"}), None) == [(("rule", "r1", "see"), "dog")]


def test_a_group_is_told_once_however_many_rules_use_it_and_not_at_all_if_none_does() -> None:
    used = config('see = "@pets"', 'see = ["@pets", "person"]')

    assert told(used, KNOWN) == [(("group", "pets"), "cat")]
    assert told(config('see = "person"'), frozenset({"person"})) == []


def test_a_label_of_a_group_is_good_where_one_of_its_rules_knows_it() -> None:
    """A group may serve cameras with different models."""
    rules = config('see = "@pets"', 'with = "@pets"\nsee = "@any"')

    assert told(rules, KNOWN, frozenset({"cat"})) == []
    assert told(rules, KNOWN, None) == []
