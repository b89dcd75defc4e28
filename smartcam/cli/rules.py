"""`smartcam rules`: how each rule stands in the running daemon."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import typer

from smartcam.cli.alarm import alarm_line
from smartcam.cli.daemon import clock
from smartcam.cli.output import JsonOption, out, print_json

HEADINGS = ("rule", "camera", "now", "fired", "last")
Standing: TypeAlias = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    app.command()(rules)


def rules(json: JsonOption = False) -> None:
    """Ask the running daemon how each rule stands: when it fired last, how often, how near it came, why not now.

    With --json: one line a rule and camera, one for each thing that stands still, and a last one about the alarm.
    """
    from smartcam.service.control import ask, socket_path

    answer = ask(socket_path(), "rules")
    if json:
        _print_lines(answer)
        return
    console = out()
    console.print(alarm_line(answer), markup=False)
    rows = [HEADINGS, *map(_row, answer["rules"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    console.print(_padded(HEADINGS, widths), style="bold")
    for standing, row in zip(answer["rules"], rows[1:], strict=True):
        console.print(_padded(row, widths), markup=False)
        for line in _details(standing):
            console.print(line, style="dim", markup=False)
    for camera, things in answer["still"].items():
        for thing in things:
            console.print(_still(camera, thing), markup=False)


def _print_lines(answer: dict[str, Any]) -> None:
    for standing in answer["rules"]:
        print_json(standing)
    for camera, things in answer["still"].items():
        for thing in things:
            print_json({"camera": camera, "still": thing})
    print_json({"armed": answer["armed"], "mode": answer["mode"]})


def _row(standing: Standing) -> tuple[str, ...]:
    state = "open" if standing["open"] else "waiting" if standing["enabled"] else "off"
    fired = {0: "never", 1: "once"}.get(standing["fired"], f"{standing['fired']} times")
    last = clock(standing["fired_wall"]) if standing["fired_wall"] is not None else ""
    return standing["rule"], standing["camera"], state, fired, last


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _details(standing: Standing) -> Iterator[str]:
    """Why it does not fire now, and how near it came before."""
    if standing["why_not"]:
        yield from _indented(f"why not now: {standing['why_not']}")
    if standing["last_miss"]:
        misses = {0: "told already", 1: "1 near miss"}.get(
            standing["near_misses"], f"{standing['near_misses']} near misses"
        )
        yield from _indented(f"{misses}, the last at {clock(standing['missed_wall'])}: {standing['last_miss']}")


def _indented(sentence: str) -> list[str]:
    columns = shutil.get_terminal_size((80, 24)).columns
    return textwrap.wrap(sentence, columns, initial_indent="    ", subsequent_indent="      ")


def _still(camera: str, thing: dict[str, Any]) -> str:
    x1, y1, x2, y2 = thing["box"]
    since = clock(thing["since_wall"])
    return f"still on {camera}: a {thing['label']} at {(x1 + x2) / 2:.2f}, {(y1 + y2) / 2:.2f} since {since}"
