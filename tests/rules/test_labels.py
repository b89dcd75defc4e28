"""Labels of rules against the labels of models."""

from __future__ import annotations

from smartcam.rules import unknown_labels
from smartcam.rules.labels import expand
from tests.rules.scenes import config


def test_groups_become_their_members_and_any_is_every_label() -> None:
    groups = {"pets": ("dog", "cat")}

    assert expand(("@pets", "person"), groups) == frozenset({"dog", "cat", "person"})
    assert expand(("person", "@any"), groups) is None


def test_a_label_that_no_model_knows_is_told_with_its_place() -> None:
    found = unknown_labels(config('see = "persn"', 'see = ["@any", "dog"]'), ["person", "dog"])

    assert found == [(("rule", "r0", "see"), "persn")]
    found = unknown_labels(config('see = "dog"\nwith = "persn"'), ["person", "dog"])
    assert found == [(("rule", "r0", "with"), "persn")]


def test_a_group_is_told_once_however_many_rules_use_it_and_not_at_all_if_none_does() -> None:
    used = config('see = "@pets"', 'see = ["@pets", "person"]')

    assert unknown_labels(used, ["person", "dog"]) == [(("group", "pets"), "cat")]
    assert unknown_labels(config('see = "person"'), ["person"]) == []
