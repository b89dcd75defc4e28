"""What is wrong with a configuration, as a person is told it: file, line, key, sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartcam.config.values import shown
from smartcam.errors import BadConfig

if TYPE_CHECKING:
    from smartcam.config.sections import Config


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

    def __init__(self, problems: list[Problem], understood: Config | None = None) -> None:
        self.problems = problems
        self.understood = understood
        """What is left without them, so that more can be said of it; None where the models cannot be known."""
        super().__init__("\n".join(map(str, problems)))


def dotted(path: Iterable[str | int]) -> str:
    """A key as TOML writes it. Positions in a list are left out: who wrote it counts nothing there."""
    names = [part for part in path if isinstance(part, str)]
    return ".".join(name if re.fullmatch(r"[\w-]+", name, re.ASCII) else shown(name) for name in names)
