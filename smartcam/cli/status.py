"""`smartcam status`: what the running daemon says of itself."""

from __future__ import annotations

import typer

from smartcam.cli.output import JsonOption, out, print_json


def add_to(app: typer.Typer) -> None:
    app.command()(status)


def status(json: JsonOption = False) -> None:
    """Ask the running daemon how it is."""
    from rich.markup import escape

    from smartcam.service.control import ask, socket_path

    answer = ask(socket_path(), "status")
    if json:
        print_json(answer)
        return
    console = out()
    console.print(f"[bold]{answer['node']}[/] smartcam {answer['version']}, up {answer['uptime_s']:.0f} s")
    for name, camera in answer["cameras"].items():
        state = "[green]online[/]" if camera["online"] else f"[red]offline[/]: {escape(str(camera['reason']))}"
        rate = "" if camera["fps"] is None else f", {camera['fps']:.1f} frames/s"
        console.print(f"  camera {name}: {state}{rate}, {camera['dropped']} dropped")
    for name, model in answer["models"].items():
        where = f" on {model['device']}" if model["device"] else ""
        speed = "" if model["invoke_ms"] is None else f", {model['invoke_ms']:.1f} ms"
        reason = f": {escape(model['reason'])}" if model["reason"] else ""
        console.print(f"  model {name}: {model['state']}{where}{speed}{reason}")
    link = answer["mqtt"]
    state = "connected" if link["connected"] else f"not connected: {escape(str(link['reason']))}"
    console.print(f"  mqtt: {state}, outbox {answer['outbox']['depth']}")
    for sentence in answer["degraded"]:
        console.print(f"  [yellow]degraded[/]: {escape(sentence)}")
