"""`smartcam arm`, `disarm` and `mode`: the node's alarm."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from smartcam.cli.output import JsonOption, print_json


def add_to(app: typer.Typer) -> None:
    for command in (arm, disarm, mode):
        app.command()(command)


def arm(json: JsonOption = False) -> None:
    """Arm the alarm, until you disarm it or its schedule does."""
    _show(_asked("arm"), json)


def disarm(json: JsonOption = False) -> None:
    """Disarm the alarm, until you arm it or its schedule does."""
    _show(_asked("disarm"), json)


def mode(
    name: Annotated[str | None, typer.Argument(help="Set this mode; without it, tell which one is set.")] = None,
    json: JsonOption = False,
) -> None:
    """Set the mode of this place, or tell it."""
    _show(_asked("mode", **({"name": name} if name else {})), json)


def alarm_line(answer: dict[str, Any]) -> str:
    """``armed, mode holiday``"""
    return f"{'armed' if answer['armed'] else 'disarmed'}{', mode ' + answer['mode'] if answer['mode'] else ''}"


def _asked(verb: str, **arguments: str) -> dict[str, Any]:
    from smartcam.service.control import ask, socket_path

    return ask(socket_path(), verb, **arguments)


def _show(answer: dict[str, Any], json: bool) -> None:
    if json:
        print_json(answer)
    else:
        typer.echo(alarm_line(answer))
