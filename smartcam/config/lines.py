"""Where a key stands in a TOML file: tomllib tells no line numbers, and an editor needs one."""

from __future__ import annotations

import re
import tomllib

KeyPath = tuple[str | int, ...]

_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_BARE_OR_QUOTED}(?:[ \t]*\.[ \t]*{_BARE_OR_QUOTED})*"
_TABLE = re.compile(rf"[ \t]*\[[ \t]*({_DOTTED})[ \t]*\]")
_ARRAY_OF_TABLES = re.compile(rf"[ \t]*\[\[[ \t]*({_DOTTED})[ \t]*\]\]")
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
# Strings and comments hide brackets and line ends. A multi-line string may end in one or two quotes of its own.
_TOKEN = re.compile(
    r"""
    \"{3} (?: [^\\] | \\. )*? \"{3,5}   |   '{3} .*? '{3,5}
    |   \" (?: [^"\\] | \\. )* \"       |   ' [^']* '
    |   \# [^\n]*                       |   [][{}\n]
    """,
    re.DOTALL | re.VERBOSE,
)


def lines_of(text: str) -> dict[KeyPath, int]:
    """Every table and key of a **valid** TOML text → its line, from 1.

    Elements of arrays and inline tables are not told apart: they stand where their key stands.
    """
    found: dict[KeyPath, int] = {}
    newest: dict[KeyPath, int] = {}
    table: KeyPath = ()
    start, number = 0, 1
    while start < len(text):
        if array := _ARRAY_OF_TABLES.match(text, start):
            table = _located((), array[1], newest, begins=True)
            _remember(found, table, number)
        elif header := _TABLE.match(text, start):
            table = _located((), header[1], newest)
            _remember(found, table, number)
        elif key := _KEY.match(text, start):
            _remember(found, _located(table, key[1], newest), number)
        end = _end_of_statement(text, start)
        number += text.count("\n", start, end)
        start = end
    return found


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the deepest part of `path` that stands in the file, or None."""
    for end in range(len(path), 0, -1):
        if (line := lines.get(path[:end])) is not None:
            return line
    return None


def _located(table: KeyPath, dotted: str, newest: dict[KeyPath, int], *, begins: bool = False) -> KeyPath:
    """The path of a key in `table`; what follows the name of an array of tables belongs to its newest element."""
    path = table
    parts = _parts(dotted)
    for last, part in enumerate(parts, 1 - len(parts)):
        path = (*path, part)
        if begins and not last:
            newest[path] = newest.get(path, -1) + 1
        if path in newest:
            path = (*path, newest[path])
    return path


def _parts(dotted: str) -> list[str]:
    """A dotted key's names, their quotes and escapes undone by the TOML reader itself."""
    parts = []
    tree = tomllib.loads(f"{dotted} = 0")
    while isinstance(tree, dict):
        (name, tree), *_ = tree.items()
        parts.append(name)
    return parts


def _remember(found: dict[KeyPath, int], path: KeyPath, number: int) -> None:
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], number)


def _end_of_statement(text: str, start: int) -> int:
    """Just after the line end at which all that was opened since `start` is closed again."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in ("[", "{"):
            depth += 1
        elif token[0] in ("]", "}"):
            depth -= 1
        elif token[0] == "\n" and not depth:
            return token.end()
    return len(text)
