"""`smartcam doctor`: is everything there that the daemon needs?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, log_as_sentences, out, print_json

MARKS = {"ok": "[green]ok[/]  ", "warning": "[yellow]warn[/]", "failed": "[red]FAIL[/]"}


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Check interpreter, models, cameras, broker, disk and clock; say what to do where something is wrong.

    Ends with 1 if anything failed.
    """
    from rich.markup import escape

    from smartcam.config import load
    from smartcam.pipeline.doctor import examine

    log_as_sentences()
    failed = False
    console = out()
    for finding in examine(load(config)):
        failed |= finding.state == "failed"
        if json:
            print_json(asdict(finding))
            continue
        console.print(f"{MARKS[finding.state]} {finding.what}: {escape(finding.found)}")
    raise typer.Exit(1 if failed else 0)
