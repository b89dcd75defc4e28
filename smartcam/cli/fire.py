"""`smartcam fire`: is somebody told?"""

from __future__ import annotations

from typing import Annotated

import typer

from smartcam.cli.output import JsonOption, print_json


def add_to(app: typer.Typer) -> None:
    app.command()(fire)


def fire(
    rule: Annotated[str, typer.Argument(help="Whose event.")],
    camera: Annotated[str | None, typer.Option(help="On this camera; by default the rule's first.")] = None,
    json: JsonOption = False,
) -> None:
    """Send a test event of a rule, marked so, the whole way that a real one goes."""
    from smartcam.service.control import ask, socket_path

    answer = ask(socket_path(), "fire", rule=rule, **({"camera": camera} if camera else {}))
    if json:
        print_json(answer)
        return
    typer.echo(f"{rule} on {answer['camera']}: a test event is on its way, {', '.join(answer['events'])}")
