"""The slips of people who write TOML by hand. Each is told by a repair, which is tried: what a message says to write
is TOML.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from smartcam.config.keys import is_a_key
from smartcam.config.numbers import DEGREES, degrees_in
from smartcam.config.values import readable


class Repair(NamedTuple):
    """What is wrong, and the line as it should be."""

    reason: str
    line: str


LONGEST_REPAIR = 200
TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
NOTHING = ("none", "null", "nil", "undefined", "n/a", "-")
CURLY = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"') | dict.fromkeys("\u2018\u2019\u201a\u2032", "'")
)
INVISIBLE = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u202f\u3000", " ") | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "")
)

ROUND = str.maketrans("()", "[]")

_KEY = r"[\w-]+(?:\.[\w-]+)*"
_GOOD = re.compile(rf"({_KEY})\s*=(?![=>])\s*(.*)")
_OTHER_SIGN = re.compile(rf"({_KEY})\s*(:=|==|=>|->|:)\s*(.*)")
_SPACED_KEY = re.compile(r"([\w-]+(?:\s+[\w-]+)+)\s*=\s*(.*)")
_NO_SIGN = re.compile(rf"({_KEY})\s+([\"'\[{{\d@.].*|[\w.-]+)")
_ONE_VALUE = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|\[[^\[\]]*\]|\{[^{}]*\}|[\w.:+-]+)\s*(\S.*)""")
_FOREIGN_COMMENT = r"(?://|;|--|/\*|%|REM\b)"
_UNITS = r"(?:ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)"


def slip(line: str) -> str:
    """What is wrong with one line that is no TOML, and its remedy."""
    line = line.strip(" \t\r\n")
    if good := _GOOD.fullmatch(line):
        if not good[2] or good[2].startswith("#"):
            return "there is no value behind the =: write one, or take the line out"
        if good[2].lower() in NOTHING:
            return f"{good[2]} is no value: take the line out, or begin it with #"
    if mended := repair(line):
        return f"{mended.reason}: write {readable(mended.line, LONGEST_REPAIR)}"
    if (two := _two_in_a_row(line)) is not None:
        return two
    if good:
        return no_value(good[2])
    return 'this line is not understood: write [SECTION.NAME] or KEY = "VALUE", or delete it, or begin it with #'


def no_value(text: str) -> str:
    """The sentence where no repair is known."""
    return f'{readable(text)} is no value: text stands in quotes, like "person", and numbers without, like 0.5'


def repair(line: str) -> Repair | None:
    """The first repair that makes TOML of it."""
    return next((each for each in _repairs(line) if _is_toml(each.line)), None)


def _is_toml(line: str) -> bool:
    try:
        return bool(tomllib.loads(line)) or line.startswith("#")
    except (ValueError, RecursionError):
        return False


def _repairs(line: str) -> Iterator[Repair]:
    if (plain := line.translate(CURLY)) != line:
        yield Repair("curly quotes do not count as quotes", plain)
    if (plain := line.translate(INVISIBLE)) != line:
        yield Repair("there are invisible characters in it, type the line anew", plain.strip())
    if found := re.match(rf"{_FOREIGN_COMMENT}\s*(.*)", line):
        yield Repair("a comment begins with #", f"# {found[1]}")
    if line.startswith("[") or re.fullmatch(rf"{_KEY}\s*\]+", line):
        yield from _headers(line)
        return
    if good := _GOOD.fullmatch(line):
        yield from _with_value(good[1], good[2])
    elif spaced := _SPACED_KEY.fullmatch(line):
        yield Repair("a key is one word", f"{'_'.join(spaced[1].split())} = {spaced[2]}")
    elif other := _OTHER_SIGN.fullmatch(line):
        yield from _with_sign(other[1], f'"{other[2]}" stands where "=" should be', other[3])
    elif (none := _NO_SIGN.fullmatch(line)) and is_a_key(none[1]):
        yield from _with_sign(none[1], "the = between key and value is missing", none[2])
    elif line[0:1] in ('"', "'"):
        yield Repair("there is a quote too many", line[1:])


def _with_sign(key: str, reason: str, value: str) -> Iterator[Repair]:
    """The sign is put right, and the value too if it must."""
    yield Repair(reason, f"{key} = {value}")
    yield from (Repair(reason, repair.line) for repair in _with_value(key, value))


