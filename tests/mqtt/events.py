"""An event, as the rules make it."""

from __future__ import annotations

from typing import Any

from smartcam.data import Event, Track

PERSON = Track(81, "person", (0.41, 0.22, 0.51, 0.57), 0.8712, 1.0, 15.2, 40, True)


def event(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "id": "01JD8F7Z3M0000000000000000",
        "seq": 3,
        "camera": "front",
        "rule": "yard-intruder",
        "level": "alert",
        "phase": "end",
        "at": 15.2,
        "start": 1795543331.25,
        "end": 1795543345.45,
        "label": "person",
        "score": 0.8712,
        "count": 1,
        "zones": ("yard",),
        "dwell_s": 14.2,
        "tracks": (PERSON,),
        "reasons": ("person in yard for 14 s",),
        "evidence": ("snapshot",),
    }
    return Event(**values | changes)
