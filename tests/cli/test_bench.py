"""The benchmarks run and tell what they measured; how fast this machine is, is no matter of a test."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import smartcam
from tests.real import default_model


def test_the_hand_over_is_told_as_an_object(tmp_path: Path) -> None:
    default_model()
    told = json.loads(smartcam("bench", "handover", "--json", at=tmp_path).out)
    assert told["bench"] == "handover"
    assert 0 < told["in_process_ms"] < told["in_child_ms"]
