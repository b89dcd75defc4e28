"""Lines against texts written by hand, and against a generator that knows where it put each key."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.config.lines import KeyPath, line_of, lines_of


def test_tables_and_keys_stand_where_they_are_written() -> None:
    text = '# a comment\nmqtt.url = "x"\n\n[camera.front]\nsource = "y"\n  rotate = 90\n'
    assert lines_of(text) == {
        ("mqtt",): 2,
        ("mqtt", "url"): 2,
        ("camera",): 4,
        ("camera", "front"): 4,
        ("camera", "front", "source"): 5,
        ("camera", "front", "rotate"): 6,
    }


@pytest.mark.parametrize(
    "value",
    [
        "[\n  [0, 1], # a ] in a comment\n  [1, 1],\n]",
        "[\n\"]\", \"'''\", ']\"',\n]",
        '"""\nb = 1\n[b]\n"""',
        "'''\nb = 1\n[b]\n\"\"\"'''",
        r'"""a \""" b' + '\nc\n"""',
        r'"""a \\"""',
        '["""a"""", "]"]',
        '["""a""""", "]"]',
        "[''''a'''', ']']",
        '""',
        '"" # """',
        "'' # '''",
        r'"\"[" # [',
        "{ x = '}', y = [1, 2] }",
        '"\u2028\u0085"',
        "1 # \u2028",
    ],
)
def test_whatever_a_value_holds_the_next_key_is_found(value: str) -> None:
    """A bracket, a quote or what looks like a key inside a string is none."""
    text = f"a = {value}\nb = 2\n"
    assert set(tomllib.loads(text)) == {"a", "b"}, "the text itself must be valid"
    assert lines_of(text) == {("a",): 1, ("b",): text[: text.rindex("b = 2")].count("\n") + 1}


def test_quoted_names_are_read_as_toml_reads_them() -> None:
    text = '["a.b" . \'c"d\']\n"\\u0065\\"" = 1\n'
    assert lines_of(text) == {("a.b",): 1, ("a.b", 'c"d'): 1, ("a.b", 'c"d', 'e"'): 2}


def test_what_follows_an_array_of_tables_belongs_to_its_newest_element() -> None:
    text = "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 1\n[[a.c]]\nz = 1\n[[a.c]]\nz = 2\n"
    lines = lines_of(text)
    assert lines["a", 0, "x"] == 2
    assert lines["a", 1, "x"] == 4
    assert lines["a", 1, "b", "y"] == 6
    assert lines["a", 1, "c", 1, "z"] == 10


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_of_either_kind_count_once(ending: str) -> None:
    text = ending.join(["[a]", "x = [", "]", "y = 1", ""])
    assert lines_of(text)["a", "y"] == 4


def test_the_deepest_part_that_stands_in_the_file_gives_the_line() -> None:
    lines = lines_of("[zone.yard]\npoints = [[0, 0], [2, 2]]\n")
    assert line_of(lines, ("zone", "yard", "points", 1, 0)) == 2
    assert line_of(lines, ("zone", "yard", "camera")) == 1
    assert line_of(lines, ("rule", "x")) is None


NAMES = st.text("abc-9.\"'é [#=", min_size=1, max_size=4)
TEXT = st.text("ab\"'\\[]{}#=\n\u2028 ", max_size=12)


@dataclass
class Writer:
    """Writes TOML, a line at a time, and notes where each key went."""

    lines: list[str] = field(default_factory=list)
    keys: dict[KeyPath, int] = field(default_factory=dict)

    def write(self, text: str) -> int:
        first = len(self.lines) + 1
        self.lines += text.split("\n")
        return first


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


@st.composite
def values(draw: st.DrawFn) -> str:
    text = draw(TEXT)
    basic = json.dumps(text, ensure_ascii=False)
    match draw(st.sampled_from(["number", "basic", "lines", "literal", "array", "inline"])):
        case "basic":
            return basic
        case "lines":
            inner = text.replace("\\", "\\\\").replace('"', '\\"')
            return '"""' + inner + '"' * draw(st.integers(0, 2)) + '"""'
        case "literal":
            inner = text.replace("'", "")
            return "'''" + inner + "'" * draw(st.integers(0, 2)) + "'''"
        case "array":
            return f"[ # ]\n{basic}, [],\n\n{basic}\n]"
        case "inline":
            return f"{{ x = {basic}, y = [{basic}] }}"
    return "1"


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer()
    for table in draw(st.lists(st.lists(NAMES, min_size=1, max_size=2).map(tuple), unique=True, max_size=4)):
        # A distinct head keeps tables and keys from being declared twice.
        path = (f"t{len(writer.keys)}", *table)
        writer.keys[path] = writer.write("[" + " . ".join(map(quoted, path)) + "] # [")
        for key in draw(st.lists(NAMES, unique=True, max_size=4)):
            writer.write(draw(st.sampled_from(["", "# x = [", "  "])))
            writer.keys[(*path, key)] = writer.write(f"{quoted(key)} = {draw(values())} # '\"[")
    return writer


@given(documents())
def test_every_key_of_any_document_is_found(writer: Writer) -> None:
    text = "\n".join(writer.lines)
    tomllib.loads(text)
    found = lines_of(text)
    assert {path: found.get(path) for path in writer.keys} == writer.keys
    assert all(line_of(found, path[:1]) for path in writer.keys)
