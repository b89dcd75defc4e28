"""What is wrong with a configuration, as a person is told it: file, line, key, sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from smartcam.config.values import shown
from smartcam.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class BadConfigFile(BadConfig):
    """A configuration that cannot be used, with all its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


def dotted(path: Iterable[str | int]) -> str:
    """A key as TOML writes it."""
    return ".".join(str(part) if re.fullmatch(r"[\w-]+", str(part), re.ASCII) else shown(str(part)) for part in path)
