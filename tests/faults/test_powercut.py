"""A few power cuts of scripts/powercut; and that it notices a node that is careless."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.brokers import tool
from tests.faults.loop_disk import loop_disk
from tests.faults.powercut import Plan, carried_out
from tests.faults.spoiled import MUTATIONS, Mutation

SEEDS = range(1, 7)
"""How often a careless node may be lucky."""


@pytest.fixture(autouse=True)
def power(tmp_path: Path) -> None:
    """Skips the tests where there is none to be cut."""
    tool("mosquitto")
    with loop_disk(tmp_path / "disk") as disk:
        disk.cut_power()
        disk.restore_power()


def test_power_cuts_and_kills_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = carried_out(Plan(cuts=15, kills=10, seed=1))
    with capsys.disabled():
        sys.stdout.write(f"\n{outcome}\n")
    assert not outcome.lost
    assert outcome.cycles == 25
    assert outcome.slowest_s < 10
    expected = ("committed", "files", "received", "parts", "announced", "cuts while it starts", "clips under way")
    assert all(outcome.figures[what] for what in expected)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_node_that_does_not_wait_for_the_disk_is_caught(mutation: Mutation) -> None:
    """The harness would prove nothing otherwise."""
    tried = (carried_out(Plan(cuts=8, kills=0, seed=seed, mutation=mutation)) for seed in SEEDS)
    caught = next((outcome.lost for outcome in tried if outcome.lost), "nobody noticed")
    means = {
        "normal": "is not kept",
        "no-file-fsync": "is not what was written|bytes instead of",
        "no-folder-fsync": "is not there",
    }
    assert re.search(means[mutation], caught)
