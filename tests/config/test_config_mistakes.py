"""A text with several mistakes: each is told once, at its line, and none that is not one."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smartcam.config.mistakes import MOST, mistakes

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()


def lines(text: str) -> list[int]:
    return [mistake.line for mistake in mistakes(text)]


def test_a_good_text_has_none() -> None:
    assert mistakes(EXAMPLE) == []
    assert mistakes("") == []


def test_every_mistake_of_a_text_is_told_at_its_line() -> None:
    text = """\
[camera.front]
source = "rtsp://x
fps = 15,5

[rule yard]
see: person
when = 18:00-07:00

[zone.yard]
camera = "front"
points = [
  [0, 0],  # a comment with a ]
  [0, 1]
  [1, 1],
]
[zone.barn]
points = [[0, 0],
  [1, 0],
  [1, 1]
camera = front
"""
    assert [(mistake.line, ".".join(map(str, mistake.key))) for mistake in mistakes(text)] == [
        (2, "camera.front.source"),
        (3, "camera.front.fps"),
        (5, ""),
        (6, "see"),
        (7, "when"),
        (14, "zone.yard.points"),
        (17, "zone.barn.points"),
        (20, "zone.barn.camera"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # what stands below a broken header is not the section's above it
        ('[rule.a]\nsee = "x"\n[rule b]\nsee = "y"\nzone = "z"\n', [3]),
        ('[rule.a]\nsee = "x"\n[rule.a]\nsee = "y"\n', [3]),
        ('[rule.a]\nsee = "x"\n[rule.a\nsee = "y"\nsee = "z"\n', [3, 5]),
        # brackets that a string or a comment hides
        ('a = ["]"\nb = 5s\n', [1, 2]),
        ("a = [1, 2 # ]\nb = 5s\n", [1, 2]),
        ("a = [\n1,\n# not yet\n\n2\nb = 5s\n[c]\nd = 5s\n", [1, 6, 8]),
        ("a = [\n1\n2, # here\n]\nb = 5s\n", [3, 5]),
        ("a = {\n b = 1,\n c = 2\n}\nd = 5s\n", [1, 5]),
        ("a = { b = 1\nc = 5s\n", [1, 2]),
        ("a = { b = 1,\n c = 2 }", [1]),
        # below a text that never ends nothing can be told apart
        ('a = """x\nb = 5s\n', [1]),
        ("a = 5s\nb = '''x\nc = 5s\n", [1, 2]),
        ("a = 5s\rb = 5s\r", [1]),
        # lists of sections, and what is defined twice
        ("[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2\n", [5]),
        ("[a]\n[[a]]\n", [2]),
        ("[[a]]\n[a]\n", [2]),
        ("a = 1\n[a]\nb = 2\nb = 3\n", [2, 4]),
        ("a = { b = 1 }\na.c = 2\n", [2]),
        # a text that ends with a backslash
        ('a = "x\\\nb = 5s\n', [1, 2]),
        ('"\\\nb = 5s\n', [1, 2]),
        # a text that goes on in the next line, and one that does not
        ('a = "x\ny"\nb = 5s\n', [1, 3]),
        ("a = 'x\ny'\nb = 5s\n", [1, 3]),
        ('a = "x\nb = "y"\nc = 5s\n', [1, 3]),
        ("a = 'x\n\n# it's\nb = 'y'\nc = 5s\n", [1, 5]),
        ("a = 'x\nb = 5s\n", [1, 2]),
        ("a = ['x\n]\nb = 5s\n", [1, 3]),
        # points below each other
        ("a = [0, 0],\n [1, 0],\n]\nb = 5s\n", [1, 4]),
        ("a =\n[1, 0],\n[1, 1]\n[b]\nc = 5s\n", [1, 5]),
        # keys of a section whose header was lost
        ("[rule.a]\nb = 1\nc = 1\nb = 2\nc = 2\nd = 5s\n", [4, 6]),
        ("b = 1\nc = 1\nb = 2\nc = 2\n", [3, 4]),
        ("[mqtt]\nb = 1\nc = 1\nb = 2\nc = 2\n", [4, 5]),
        # at the very end
        ("a = 5s", [1]),
        ("a = 1\nb =", [2]),
        ("a = 1\nb = [", [2]),
        ("a = 1\nb = [\n\n", [2]),
        ("a = 1\n\n\n[", [4]),
    ],
)
def test_no_mistake_brings_another_one(text: str, told: list[int]) -> None:
    assert lines(text) == told


@pytest.mark.parametrize("first", ["[rule.a]", "[[rule.a]]", "rule.a.see = 1", "rule.a = 1"])
def test_what_is_there_already_is_told_with_both_lines(first: str) -> None:
    (mistake,) = mistakes(f"# a rule\n{first}\n\n[rule.a]\n")
    assert mistake.message == "defined already in line 2: rename or delete one of them"
    assert mistake.key == ("rule", "a")


def test_many_are_not_all_told() -> None:
    assert lines("a = 5s\n" * (2 * MOST)) == list(range(1, MOST + 1))


def test_a_text_that_is_nested_too_deeply_is_none_of_ours() -> None:
    (mistake,) = mistakes("a = " + "[" * 2000)
    assert mistake.message == "nested too deeply: this is no configuration; give another file"


BREAKS = st.sampled_from(
    ["key", "key = ", "key = 5s", 'key = "open', "key = a b", "key: 1", "key = [1 2]", "= 1", "[a b]"]
)


@given(st.dictionaries(st.integers(0, 400), BREAKS, min_size=1, max_size=5))
def test_faulty_lines_between_good_ones_are_told_and_no_others(breaks: dict[int, str]) -> None:
    """Wherever they are put into the example, as long as that is not within a list."""
    inner = inner_lines(EXAMPLE)
    good = EXAMPLE.split("\n")
    written: list[str] = []
    told: list[int] = []
    for number, line in enumerate(good):
        if number in breaks and number not in inner:
            written.append(breaks[number])
            told.append(len(written))
        written.append(line)
    assert lines("\n".join(written)) == told


@cache
def inner_lines(text: str) -> set[int]:
    """The lines, from 0, before which the text alone is no TOML: they are inside a list."""
    good = text.split("\n")
    return {number for number in range(len(good)) if not is_toml("\n".join(good[:number]))}


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@given(st.text("[]{}\"'=.,#\\\n\r\t a1-:x\u201c", max_size=60))
@example('"""\n')
@example("a = '''")
@example("[\n[")
@example("a={b=[{")
@example('1:"\\')
@example('"\\\n# x\n')
def test_whatever_is_no_toml_gets_at_least_one_sentence_with_its_line(text: str) -> None:
    told = mistakes(text)
    assert bool(told) != is_toml(text)
    assert len({(mistake.line, mistake.message) for mistake in told}) == len(told)
    assert not any("broken-section" in mistake.message for mistake in told)
    assert all(1 <= mistake.line <= text.count("\n") + 1 and ": " in mistake.message for mistake in told)


@pytest.mark.parametrize(
    "line",
    [
        'x = "' + '"' * 900,
        "x = " + '"a" ' * 240,
        "x = " + '"a" | ' * 160 + "z",
        "x = " + "[ " * 450,
        "x = {" + "a:" * 450,
        "x = 1" + " " * 900 + "!",
        "a " * 450 + "=",
        "[" * 900,
        "[" + "a " * 450,
        "a." * 450,
    ],
)
def test_no_line_however_odd_takes_long_to_explain(line: str) -> None:
    """A pattern that tries every way to read a line would not end within this test's life."""
    assert lines(f"{line}\n" * 3) == [1, 2, 3]
