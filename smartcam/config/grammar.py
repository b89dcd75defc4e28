"""The values of the rule language: counts, rests, heights, outlines, words and messages."""

from __future__ import annotations

import re
import string
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from smartcam.config.outlines import polygon, polyline
from smartcam.config.values import Number, closest, is_text, name, seconds, shown

ARMING = ("armed", "disarmed")
FIELDS = ("label", "sublabel", "count", "score", "zone", "camera", "rule", "phase", "dwell", "time", "date")
"""What a message may speak of."""


def outlines(value: Any) -> Any:
    """One outline is a list of one."""
    example = "write an outline, [[0.7, 0.0], [1.0, 0.0], [1.0, 0.3]], or a list of them"
    match value:
        case [[[_, _], *_], *_]:
            return value
        case [[int() | float(), int() | float()], *_]:
            return [value]
        case [] | ():
            return value
    raise ValueError(f"{shown(value)} is no outline: {example}")


class Count:
    """How many: ``3`` or ``">= 3"``, also with ``>``, ``<``, ``<=`` and ``==``."""

    PATTERN = re.compile(r"(>=|<=|==|>|<)?\s*(\d+)")
    POINTLESS: ClassVar = {">= 0": "always holds", "< 0": "can never hold"}

    __slots__ = ("number", "operator")

    def __init__(self, operator: str, number: int) -> None:
        self.operator = operator
        self.number = number

    @classmethod
    def read(cls, value: Any) -> Count:
        """From `3` or `">= 3"`. Raises ValueError with a sentence for what is no count, or can never hold."""
        if isinstance(value, Count):
            return value
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not (found := cls.PATTERN.fullmatch(text.strip())):
            raise ValueError(f'{shown(value)} is not a count: write a number, or a comparison like ">= 3"')
        count = cls(found[1] or ">=", int(found[2]))
        if says := cls.POINTLESS.get(str(count)):
            raise ValueError(f'"{count}" {says}: did you mean "== 0"?')
        return count

    def holds(self, number: int) -> bool:
        """Whether so many are as many as asked for."""
        match self.operator:
            case ">=":
                return number >= self.number
            case "<=":
                return number <= self.number
            case ">":
                return number > self.number
            case "<":
                return number < self.number
        return number == self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Count) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"

    __repr__ = __str__


class Cooldown:
    """How long a rule rests after an event: ``"30m"``, ``"30m per label"``, ``"30m per zone"``."""

    __slots__ = ("per", "s")

    def __init__(self, s: float, per: str = "") -> None:
        self.s = s
        self.per = per
        """"label", "zone", or empty for the whole rule."""

    @classmethod
    def read(cls, value: Any) -> Cooldown:
        """From its text, or a number of seconds. Raises ValueError with a sentence."""
        if isinstance(value, Cooldown):
            return value
        text, word, per = value.partition(" per ") if isinstance(value, str) else (value, "", "")
        if word and per.strip() not in ("label", "zone"):
            raise ValueError(
                f'a cooldown is per label or per zone, not per {shown(per.strip())}: write "30m per label"'
            )
        return cls(seconds(text), per.strip())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cooldown) and (self.s, self.per) == (other.s, other.per)

    def __hash__(self) -> int:
        return hash((self.s, self.per))

    def __str__(self) -> str:
        return f"{self.s:g}s per {self.per}" if self.per else f"{self.s:g}s"

    __repr__ = __str__


def heights(value: Any) -> tuple[float, float]:
    """``0.1`` (at least) or ``[0.1, 0.6]`` → the least and the greatest, as shares of the picture's height."""
    ends = (value, 1.0) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if (
        not isinstance(ends, list | tuple)
        or len(ends) != 2
        or any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends)
        or not 0 <= ends[0] < ends[1] <= 1
    ):
        raise ValueError(
            "a height is a share of the picture's: write 0.1 for at least a tenth, or [0.1, 0.6] for a range"
        )
    return float(ends[0]), float(ends[1])


def mode_name(value: str) -> str:
    """A name that is not one of the two alarm states."""
    if value in ARMING:
        raise ValueError(f"a mode may not be called {shown(value)}: [armed] is about that; give it another name")
    return name(value)


def words(value: Any) -> tuple[str, ...]:
    """One word or a list of them, lower-cased."""
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not several or not all(map(is_text, several)):
        raise ValueError('write one word ("disarmed") or a list (["disarmed", "holiday"])')
    return tuple(word.strip().lower() for word in several)


def template(value: str) -> str:
    """A message with ``{label}`` and the like in it. Raises ValueError for a field that there is none of."""
    try:
        fields = [parts[1:] for parts in string.Formatter().parse(value) if parts[1] is not None]
    except ValueError:
        raise ValueError(f"{shown(value)}: a brace without its other; write {{{{ for a brace itself") from None
    for field, form, conversion in fields:
        if field not in FIELDS or form or conversion:
            known = ", ".join(f"{{{each}}}" for each in FIELDS)
            raise ValueError(f"{shown(value)}: no field {{{field}}}{closest(field or '', FIELDS)}; there are {known}")
    return value


HowMany: TypeAlias = Annotated[Count, BeforeValidator(Count.read)]
Rest: TypeAlias = Annotated[Cooldown, BeforeValidator(Cooldown.read)]
Heights: TypeAlias = Annotated[tuple[float, float], BeforeValidator(heights)]
_Point: TypeAlias = tuple[Number, Number]
Polygon: TypeAlias = Annotated[tuple[_Point, ...], Field(min_length=3, max_length=64), AfterValidator(polygon)]
Polyline: TypeAlias = Annotated[tuple[_Point, ...], Field(min_length=2, max_length=64), AfterValidator(polyline)]
ModeName: TypeAlias = Annotated[str, AfterValidator(mode_name)]
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(words)]
Template: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(template)]