def _with_value(key: str, value: str) -> Iterator[Repair]:
    plain = re.sub(r"\s+#.*", "", value).strip()
    if key in DEGREES and (degrees := degrees_in(plain.strip("\"'"))):
        yield Repair("degrees are a decimal number", f"{key} = {degrees}")
    for reason, repaired in _values(plain):
        yield Repair(reason, f"{key} = {repaired}")


def _values(value: str) -> Iterator[tuple[str, str]]:
    """Reasons why a value is none, and what it may be instead; the first that is TOML is right."""
    if value.lower() in (*TRUE, *FALSE):
        small = value.lower() in ("true", "false")
        reason = "true and false have small letters" if small else "yes and no are written true and false"
        yield reason, str(value.lower() in TRUE).lower()
        return
    yield from _numbers(value)
    if one := _ONE_VALUE.fullmatch(value):
        if re.fullmatch("[;,.]+", one[2]):
            yield f"a line ends without {one[2]}", one[1]
        if comment := re.fullmatch(rf"{_FOREIGN_COMMENT}\s*(.*)", one[2]):
            yield "a comment begins with #", f"{one[1]} # {comment[1]}"
    if re.match(r"\[|[\d.][^\"']*\]\s*,\s*\[", value):
        yield from _lists(value)
    elif value.startswith("{") and not re.search(r"\}.*\{", value):
        yield from _tables(value)
    elif value.startswith("("):
        points = value.translate(ROUND)
        if re.search(r"\]\s*,\s*\[", points):
            yield "points and lists stand in [ and ]", points if points.startswith("[[") else f"[{points}]"
        yield "a list stands in [ and ]", f"[{_quoted(value.strip('()'))}]"
    elif '"' in value or "'" in value:
        yield from _quotes(value)
    elif "," in value:
        yield "several values are a list, in [ and ]", f"[{_quoted(value)}]"
    elif not re.search(rf"\s{_KEY}\s*=", value):
        quote = "'" if "\\" in value else '"'
        yield f"{_kind(value)} stands in quotes", f"{quote}{value}{quote}"


def _numbers(value: str) -> Iterator[tuple[str, str]]:
    if re.fullmatch(r"\d+,\d+", value):
        yield "a number has a point, not a comma", value.replace(",", ".")
    elif re.fullmatch(r"\.\d+", value):
        yield "a number begins with a digit", f"0{value}"
    elif re.fullmatch(r"\d+\.", value):
        yield "a number ends with a digit", f"{value}0"
    elif re.fullmatch(r"0+\d+(\.\d+)?", value):
        yield "a number has no zeros before it", value.lstrip("0")
    elif re.fullmatch(r"\d{1,3}(\.\d+)?\s*%", value):
        yield "a share is a number from 0 to 1", f"{float(value.rstrip('% ')) / 100:g}"


def _kind(value: str) -> str:
    if re.search(r"\d{1,2}:\d{2}", value):
        return "a time"
    if re.match(rf"\d+(\.\d+)?\s*{_UNITS}\b|\d+h\d", value):
        return "a duration"
    if re.match("[<>=]", value):
        return "a comparison"
    return "a group" if value.startswith("@") else "text"


def _quotes(value: str) -> Iterator[tuple[str, str]]:
    for quote, other in ('"', "'"), ("'", '"'):
        inner = value.strip("\"'")
        if value[0] == quote and value[-1] == other:
            yield f"it begins with {quote} and ends with {other}", f"{quote}{inner}{quote}"
        if value.count(quote) == 1 and value[0] == quote:
            yield "the closing quote is missing", value + quote
        if value.count(quote) == 1 and value[-1] == quote:
            yield "the opening quote is missing", quote + value
    if re.fullmatch(r"[^\"']*\w'\w[^\"']*", value):
        yield "text stands in quotes", f'"{value}"'
    parts = re.split(r"""["']([^"']*)["']""", value)
    words, between = parts[1::2], parts[2:-1:2]
    if len(words) > 1 and not parts[0] + parts[-1] and all(map(_keeps_apart, between)):
        yield "several values are a list, in [ and ]", f"[{_quoted(','.join(words))}]"
    if value[0] == value[-1] == '"' and len(value) > 1 and not re.search(rf"\"[\s,;]+{_KEY}\s*=\s*\"", value):
        reason = (
            r"a \ has a meaning of its own between double quotes" if "\\" in value else "there are quotes in quotes"
        )
        yield f"{reason}, use single ones around it", f"'{value[1:-1]}'"


