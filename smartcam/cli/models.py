"""`smartcam models`: the models that can be had by name, and fetching them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from smartcam.cli.output import JsonOption, err, out, print_json, progress_bars

if TYPE_CHECKING:
    from smartcam.detect.catalogue import Entry
    from smartcam.detect.fetch import Fetched

app = typer.Typer(help="The models that can be had by name.", no_args_is_help=True)

CacheOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Where models are kept; by default the user's cache folder."),
]


@app.command("list")
def list_models(json: JsonOption = False, cache: CacheOption = None) -> None:
    """Show the catalogue."""
    from smartcam.detect.catalogue import CATALOGUE
    from smartcam.detect.fetch import fetched

    folder = _folder(cache)
    models = [(entry, fetched(entry, folder)) for entry in CATALOGUE]
    if json:
        for entry, ready in models:
            print_json(_summary(entry, ready))
    else:
        _print_table(models)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of the catalogue.")],
    json: JsonOption = False,
    cache: CacheOption = None,
) -> None:
    """Download models, or repair them; what is there and whole is not downloaded again."""
    from smartcam.detect.fetch import fetch

    folder = _folder(cache)
    for entry in [_find(name) for name in names]:
        with progress_bars() as progress:
            ready = fetch(entry, folder, progress=progress)
        if json:
            print_json({"name": entry.name, **_files_of(ready)})
        else:
            out().print(f"{entry.name}: {_megabytes(ready.bytes)} in {ready.model.parent}", markup=False)
        if entry.caution:
            err().print(f"{entry.name}: {entry.caution}", markup=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of the catalogue.")],
    json: JsonOption = False,
    cache: CacheOption = None,
) -> None:
    """Show everything about one model."""
    from smartcam.detect.fetch import fetched

    entry = _find(name)
    facts = _facts(entry, fetched(entry, _folder(cache)))
    if json:
        print_json(facts)
    else:
        _print_facts(facts)


def _find(name: str) -> Entry:
    from smartcam.detect.catalogue import find
    from smartcam.errors import BadConfig

    try:
        return find(name)
    except BadConfig as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None


def _folder(cache: Path | None) -> Path:
    from smartcam.detect.fetch import cache_folder

    return cache_folder(str(cache) if cache else None)


def _summary(entry: Entry, ready: Fetched | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "task": entry.task,
        "title": entry.title,
        "licence": entry.licence,
        "caution": entry.caution,
        "bytes": ready.bytes if ready else entry.bytes,
        "sha256": ready.sha256["model.tflite"] if ready else entry.sha256,
        "fetched": ready is not None,
    }


def _facts(entry: Entry, ready: Fetched | None) -> dict[str, Any]:
    from smartcam.detect.model import load_labels

    labels = load_labels(ready.labels) if ready else None
    return _summary(entry, ready) | {
        "input": list(entry.input_wh),
        "layout": entry.layout,
        "resize": entry.resize,
        "normalise": entry.normalise,
        "score": entry.score,
        "labels": len(labels) if labels else None,
        "label_names": labels,
        "folder": str(ready.model.parent) if ready else None,
        "files": [
            {
                "name": name,
                "origin": str(file.origin),
                "span": file.span,
                "bytes": file.bytes,
                "sha256": ready.sha256[name] if ready else file.sha256,
                "pin": f"{file.pin.algorithm}:{file.pin.digest}",
                "cpu_twin": "model.tflite" if file is entry.compiled else None,
            }
            for name, file in entry.files.items()
        ],
    }


def _files_of(ready: Fetched) -> dict[str, Any]:
    return {
        "model": str(ready.model),
        "labels": str(ready.labels),
        "compiled": str(ready.compiled) if ready.compiled else None,
        "bytes": ready.bytes,
        "sha256": ready.sha256,
    }


def _megabytes(size: int | None) -> str:
    """A size for people; a dash where only the fetched file tells."""
    return "–" if size is None else f"{size / 1e6:.1f} MB"  # noqa: RUF001 - a dash, as in a table


def _print_table(models: list[tuple[Entry, Fetched | None]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "task", "good at"):
        table.add_column(heading, no_wrap=heading != "good at")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("fetched")
    for entry, ready in models:
        size = _megabytes(ready.bytes if ready else entry.bytes)
        table.add_row(entry.name, entry.task, entry.title, size, entry.licence, "yes" if ready else "")
    out().print(table)


def _print_facts(facts: dict[str, Any]) -> None:
    console = out()
    console.print(f"[bold]{facts['name']}[/]: {facts['title']}")
    if facts["caution"]:
        console.print(f"[yellow]{facts['caution']}[/]")
    width, height = facts["input"]
    rows = {
        "task": facts["task"],
        "licence": facts["licence"],
        "size": _megabytes(facts["bytes"]),
        "input": f"{width}x{height}, {facts['resize']}, float pixels {facts['normalise']}",
        "layout": facts["layout"],
        "score": facts["score"],
        "labels": f"{facts['labels']}: {', '.join(facts['label_names'])}" if facts["labels"] else "known once fetched",
        "fetched": facts["folder"] or f"no: `smartcam models fetch {facts['name']}`",
    }
    for key, value in rows.items():
        console.print(f"  {key:8} {value}", markup=False)
    for file in facts["files"]:
        console.print(
            f"  [bold]{file['name']}[/]"
            + (f", the twin of {file['cpu_twin']} for an Edge TPU" if file["cpu_twin"] else "")
        )
        span = f", bytes {file['span'][0]} to {file['span'][1]}" if file["span"] else ""
        console.print(f"    from   {file['origin']}{span}", markup=False)
        hashes = dict.fromkeys([f"sha256:{file['sha256']}"] if file["sha256"] else []) | {file["pin"]: None}
        for pin in hashes:
            console.print(f"    hash   {pin}", markup=False)
