"""One evening in the yard, scene by scene → the events, as JSON.

After a change that is meant, delete golden/evening.json and run this twice: the first run writes it and fails.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tests.rules.scenes import STREET, WALL, Thing, cat, cattle, dog, engine, every, fed, offline, person, scene, walk

GOLDEN = Path(__file__).parent / "golden" / "evening.json"


def test_an_evening_in_the_yard_reads_as_it_always_did() -> None:
    rules = engine(
        'see = "person"\nzone = "yard"\nlevel = "alert"\ndo = ["snapshot"]\ncooldown = "20s"',
        'see = "@pets"\nscore = 0.6\nfor = "5s"',
        'see = "cattle"\ncount = ">= 3"\nfor = "5s"',
        'see = "person"\ncount = "== 0"\nfor = "30s"\nlevel = "info"',
    )
    guest = Thing(20, "person", 0.64)
    scenes = [
        *walk(person.at(STREET), at=every(0.5, 0, 2)),
        *walk(person, dog, at=every(0.5, 2.5, 9)),
        *walk(person, guest, dog, cat, at=every(0.5, 9.5, 18.5)),
        *walk(person, guest.at(STREET), dog, cat, at=every(0.5, 19, 20)),
        *walk(person.at(STREET), guest.at(STREET), *cattle[:2], at=every(1, 21, 27)),
        *walk(guest, *cattle[:4], at=every(1, 28, 60)),
        *walk(*cattle[:1], at=every(1, 61, 70)),
        *[offline(at, cattle[0], last_at=70) for at in every(5, 75, 90)],
        *walk(at=every(1, 91, 100)),
        scene(101, dog),
    ]

    events = [asdict(event) for event in [*fed(rules, scenes), *rules.finish(101, WALL + 101)]]
    text = json.dumps(events, indent=1) + "\n"
    if not GOLDEN.exists():
        GOLDEN.write_text(text)
        raise AssertionError(f"wrote {GOLDEN.name}: look at it, and run again")

    assert json.loads(text) == json.loads(GOLDEN.read_text())
