"""`smartcam events`: what was told, and is kept on this machine. The daemon may run meanwhile."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json
from smartcam.errors import SmartcamError

if TYPE_CHECKING:
    from smartcam.store import Events
    from smartcam.store.events import Kept

app = typer.Typer(no_args_is_help=True, help="The events that are kept on this machine: list, show, export, remove.")

IdArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The event's id, or how it begins.")]


@app.command("list")
def list_(
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many, the newest last.")] = 100,
    rule: Annotated[str | None, typer.Option(help="Only this rule's.")] = None,
    camera: Annotated[str | None, typer.Option(help="Only this camera's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """The last events, each as it was told last."""
    with _events(config) as events:
        found = events.last(count, rule=rule, camera=camera)
    for kept in found:
        if json:
            print_json(kept.payload | {"owed": kept.owed, "refused": kept.refused})
        else:
            out().print(_line(kept), markup=False)


@app.command()
def show(event: IdArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """All that was told of an event."""
    with _events(config) as events:
        told = list(events.messages(_one(events, event)))
    for payload in told:
        typer.echo(payload.decode() if json else json_format.dumps(json_format.loads(payload), indent=2))


@app.command()
def export(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Every message of every event, exactly as C/event carried it, one a line, the oldest first."""
    with _events(config) as events:
        for payload in events.messages():
            typer.echo(payload.decode())


@app.command()
def rm(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Events' ids, or how they begin.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Remove events. What the broker does not have yet stays until it has it."""
    with _events(config, change=True) as events:
        for event in [_one(events, each) for each in ids]:
            gone = events.remove(event)
            typer.echo(f"{event}: {gone} messages removed" if gone else f"{event}: stays, it is still to be sent")


@contextmanager
def _events(config: Path, *, change: bool = False) -> Iterator[Events]:
    import sqlite3

    from smartcam.store import Events, open_to_change, open_to_read

    folder = _folder(config)
    with closing(open_to_change(folder) if change else open_to_read(folder)) as db:
        try:
            yield Events(db)
        except sqlite3.Error as error:
            raise SmartcamError(f"{folder}: the store cannot be used now: {error}") from None


def _folder(config: Path) -> Path:
    """Where the daemon keeps its store: only that is read, so that a broken configuration does not matter."""
    import tomllib

    from smartcam.service.folders import state_folder

    try:
        node = tomllib.loads(config.read_text()).get("node")
    except (OSError, ValueError):
        node = None
    data = node.get("data") if isinstance(node, dict) else None
    return state_folder(data if isinstance(data, str) else None)


def _one(events: Events, start: str) -> str:
    found = events.ids(start.upper())
    if len(found) == 1:
        return found[0]
    raise SmartcamError(f"{start}: {f'{len(found)} events begin so: say more of it' if found else 'no such event'}")


def _line(kept: Kept) -> str:
    """``01J… 2026-11-24T18:02:11Z front yard-intruder end: 1 person 0.87 in yard; not sent yet``"""
    told: dict[str, Any] = kept.payload
    what = f": {told['count']} {told['label']} {told['score']:.2f}" if "label" in told else ""
    where = f" in {', '.join(told['zones'])}" if told["zones"] else ""
    state = f"; refused: {kept.refused}" if kept.refused else "; not sent yet" if kept.owed else ""
    test = " (test)" if told.get("test") else ""
    start = f"{told['start'][:19]}Z"
    return f"{told['id']} {start} {told['camera']} {told['event_type']} {told['phase']}{test}{what}{where}{state}"
