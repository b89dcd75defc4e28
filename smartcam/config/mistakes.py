"""Where a text is no TOML, and why: every mistake with its line, not the first alone.

The reader of Python's library stops at the first one. Everything before it is TOML then, so the statement in which
it stands is known exactly; that is taken out, and the rest is read again.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from typing import NamedTuple

from smartcam.config.keys import is_table_of_sections
from smartcam.config.lines import KeyPath, line_of, lines_of
from smartcam.config.slips import no_value, repair, slip
from smartcam.config.values import readable

MOST = 10
"""Who made more is told of the rest once these are mended."""
MOST_WRAPPED = 5
"""Lines over which a text may go on that was meant to be one."""
_STATED = "mistakes-are-looked-for-here"
_BROKEN = "broken-section-"

# Single-line strings end with their line here: in a faulty text, the next quote may belong to another one.
_TOKEN = re.compile(
    r"""
    \"{3} (?: [^\\] | \\. )*? \"{3,5}   |   '{3} .*? '{3,5}
    |   (?P<endless> \"{3} | '{3} )
    |   \" (?: [^"\\\n] | \\[^\n] )* \" |   ' [^'\n]* '
    |   \# [^\n]*                       |   [][{}\n]
    |   (?P<open> ' )
    """,
    re.DOTALL | re.VERBOSE,
)
_BEGINS = re.compile(
    r"""[ \t]*(?:[\w.-]+[ \t]*=(?!=)|\[\[?[ \t]*[a-z_][\w.\- "]*\]\]?[ \t]*(?:\#.*)?$)""", re.MULTILINE
)
"""How a line looks with which something new begins, even if a list above it was not closed."""


_OPEN_TEXT = re.compile(r"""[\w-]+[ \t]*=[ \t]*(["'])(?:(?!\1).)*""")
"""A text without its closing quote."""
_ROWS = re.compile(
    r"""([\w-]+)[ \t]*=[ \t]*(?:\[[\d., \t-]*\][ \t]*,?[ \t]*)?(?:\#.*)?\n
    (?:[ \t]*(?:\[[\d., \t-]*,[\d., \t-]*\]\]?|\])[ \t]*,?[ \t]*(?:\#.*)?(?:\n|\Z))+""",
    re.VERBOSE,
)
"""Points one below the other, in a list that was never opened."""


class Mistake(NamedTuple):
    """One place that is no TOML."""

    line: int
    key: KeyPath
    message: str
    repeats: bool = False
    """Whether it is a key that its section has already."""


class _Statement(NamedTuple):
    """A header, or a key and its value, that holds a mistake."""

    start: int
    end: int
    at: int
    """Where the reader stopped."""
    open: str
    """The brackets that were open there, the innermost last."""
    endless: bool
    """It has a text in three quotes that never ends: nothing below it can be told apart."""
    spilt: str = ""
    """What to say of it where it goes on below the line with which it should end."""


class _Scanned(NamedTuple):
    """How a statement goes on from its beginning, by its brackets and quotes."""

    end: int
    open_at: str
    """The brackets that are open where the reader stopped."""
    closed: bool = True
    endless: bool = False


def mistakes(text: str) -> list[Mistake]:
    """Every mistake of a text, as far as one does not hide another; none if it is TOML."""
    text = text.replace("\r\n", "\n")  # as the reader itself does: offsets are its own
    found: list[Mistake] = []
    while len(found) < MOST:
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            statement = _statement(text, _offset(text, str(error)))
            found.append(_told(text, statement, str(error)))
            if statement.endless or text[statement.at : statement.at + 1] == "\r":
                break
            text = _without(text, statement, len(found))
        except RecursionError:
            found.append(Mistake(0, (), "nested too deeply: this is no configuration; give another file"))
            break
        else:
            break
    return _without_follow_ups(found)


def _without_follow_ups(found: list[Mistake]) -> list[Mistake]:
    """Where several keys of a section are there twice, it is two sections, and the header of one of them is lost."""
    told: list[Mistake] = []
    sections = [mistake.key[:-1] for mistake in found if mistake.repeats and len(mistake.key) > 1]
    lost = {section for section in sections if sections.count(section) > 1 and is_table_of_sections(str(section[0]))}
    for mistake in found:
        if not mistake.repeats or mistake.key[:-1] not in lost:
            told.append(mistake)
        elif not any(each.key[:-1] == mistake.key[:-1] for each in told if each.repeats):
            asked = f"and so are others below: is the line [{mistake.key[0]}.NAME] missing above line {mistake.line}?"
            told.append(mistake._replace(message=f"{mistake.message.partition(':')[0]}, {asked}"))
    return told


def _offset(text: str, error: str) -> int:
    """Where the reader stopped, from its message: it keeps the place nowhere else before Python 3.14."""
    if error.startswith('Expected "\'"'):  # It looks for the closing quote in all the lines below.
        opened = next((token.start() for token in _TOKEN.finditer(text) if token["open"]), len(text))
        end = text.find("\n", opened)
        return len(text) if end < 0 else end
    if not (place := re.search(r"at line (\d+), column (\d+)\)$", error)):
        return len(text)
    line, column = int(place[1]), int(place[2])
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    at = start + column - 1
    return at - 2 if error.startswith("Unescaped") else at  # It is told behind the backslash and what follows it.


def _statement(text: str, at: int) -> _Statement:
    start, last = 0, len(text.rstrip())
    while (scanned := _scan(text, start, at)).end <= at and scanned.end < last:
        start = scanned.end
    start = min(at, len(text) - len(text[start:].lstrip()))
    resume = scanned.end if scanned.endless else _resume(text, start, scanned, at)
    if not scanned.open_at:
        if text[at : at + 1] in ("", "\n") and (end := _end_of_wrapped(text, start, at)):
            message = 'a text stays on one line: join the lines, or write """ at both its ends'
            return _Statement(start, end, at, "", False, message)
        if rows := _ROWS.match(text, start):
            message = f"the [ of the whole list is missing: write {rows[1]} = [ here, and ] below the last point"
            return _Statement(start, rows.end(), at, "", False, message)
    return _Statement(start, resume, at, scanned.open_at, scanned.endless)


def _end_of_wrapped(text: str, start: int, at: int) -> int:
    """Where a text ends that begins in this line and ends in one of the next; 0 if there is none."""
    if not (begun := _OPEN_TEXT.fullmatch(text, start, at)):
        return 0
    line = at + 1
    for _ in range(MOST_WRAPPED):
        end = _line_end(text, line)
        if _BEGINS.match(text, line) or not text[line:end].strip():
            return 0
        if re.fullmatch(rf"[^{begun[1]}]*{begun[1]}[ \t]*(?:#.*)?\n?", text[line:end]):
            return end
        line = end
    return 0


def _scan(text: str, start: int, at: int) -> _Scanned:
    now_open = open_at = ""
    for token in _TOKEN.finditer(text, start):
        if token.start() < at:
            open_at = now_open
        if token["endless"]:
            return _Scanned(len(text), open_at, endless=True)
        if token[0] in ("[", "{"):
            now_open += token[0]
        elif token[0] in ("]", "}"):
            now_open = now_open[:-1]
        elif token[0] == "\n" and not now_open:
            return _Scanned(token.end(), open_at)
        if token.start() < at:
            open_at = now_open
    return _Scanned(len(text), open_at, closed=not now_open)


def _resume(text: str, start: int, scanned: _Scanned, at: int) -> int:
    """Where reading can go on: below the statement, or before what looks like a new one if brackets are not closed."""
    if not scanned.open_at or text[start] == "[":
        return _line_end(text, at)
    if scanned.open_at[-1] == "{" and scanned.closed:
        return scanned.end
    line = max(_line_end(text, start), text.rfind("\n", 0, at) + 1)
    while line < scanned.end and not _BEGINS.match(text, line):
        line = _line_end(text, line)
    return line


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def _without(text: str, statement: _Statement, number: int) -> str:
    """The text with the statement taken out, and every other line where it was.

    A header that is wrong becomes one that no other is like: what stands below it is not the section's above it.
    """
    lost = text[statement.start : statement.end]
    header = f"[{_BROKEN}{number}]" if lost.startswith("[") else ""
    return text[: statement.start] + header + "\n" * lost.count("\n") + text[statement.end :]


def _told(text: str, statement: _Statement, error: str) -> Mistake:
    start, at = statement.start, statement.at
    section = _section(text[:start])
    first = text[start : _line_end(text, start)]
    named = re.match(r"([\w-]+)[ \t]*[=:]", first)
    key = (*section, named[1]) if named else ()
    here, line = text.count("\n", 0, start) + 1, text.count("\n", 0, at) + 1
    character = text[at : at + 1]

    if error.startswith("Cannot "):
        return _twice(text[:start], first, section, here)
    if twice := re.match(r"Duplicate inline table key (.*) \(", error):
        return Mistake(here, _told_of(key), f"{twice[1][1:-1]} is there twice: take one out")
    if character == "\r":
        return Mistake(line, _told_of(key), "the lines end as on an old Mac: save the file with Unix line ends")
    if character not in ("", "\n", "\t") and unicodedata.category(character) == "Cc":
        return Mistake(line, _told_of(key), f"an invisible character, U+{ord(character):04X}, is there: delete it")
    if statement.spilt:
        return Mistake(here, _told_of(key), statement.spilt)
    if statement.endless:
        return Mistake(here, _told_of(key), "a text in three quotes never ends: write one quote at each side of it")
    if statement.open and not first.startswith("[") and text.count("\n", start, statement.end) > 1:
        told_line, message = _in_list(text, statement, error)
        return Mistake(told_line, _told_of(key), message)
    return Mistake(here, _told_of(key), slip(first))


def _section(above: str) -> KeyPath:
    """The section that a line below this text is in."""
    places = lines_of(f"{above}\n{_STATED} = 0")
    return next((path[:-1] for path in places if path[-1] == _STATED), ())


def _told_of(path: KeyPath) -> KeyPath:
    """Without what stands there for a broken header, and without the numbers of sections in double brackets."""
    return tuple(part for part in path if isinstance(part, str) and not part.startswith(_BROKEN))


def _twice(above: str, line: str, section: KeyPath, here: int) -> Mistake:
    """For a key or section that is there already."""
    own = list(lines_of(line if line.startswith("[") else re.sub(r"=.*", "= 0", line)))
    if not own:  # A header is compared with the others before its closing bracket is looked for.
        return Mistake(here, (), slip(line))
    path = own[-1] if line.startswith("[") else (*section, *own[-1])
    before = line_of(lines_of(above), path)
    message = f"defined already in line {before}: rename or delete one of them"
    return Mistake(here, _told_of(path), message, repeats=not line.startswith("["))


def _in_list(text: str, statement: _Statement, error: str) -> tuple[int, str]:
    """The line and the sentence for a list, or a small table, of several lines."""
    start, end, at = statement.start, statement.end, statement.at
    here, line = text.count("\n", 0, start) + 1, text.count("\n", 0, at) + 1
    if statement.open[-1] == "{":
        return here, "what stands in { and } has one line: write it so, or give it a section of its own"
    if at >= end or at == len(text) or text[at:end].isspace():
        return here, "the list that begins here is not closed: write ] behind its last element"
    rest = text[at : _line_end(text, at)].strip()
    if error.startswith("Unclosed array") and (
        element := re.match(r"""\[[^][\n]*\]|"[^"\n]*"|'[^'\n]*'|[\d.]+""", rest)
    ):
        return line, f"a comma is missing before {readable(element[0])}: write one between each two elements of a list"
    broken = text[text.rfind("\n", 0, at) + 1 : _line_end(text, at)].strip()
    if line == here:
        return line, slip(broken)
    elements = broken.rstrip(",")
    if mended := repair(f"list = [{elements}]"):
        return line, f"{mended.reason}: write {readable(mended.line.partition(' = ')[2][1:-1])}"
    return line, no_value(elements)
