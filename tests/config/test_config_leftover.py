"""What is left of a configuration without what is wrong in it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from smartcam.config import Config
from smartcam.config.leftover import leftover

EXAMPLE = tomllib.loads((Path(__file__).parents[2] / "config.example.toml").read_text())
PLACES = [
    (kind, *rest)
    for kind, section in EXAMPLE.items()
    for rest in [
        (),
        *((name,) for name in section),
        *((n, k) for n, s in section.items() if isinstance(s, dict) for k in s),
    ]
]
JUNK = st.sampled_from([5, True, "x", "", [], {}, [1, 2], {"a": 1}, {"a": {"b": 1}}, -1, "@any", [{}], "night"])


def rest_of(values: dict[str, Any]) -> Config:
    with pytest.raises(ValidationError) as refused:
        Config.model_validate(values)
    return leftover(values, refused.value.errors())


def test_a_wrong_key_goes_alone() -> None:
    values = {"camera": {"a": {"source": "x", "fps": -1, "motion": False}, "b": {"source": "y"}}}
    rest = rest_of(values)
    assert list(rest.camera) == ["a", "b"], "the first one stays the first"
    assert (rest.camera["a"].fps, rest.camera["a"].motion) == (None, False)


def test_what_a_section_cannot_be_without_is_made_up() -> None:
    rest = rest_of({"camera": {"a": {"rotate": 90}}, "rule": {"r": {"zone": "yard"}}})
    assert rest.camera["a"].rotate == 90
    assert (rest.rule["r"].see, rest.rule["r"].zone) == (("@any",), "yard")


def test_a_section_goes_where_nothing_can_be_made_up_for_it() -> None:
    rest = rest_of({"camera": {"Front": {"source": "x"}}, "model": {"m": {}}, "zone": {"z": {"points": 5}}})
    assert (rest.camera, rest.zone, list(rest.model)) == ({}, {}, ["default"])


@given(st.dictionaries(st.sampled_from(PLACES), JUNK, min_size=1, max_size=6))
def test_something_is_left_of_whatever_is_wrong(junk: dict[tuple[str, ...], Any]) -> None:
    """It comes to an end, and what it gives is a configuration."""
    values = {kind: {name: _copied(each) for name, each in section.items()} for kind, section in EXAMPLE.items()}
    for *way, last in sorted(junk, key=len, reverse=True):
        table: Any = values
        for part in way:
            table = table[part]
        table[last] = junk[(*way, last)]
    assert isinstance(leftover(values, _errors(values)), Config)


def _errors(values: dict[str, Any]) -> list[ErrorDetails]:
    try:
        Config.model_validate(values)
    except ValidationError as error:
        return error.errors()
    return []


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value
