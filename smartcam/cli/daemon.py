"""What commands ask the running daemon about its configuration."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from smartcam.config.sources import Sources

Answer: TypeAlias = dict[str, Any]
ASK_EVERY_S = 0.2


def configuration_of_daemon(file: Path) -> Answer | None:
    """What a running daemon says of its configuration; None where there is none, or it has another file."""
    from smartcam.errors import SmartcamError
    from smartcam.service.control import ask, socket_path

    try:
        answer = ask(socket_path(), "config")
    except SmartcamError:
        return None
    return answer if Path(answer["file"]).resolve() == file.resolve() else None


def is_in_force(answer: Answer, sources: Sources) -> bool:
    """Whether the daemon runs exactly these files."""
    return bool(answer["ok"]) and answer["hash"] == sources.hash


def in_force_or_why_not(answer: Answer, sources: Sources) -> str:
    """The same for a person."""
    loaded = _loaded(answer)
    if is_in_force(answer, sources):
        return f"the daemon runs it, since {loaded}"
    if answer["ok"]:
        return f"the daemon still runs an older one, of {loaded}: it takes a change within some seconds"
    wrong = "\n".join(f"  {_sentence(problem)}" for problem in answer["errors"])
    return f"the daemon runs an older one, of {loaded}, and could not take what it found since then:\n{wrong}"


def goes_on(answer: Answer) -> str:
    """What the daemon does where its files are no good, for a person."""
    return f"the daemon goes on with the one of {_loaded(answer)}, until this is mended:"


def wait_until_in_force(file: Path, sources: Sources, patience_s: float) -> str:
    """Whether the daemon has taken these files within that time, for a person; empty where none runs with them."""
    end = time.monotonic() + patience_s
    while (answer := configuration_of_daemon(file)) and not is_in_force(answer, sources) and time.monotonic() < end:
        time.sleep(ASK_EVERY_S)
    return in_force_or_why_not(answer, sources) if answer else ""


def clock(wall: float) -> str:
    """The machine's time of day, with the date where that is not today."""
    then, now = (datetime.fromtimestamp(each).astimezone() for each in (wall, time.time()))
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"


def _loaded(answer: Answer) -> str:
    return clock(datetime.fromisoformat(answer["loaded_at"]).timestamp())


def _sentence(problem: dict[str, Any]) -> str:
    from smartcam.config.problems import Problem

    return str(Problem(problem["file"], problem["line"], problem["key"] or "", problem["message"]))
