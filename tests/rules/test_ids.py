"""Event ids are ULIDs."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from smartcam.rules import Ulids


def test_an_id_tells_its_time_as_the_specification_says() -> None:
    """01ARYZ6S41 is the specification's own example of 1469918176385 ms."""
    assert Ulids(Random(0))(1469918176.385)[:10] == "01ARYZ6S41"


def test_the_same_seed_gives_the_same_ids() -> None:
    """A replay gives the same bytes."""
    first, again, other = Ulids(Random(7)), Ulids(Random(7)), Ulids(Random(8))

    assert [first(1.0), first(2.0)] == [again(1.0), again(2.0)]
    assert first(3.0) != other(3.0)


@given(st.lists(st.floats(0, 4e9), max_size=20), st.integers())
def test_ids_are_unique_and_sort_by_time(walls: list[float], seed: int) -> None:
    new_id = Ulids(Random(seed))
    ids = [new_id(wall) for wall in sorted(walls) for _ in range(3)]

    assert ids == sorted(set(ids))
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", id_) for id_ in ids)


def test_a_clock_that_was_never_set_or_is_set_back_still_gives_ids() -> None:
    new_id = Ulids(Random(0))

    assert new_id(2.0)[:10] > new_id(1.0)[:10]
    assert new_id(-5.0)[:10] == "0" * 10
