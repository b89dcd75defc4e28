"""`smartcam devices`: which Edge TPUs are here, and whether the software fits them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from smartcam.cli.output import JsonOption, out, print_json

if TYPE_CHECKING:
    from smartcam.detect.devices import EdgeTpu
    from smartcam.detect.versions import Pair

COLOURS = {"new": "green", "ready": "green", "in use": "yellow", "dead": "red", "no driver": "red"}
VERDICTS = {"works": "[green]ok[/]  ", "crashes": "[red]FAIL[/]", "unknown": "[yellow]warn[/]"}


def add_to(app: typer.Typer) -> None:
    app.command()(devices)


def devices(json: JsonOption = False) -> None:
    """Show the Edge TPUs of this machine, and whether libedgetpu and the interpreter go together. Opens none.

    With --json: one line a device, and a last one with library, runtime and pair.
    """
    from smartcam.detect.devices import find_edge_tpus
    from smartcam.detect.versions import find_library, installed_runtime, judge, loading_fails

    tpus = find_edge_tpus()
    pair = judge(find_library(), installed_runtime())
    refusal = loading_fails(pair.library) if pair.library else None
    if json:
        _print_lines(tpus, pair, refusal)
    else:
        _print_table(tpus)
        _print_software(pair, refusal, needed=bool(tpus))


def _print_lines(tpus: list[EdgeTpu], pair: Pair, refusal: str | None) -> None:
    from smartcam.detect.devices import trouble
    from smartcam.detect.versions import advice

    for tpu in tpus:
        print_json(_plain(tpu) | {"trouble": trouble(tpu)})
    library = _plain(pair.library) | {"loading_fails": refusal} if pair.library else None
    runtime = _plain(pair.runtime) if pair.runtime else None
    told = {"pair": pair.verdict, "source": pair.source or None, "advice": advice(pair)}
    print_json({"library": library, "runtime": runtime} | told)


def _plain(record: Any) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(record).items()}


def _print_table(tpus: list[EdgeTpu]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from smartcam.detect.devices import trouble

    if not tpus:
        out().print("No Edge TPU is here, neither on USB nor on PCIe: models run on the CPU.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "state", "at", "temperature", "slows down at", "driver"):
        table.add_column(heading, no_wrap=True)
    for tpu in tpus:
        table.add_row(
            tpu.name or tpu.bus,
            f"[{COLOURS[tpu.state]}]{tpu.state}[/]",
            tpu.identity,
            "" if tpu.temperature_c is None else f"{tpu.temperature_c:.1f} °C",
            ", ".join(f"{point:.1f}" for point in tpu.trip_points_c) and f"{tpu.trip_points_c[0]:.1f} °C",
            tpu.driver or "",
        )
    out().print(table)
    for tpu in tpus:
        if sentence := trouble(tpu):
            out().print(f"[yellow]warn[/] {escape(sentence)}")


def _print_software(pair: Pair, refusal: str | None, *, needed: bool) -> None:
    """Library, interpreter and pair; without a device, a library that is missing is no news."""
    from rich.markup import escape

    from smartcam.detect.versions import advice, library_name

    where = f"{pair.library}, {pair.library.path}" if pair.library else f"none ({library_name()} is not installed)"
    out().print(f"library      {where}", markup=False)
    out().print(f"interpreter  {pair.runtime or 'none'}", markup=False)
    if refusal:
        out().print(f"[red]FAIL[/] {escape(refusal)}")
    if needed or pair.library or pair.runtime is None:
        out().print(f"{VERDICTS[pair.verdict]} {escape(advice(pair))}")
