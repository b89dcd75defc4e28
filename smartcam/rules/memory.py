"""All that the rules remember, as one tree of plain dataclasses, and its way over a restart.

Within a process it is handed from engine to engine as it is. On disk, monotonic times are seconds before the moment
of saving, beside the wall time of that moment; what hangs on a track goes, because a new tracker counts anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from smartcam.rules.alarm import AlarmMemory
from smartcam.rules.company import Company
from smartcam.rules.daily import DailyState
from smartcam.rules.places import PlacesMemory
from smartcam.rules.still import StillMemory
from smartcam.rules.watch import State, without_tracks

VERSION = 1
NOTHING_YET = State()


@dataclass(slots=True)
class RuleMemory:
    """One rule's, on one camera."""

    asks: str
    """What it asked for: a rule that asks for something else begins anew."""
    seen: State | None = None
    daily: DailyState | None = None
    gone_at: float | None = None
    """Since when there has been no such rule: one that is switched off and on again goes on where it was."""


@dataclass(slots=True)
class CameraMemory:
    """What is known of one camera's place."""

    places: PlacesMemory = field(default_factory=PlacesMemory)
    still: StillMemory = field(default_factory=StillMemory)
    company: Company = field(default_factory=Company)


@dataclass(slots=True)
class Memory:
    """Everything."""

    rules: dict[str, dict[str, RuleMemory]] = field(default_factory=dict)
    """By camera and rule."""
    cameras: dict[str, CameraMemory] = field(default_factory=dict)
    alarm: AlarmMemory = field(default_factory=AlarmMemory)
    version: int = VERSION

    def to_json(self) -> bytes:
        """The whole of it, times as they are."""
        return _encode(_adapter().dump_python(self))

    @classmethod
    def from_json(cls, data: bytes) -> Memory:
        """Raises ValueError where this is no memory of this version."""
        return _decode(_plain(data))


def kept(memory: Memory, at: float, wall: float) -> bytes:
    """What is to outlive the process, as of monotonic `at` and Unix `wall`."""
    return _encode(_adapter().dump_python(_shifted(_lasting(memory), -at)) | {"saved": wall})


def restored(data: bytes, at: float, wall: float) -> Memory:
    """What `kept` kept, in a process whose clocks show `at` and `wall`.

    A wall clock that stands before the moment of saving is not set yet: then no time has passed.
    Raises ValueError where this is no memory of this version.
    """
    plain = _plain(data)
    try:
        elapsed_s = max(0.0, wall - float(plain.pop("saved")))
    except (KeyError, TypeError) as error:
        raise ValueError("it does not say when it was saved") from error
    memory: Memory = _shifted(_decode(plain), at - elapsed_s)
    for camera in memory.cameras.values():
        camera.still.forget_tracks()
    return memory


def _lasting(memory: Memory) -> Memory:
    """What outlives the tracks. Rules that have nothing to remember are left out: there may be thousands."""
    rules = {
        camera: {name: lasting for name, rule in rules.items() if (lasting := _without_tracks(rule)) is not None}
        for camera, rules in memory.rules.items()
    }
    cameras = {name: CameraMemory(still=camera.still) for name, camera in memory.cameras.items()}
    return Memory(rules, cameras, memory.alarm)


def _without_tracks(rule: RuleMemory) -> RuleMemory | None:
    if rule.seen is None:
        return rule
    seen = without_tracks(rule.seen)
    return RuleMemory(rule.asks, seen, gone_at=rule.gone_at) if seen != NOTHING_YET else None


def _is_time(name: str) -> bool:
    return name.endswith("_at") or name in ("since", "failing_since")


def _shifted(value: Any, by_s: float, *, is_time: bool = False) -> Any:
    """The same with every monotonic time moved; fields that hold one are known by their names."""
    if is_dataclass(value) and not isinstance(value, type):
        moved = {
            each.name: _shifted(getattr(value, each.name), by_s, is_time=_is_time(each.name)) for each in fields(value)
        }
        return replace(value, **moved)
    match value:
        case dict():
            return {key: _shifted(each, by_s, is_time=is_time) for key, each in value.items()}
        case list() | tuple() | frozenset():
            return type(value)(_shifted(each, by_s, is_time=is_time) for each in value)
        case int() | float() if is_time:
            return value + by_s
    return value


def _encode(plain: Any) -> bytes:
    return json.dumps(plain, default=sorted, separators=(",", ":")).encode()


def _plain(data: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(plain, dict) or plain.get("version") != VERSION:
        raise ValueError("it is no memory of this version")
    return plain


def _decode(plain: dict[str, Any]) -> Memory:
    try:
        return _adapter().validate_python(plain)
    except ValidationError as error:
        raise ValueError(f"it does not fit: {error.errors()[0]['msg']}") from error


@cache
def _adapter() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)
