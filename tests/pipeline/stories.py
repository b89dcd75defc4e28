"""Stories as short as a sentence."""

from __future__ import annotations

from itertools import count

from smartcam.data import Event
from smartcam.pipeline.story import Firing, Part, Story
from smartcam.rules.misses import Miss

START = 1_782_077_400.0
"""2026-06-21T21:30:00Z."""
_numbers = count()


def firing(rule: str, start_at: float, end_at: float, label: str = "person", **further: object) -> Firing:
    """An event that was seen from one time to the other."""
    facts: dict[str, object] = {
        "id": f"{next(_numbers):04d}",
        "seq": 2,
        "camera": "yard",
        "rule": rule,
        "level": "event",
        "phase": "end",
        "at": end_at,
        "start": START + start_at,
        "end": START + end_at,
        "label": label,
        "score": 0.8,
        "count": 1,
        "zones": (),
        "dwell_s": end_at - start_at,
        "tracks": (),
        "reasons": (f"{label} seen with score 0.80",),
    }
    return Firing(start_at, end_at, Event(**(facts | further)))  # type: ignore[arg-type]  # facts of many types


def miss(rule: str, at: float, reason: str, rank: float = 1.0) -> Miss:
    return Miss(rule, "yard", at, START + at, reason, rank)


def story(length_s: float = 60.0, elsewhere: tuple[str, ...] = (), /, **parts: Part) -> Story:
    """Of rules whose names have - in place of _."""
    return Story(
        "clip.mp4", "yard", START, length_s, {rule.replace("_", "-"): part for rule, part in parts.items()}, elsewhere
    )
