"""`smartcam events`: what was told, and is kept on this machine with its pictures. The daemon may run meanwhile."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from smartcam.cli.kept import amount, store_folder
from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json
from smartcam.errors import SmartcamError

if TYPE_CHECKING:
    from smartcam.store import Events, MediaFiles
    from smartcam.store.events import Kept
    from smartcam.store.exhibits import KeptExhibit

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
    """All that was told of an event, and which pictures and clips of it are kept."""
    with _events(config) as events:
        whole_id = _one(events, event)
        told, exhibits = list(events.messages(whole_id)), events.exhibits(whole_id)
    for payload in told:
        if json:
            typer.echo(payload.decode())
        else:
            out().print(_told_line(json_format.loads(payload)), markup=False)
    for kept in exhibits:
        if json:
            print_json(_exhibit(kept))
        else:
            out().print(_exhibit_line(kept), markup=False)


@app.command()
def export(
    events_: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Only these: events' ids, or how they begin.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Copy their pictures and clips there, in a folder for each event."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Every message of the events, exactly as C/event carried it, one a line, the oldest first."""
    from smartcam.store import MediaFiles

    folder = store_folder(config)
    with _events(config) as events:
        chosen = [_one(events, each) for each in events_ or ()]
        for payload in (payload for each in chosen or ("",) for payload in events.messages(each)):
            typer.echo(payload.decode())
        exhibits = [kept for each in chosen or events.ids("") for kept in events.exhibits(each)] if to else []
    media = MediaFiles(folder)
    lost = [kept for kept in exhibits if to and not _copy(media, kept, to)]
    if lost:
        raise SmartcamError(f"{len(lost)} files could not be copied: they have just been removed to make room")


@app.command()
def rm(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Events' ids, or how they begin.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Remove events, with their pictures and clips. What the broker does not have yet stays until it has it."""
    from smartcam.store import MediaFiles

    media = MediaFiles(store_folder(config))
    with _events(config, change=True) as events:
        for event in [_one(events, each) for each in ids]:
            messages, files = _removed(events, event, media)
            gone = f"{messages} messages" + (f" and {files} files" if files else "")
            stays = "" if not events.ids(event) else "; the rest stays, it is still to be sent"
            if messages or files:
                typer.echo(f"{event}: {gone} removed{stays}")
            else:
                typer.echo(f"{event}: stays, it is still to be sent")


@contextmanager
def _events(config: Path, *, change: bool = False) -> Iterator[Events]:
    import sqlite3

    from smartcam.store import Events, open_to_change, open_to_read

    folder = store_folder(config)
    with closing(open_to_change(folder) if change else open_to_read(folder)) as db:
        try:
            yield Events(db)
        except (sqlite3.Error, ValueError) as error:
            remedies = {
                "full": "make room on the disk",
                "readonly": "it is not yours to change, or its disk is read-only",
                "locked": "the daemon is busy with it: try again",
            }
            damaged = "where it is damaged, the daemon begins a new one"
            remedy = next((remedy for word, remedy in remedies.items() if word in str(error)), damaged)
            raise SmartcamError(f"{folder}: the store cannot be used now ({error}): {remedy}") from None


def _removed(events: Events, event: str, media: MediaFiles) -> tuple[int, int]:
    """Also on a full disk: the room that is held back for that is given up then, and the daemon takes it again."""
    import sqlite3

    from smartcam.store.ballast import Ballast
    from smartcam.store.failures import is_full

    try:
        return events.remove(event, media)
    except sqlite3.Error as error:
        if not is_full(error) or not Ballast(media.path("")).drop():
            raise
    return events.remove(event, media)


def _one(events: Events, start: str) -> str:
    found = events.ids(start.upper())
    if len(found) == 1:
        return found[0]
    raise SmartcamError(f"{start}: {f'{len(found)} events begin so: say more of it' if found else 'no such event'}")


def _line(kept: Kept) -> str:
    """``01J… 2026-11-24T18:02:11Z front yard-intruder end: 1 person 0.87 in yard; not sent yet``"""
    state = f"; refused: {kept.refused}" if kept.refused else "; not sent yet" if kept.owed else ""
    return f"{kept.payload['id']} {_summary(kept.payload)}{state}"


def _told_line(told: dict[str, Any]) -> str:
    """``3 2026-11-24T18:02:11Z front yard-intruder end: 1 person 0.87 in yard, 14 s (person stayed 3 s)``"""
    lasted = f", {told['dwell_s']:g} s" if told["phase"] == "end" else ""
    reasons = f" ({'; '.join(told['reasons'])})" if told.get("reasons") else ""
    return f"{told['seq']} {_summary(told)}{lasted}{reasons}"


def _summary(told: dict[str, Any]) -> str:
    what = f": {told['count']} {told['label']} {told['score']:.2f}" if "label" in told else ""
    where = f" in {', '.join(told['zones'])}" if told["zones"] else ""
    test = " (test)" if told.get("test") else ""
    start = f"{told['start'][:19]}Z"
    return f"{start} {told['camera']} {told['event_type']} {told['phase']}{test}{what}{where}"


def _exhibit(kept: KeptExhibit) -> dict[str, Any]:
    found = kept.exhibit
    return {
        "event": found.event,
        "kind": found.kind,
        "number": found.number,
        "file": found.file,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "owed": kept.owed,
        "delivered": kept.delivered,
    }


def _exhibit_line(kept: KeptExhibit) -> str:
    """``snapshot 1: media/01J…/4f5a….jpg, 120 kB; sent``"""
    found = kept.exhibit
    state = "not sent yet" if kept.owed else "sent" if kept.delivered else "stays here"
    return f"{found.kind} {found.number}: {found.file}, {amount(found.bytes)}; {state}"


def _copy(media: MediaFiles, kept: KeptExhibit, to: Path) -> bool:
    """To ``DIR/EVENT/snapshot-1.jpg``; false where it has just been removed. Raises SmartcamError."""
    import shutil

    from smartcam.store.media import Lost

    found = kept.exhibit
    source = media.path(found.file)
    target = to / found.event / f"{found.kind}-{found.number}{source.suffix}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with media.open(found.file) as reading, target.open("wb") as copy:
            shutil.copyfileobj(reading, copy)
    except Lost:
        return False
    except OSError as error:
        raise SmartcamError(f"cannot copy {source} to {target}: {error.strerror}") from None
    return True
