"""How commands print: tables for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from smartcam.detect.download import Progress

ENV_CONFIG = "SMARTCAM_CONFIG"
JOURNAL_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
DEFAULT_CONFIG = Path("/etc/smartcam/smartcam.toml")

ConfigOption: TypeAlias = Annotated[
    Path, typer.Option("-c", "--config", envvar=ENV_CONFIG, metavar="FILE", help="The configuration file.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


def print_json(value: Any) -> None:
    """One object, one line, at once."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def out() -> Console:
    """What people read on stdout; rich honours NO_COLOR and a stdout that is no terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def log_to_stderr(level: str) -> None:
    """Log lines on stderr: with a time for people, with a priority where the journal reads them."""
    in_journal = "JOURNAL_STREAM" in os.environ
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JournalFormat() if in_journal else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def log_as_sentences() -> None:
    """For a command that does one thing: warnings on stderr as they are, without what it raises as its error anyway."""
    logging.basicConfig(format="smartcam: %(message)s", level=logging.WARNING)
    logging.getLogger("smartcam.detect").setLevel(logging.CRITICAL)


class _JournalFormat(logging.Formatter):
    """`<3>message`: sd-daemon(3)'s priorities; the journal adds the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{JOURNAL_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on stderr where somebody watches, and nothing otherwise."""
    console = err()
    if not console.is_terminal:
        yield lambda _what, _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield progress
