"""A control socket as the daemon has one, with answers of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from smartcam.cli import app
from smartcam.service.control import SOCKET, Answer, ControlServer
from smartcam.workers import Worker


@contextmanager
def answering(folder: Path, verbs: Mapping[str, Answer]) -> Iterator[None]:
    """In this runtime folder, while the block lasts."""
    with ControlServer(folder / SOCKET, verbs) as server, Worker("control", server.run):
        yield


def always(answer: dict[str, Any]) -> Answer:
    return lambda _: answer


def call(*arguments: str | Path) -> Result:
    """The command, in this process; what it raises is in `exception`."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: str | Path) -> str:
    """What a command that must go well prints."""
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout
