"""Where a key stands in a TOML file: tomllib tells no line numbers, and an editor needs one."""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*"
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ARRAY_OF_TABLES = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_STRINGS_AND_COMMENT = re.compile(r"""\"\"\"|'''|"(?:[^"\\]|\\.)*"|'[^']*'|#.*$""")


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_BARE_OR_QUOTED, dotted))


def lines_of(text: str) -> dict[KeyPath, int]:
    """Every table and key of a **valid** TOML text → its line, from 1.

    Elements of arrays and inline tables are not told apart: they stand where their key stands.
    """
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    depth, inside = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not depth and not inside:
            if array := _ARRAY_OF_TABLES.match(line):
                path = _parts(array[1])
                counts[path] = counts.get(path, -1) + 1
                table = (*path, counts[path])
            elif header := _TABLE.match(line):
                table = _parts(header[1])
            elif key := _KEY.match(line):
                _remember(found, (*table, *_parts(key[1])), number)
                depth, inside = _open_after(line[key.end() :], depth, inside)
                continue
            _remember(found, table, number)
            continue
        depth, inside = _open_after(line, depth, inside)
    return found


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the deepest part of `path` that stands in the file, or None."""
    for end in range(len(path), 0, -1):
        if (line := lines.get(path[:end])) is not None:
            return line
    return None


def _remember(found: dict[KeyPath, int], path: KeyPath, number: int) -> None:
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], number)


def _open_after(line: str, depth: int, inside: str) -> tuple[int, str]:
    """How many brackets, and which multi-line string, are still open after this line."""
    while True:
        if inside:
            end = line.find(inside)
            if end < 0:
                return depth, inside
            line, inside = line[end + 3 :], ""
        plain = ""
        while token := _STRINGS_AND_COMMENT.search(line):
            plain += line[: token.start()]
            line = line[token.end() :]
            if token[0] in ('"""', "'''"):
                inside = token[0]
                break
        else:
            plain += line
        depth += sum(plain.count(bracket) for bracket in "[{") - sum(plain.count(bracket) for bracket in "]}")
        if not inside:
            return depth, ""
