"""`smartcam status`: what the running daemon says of itself."""

from __future__ import annotations

import typer

from smartcam.cli.output import JsonOption, out, print_json


def add_to(app: typer.Typer) -> None:
    app.command()(status)


def status(json: JsonOption = False) -> None:
    """Ask the running daemon how it is."""
    from smartcam.service.control import ask, socket_path

    answer = ask(socket_path(), "status")
    if json:
        print_json(answer)
        return
    console = out()
    console.print(f"[bold]{answer['node']}[/] smartcam {answer['version']}, up {answer['uptime_s']:.0f} s")
    for name, camera in answer["cameras"].items():
        state = "[green]online[/]" if camera["online"] else f"[red]offline[/]: {camera['reason']}"
        console.print(f"  camera {name}: {state}, {camera['fps']:.1f} frames/s, {camera['dropped']} dropped")
    for name, model in answer["models"].items():
        reason = f": {model['reason']}" if model["reason"] else ""
        speed = f", {model['invoke_ms']:.1f} ms" if model["invoke_ms"] is not None else ""
        console.print(f"  model {name}: {model['state']}{reason} on {model['device']}{speed}")
    link = answer["mqtt"]
    console.print(
        f"  mqtt: {'connected' if link['connected'] else 'not connected: ' + link['reason']}, "
        f"outbox {answer['outbox']['depth']}"
    )
    for reason in answer["degraded"]:
        console.print(f"  [yellow]degraded[/]: {reason}")
