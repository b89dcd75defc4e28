"""The text of every file of a configuration: read whole or not at all, compared by a hash, kept as JSON.

Beside the main file stand drop-ins, ``rules.d/*.toml`` and ``zones.d/*.toml``, which may bring rules and what is
drawn on the cameras' pictures.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter

from smartcam.config.lines import KeyPath, line_of, lines_of
from smartcam.config.problems import BadConfigFile, Problem, dotted

MAX_BYTES = 64 * 1024
MAX_DROP_INS = 100
FOLDERS = ("rules.d", "zones.d")
OF_RULES = ("rule", "zone", "line", "group")
"""The sections that drop-ins, and a file of rules that is tried, may bring."""

HINTS = {
    errno.ENOENT: "write one from config.example.toml",
    errno.EISDIR: "give the file in it",
    errno.ENOTDIR: "a part of its path is a file where a folder should be",
    errno.EACCES: "check its permissions",
    errno.ENXIO: "put an ordinary text file there",
    errno.ELOOP: "mend the links that point at each other",
}


@dataclass(frozen=True)
class Sources:
    """A configuration as it was written."""

    main: str
    """What messages call the main file."""
    texts: dict[str, str]
    """By the files' names, the main file first; drop-ins are named from its folder: ``rules.d/10-yard.toml``."""
    rules: str = ""
    """The file whose rules, zones, lines and groups replace those of the main file; there are no drop-ins then."""

    @property
    def hash(self) -> str:
        """12 hex digits that tell whether anything in it changed; where it lies does not matter."""
        named = [[Path(name).name if name == self.main else name, text] for name, text in self.texts.items()]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]

    def to_json(self) -> bytes:
        return json.dumps({"main": self.main, "texts": self.texts, "rules": self.rules}).encode()

    @classmethod
    def from_json(cls, data: bytes | str) -> Sources:
        """What `to_json` wrote. Raises ValueError for anything else."""
        sources = TypeAdapter(cls).validate_json(data, strict=True)
        if sources.main not in sources.texts or (sources.rules and sources.rules not in sources.texts):
            raise ValueError("the kept configuration has not all of its files")
        return sources

    def problem(self, path: KeyPath, message: str) -> Problem:
        """That something is wrong at this key, with the file and line where it stands. The texts must be TOML."""
        return self.problem_in(self.place(path)[0], path, message)

    def problem_in(self, file: str, path: KeyPath, message: str) -> Problem:
        """The same where several files have this key."""
        return Problem(file, line_of(self._lines.get(file, {}), path), dotted(path), message)

    def place(self, path: KeyPath) -> tuple[str, int | None]:
        """The file and line of this key, or of the deepest part of it that was written; the first, if there are more.

        What stands nowhere belongs into the main file.
        """
        files = [self.rules] if self.rules and path[:1] and path[0] in OF_RULES else list(self.texts)
        for depth in range(len(path), 0, -1):
            for file in files:
                if (line := self._lines[file].get(path[:depth])) is not None:
                    return file, line
        return self.main, None

    @cached_property
    def _lines(self) -> dict[str, dict[KeyPath, int]]:
        return {name: lines_of(text) for name, text in self.texts.items()}


def read(path: Path, rules: Path | None = None) -> Sources:
    """The main file and its drop-ins; with `rules`, the main file and that one.

    Raises:
        BadConfigFile: with everything that cannot be read. Nothing is waited for, and no more read than fits.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    files = {str(path): path} | ({str(rules): rules} if rules else _drop_ins(path.parent, problems))
    for name, file in files.items():
        try:
            texts[name] = _read(file, name)
        except BadConfigFile as failed:
            problems += failed.problems
    if problems:
        raise BadConfigFile(problems)
    return Sources(str(path), texts, str(rules) if rules else "")


def _drop_ins(folder: Path, problems: list[Problem]) -> dict[str, Path]:
    """The files of both folders by their names, in order; what editors leave behind is passed over."""
    found: dict[str, Path] = {}
    for sub in FOLDERS:
        try:
            names = sorted(entry.name for entry in (folder / sub).iterdir() if _is_drop_in(entry.name))
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(_unreadable(sub, error))
            continue
        found |= {_printable(f"{sub}/{name}"): folder / sub / name for name in names}
    if len(found) > MAX_DROP_INS:
        text = f"{len(found)} files, and at most {MAX_DROP_INS} are read: put several rules into one file"
        problems.append(Problem(" and ".join(FOLDERS), None, "", text))
        return {}
    return found


def _is_drop_in(name: str) -> bool:
    return name.endswith(".toml") and not name.startswith(".")


def _printable(name: str) -> str:
    """A file's name as a message and JSON can carry it."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in name)


def _read(path: Path, name: str) -> str:
    try:
        # Without O_NONBLOCK a pipe would be waited for before one can see what it is.
        with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadConfigFile([Problem(name, None, "", "no ordinary file: put a text file there")])
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadConfigFile([_unreadable(name, error)]) from error
    if len(raw) > MAX_BYTES:
        text = f"over {MAX_BYTES // 1024} KiB: this is no configuration; give another file, or take out what is no rule"
        raise BadConfigFile([Problem(name, None, "", text)])
    try:
        return raw.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadConfigFile([Problem(name, line, "", "not UTF-8 text: save it as UTF-8")]) from error


def _unreadable(name: str, error: OSError) -> Problem:
    hint = HINTS.get(error.errno or 0, "check the file and the disk that it is on")
    if error.errno == errno.ENOENT and name.startswith(FOLDERS):
        hint = "delete the link, or put the file where it points"
    return Problem(name, None, "", f"cannot read it ({error.strerror}): {hint}")
