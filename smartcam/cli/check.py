"""`smartcam check`: is this configuration good?"""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import Annotated

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ENV_CONFIG, JsonOption, print_json


def add_to(app: typer.Typer) -> None:
    app.command()(check)


def check(
    file: Annotated[Path, typer.Argument(envvar=ENV_CONFIG, help="The configuration file.")] = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Say whether a configuration is good, or everything that is wrong with it (exit code 78)."""
    from dataclasses import asdict

    from smartcam.config import load, warnings
    from smartcam.config.files import BadConfigFile, Problem
    from smartcam.errors import BadConfig, Unavailable
    from smartcam.pipeline.models import Models, check_labels

    notes: list[str] = []
    try:
        config = load(file)
        try:
            check_labels(config, Models.find(config), file)
        except Unavailable as error:
            notes.append(f"the labels of its rules are not checked: {error}")
    except BadConfig as error:
        if not json:
            raise
        problems = error.problems if isinstance(error, BadConfigFile) else [Problem(str(file), None, "", str(error))]
        for problem in problems:
            print_json({"ok": False, **asdict(problem)})
        raise typer.Exit(error.exit_code) from None
    notes += map(str, warnings(config, str(file)))
    if json:
        print_json({"ok": True, "cameras": list(config.camera), "rules": list(config.rule), "notes": notes})
        return
    typer.echo(f"{file}: good: {_number(config.camera, 'camera')}, {_number(config.rule, 'rule')}")
    for note in notes:
        typer.echo(note, err=True)


def _number(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