def _keeps_apart(between: str) -> bool:
    return between.strip() in ("", ",", ";", "/", "|", "&", "and", "or")


def _lists(value: str) -> Iterator[tuple[str, str]]:
    surplus = value.count("[") - value.count("]")
    if re.search(r"\]\s*,\s*\[", value) and not surplus:
        yield "the brackets around the whole list are missing", f"[{value}]"
    if surplus > 0:
        yield "the closing ] is missing", value.rstrip(", ") + "]" * surplus
    if surplus < 0:
        yield "there is a ] too many", value[:surplus]
        yield "the opening [ is missing", "[" * -surplus + value
    if "(" in value and '"' not in value:
        yield "a point stands in [ and ]", value.translate(ROUND)
    yield "a comma is missing", re.sub(r"""(?<=["'\]\d])\s*(?=["'\[])|(?<=["'\]\d])\s+(?=\d)""", ", ", value)
    if value.count("[") == 1:
        words = _quoted(value.strip("[]"))
        yield "in a list, each text stands in its own quotes", f"[{words}]"


def _tables(value: str) -> Iterator[tuple[str, str]]:
    small = re.sub(r"\b(True|False)\b", lambda word: word[0].lower(), value)
    yield "true and false have small letters", small
    if value.count("{") > value.count("}"):
        yield "the closing } is missing", f"{small.rstrip(', ')} }}"
    yield "in { and } there is = between key and value", re.sub(r"([\w-]+)\s*:\s*", r"\1 = ", small)
    if ":" not in value and "=" not in value:
        yield "a list stands in [ and ]", f"[{_quoted(value.strip('{}'))}]"


def _quoted(words: str) -> str:
    """Words, however they are kept apart, as the elements of a list; numbers stay numbers."""
    each = [word.strip(" \t\n\"'") for word in re.split(r"[,;]", words)]
    return ", ".join(word if re.fullmatch(r"-?\d+(\.\d+)?", word) else f'"{word}"' for word in each if word)


def _headers(line: str) -> Iterator[Repair]:
    if re.fullmatch(rf"\[+{_KEY}\]+\s*\w.*", line):
        return
    written = re.sub(r"\s+#.*", "", line).strip()
    names = [part.strip("\"' \t") for part in written.strip("[] \t").split(".")]
    opening, closing = ("[[", "]]") if written.startswith("[[") and written.endswith("]]") else ("[", "]")
    if not any(names):
        yield Repair("a section has a name", "[camera.NAME]")
        return
    if names[-1] == "":
        names[-1] = "NAME"
        yield Repair("the name behind the dot is missing", f"{opening}{'.'.join(names)}{closing}")
    yield Repair(_brackets(written), f"{opening}{'.'.join(names)}{closing}")
    if len(names) == 1:
        section, *rest = re.split(r"[\s/:,]+", names[0])
        yield Repair("the dot before the name is missing", f"{opening}{section}.{'-'.join(rest)}{closing}")
    plain = [unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() for name in names]
    plain = [re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-").lower() for name in plain]
    yield Repair("a name is made of a-z, 0-9, - and _", f"{opening}{'.'.join(plain)}{closing}")


def _brackets(header: str) -> str:
    opened, closed = header.count("["), header.count("]")
    if opened > closed:
        return "the closing ] is missing"
    return "the opening [ is missing" if opened < closed and not opened else "there are brackets or quotes too many"


def _two_in_a_row(line: str) -> str | None:
    """The sentence for a line that says two things."""
    if header := re.match(rf"(\[+{_KEY}\]+)\s*[\w\"']", line):
        return f"a section has its line for itself: begin a new line behind {header[1]}"
    if (good := _GOOD.fullmatch(line)) and (second := re.search(rf"\S[\s,;]+({_KEY})\s*=", good[2])):
        return f"each key has a line of its own: begin a new line before {second[1]}"
    if good and (one := _ONE_VALUE.fullmatch(good[2])):
        return f"the line should end behind {readable(one[1])}: take the rest out, or put # before it"
    return None
