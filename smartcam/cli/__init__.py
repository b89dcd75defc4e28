"""The command line. Commands are a few lines each: they parse, call, and print.

Data goes to stdout; progress and errors to stderr. Exit codes: 0 ok, 1 failure, 2 usage, 69 something
that is needed is not there, 78 bad configuration.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from smartcam import __version__
from smartcam.cli import (
    alarm,
    bench,
    check,
    demo,
    detect,
    devices,
    disk,
    doctor,
    edit,
    events,
    fire,
    models,
    replay,
    rules,
    run,
    sent,
    status,
    watch,
    zones,
)
from smartcam.errors import SmartcamError

app = typer.Typer(
    name="smartcam",
    help="Looks at every frame on the spot, and tells what matters over MQTT.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (run, status, devices, doctor, check, edit, rules, alarm, fire, disk, sent, detect, replay, watch, demo):
    module.add_to(app)
app.add_typer(events.app, name="events")
app.add_typer(zones.app, name="zones")
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"smartcam {__version__}")
        raise typer.Exit


@app.callback()
def smartcam(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Looks at every frame on the spot, and tells what matters over MQTT."""


def main() -> None:
    """The console script: a sentence, or one for each problem, and an exit code instead of a traceback."""
    try:
        app()
    except SmartcamError as error:
        for line in str(error).splitlines():
            print(f"smartcam: {line}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader of our stdout has gone (`| head`): end quietly, also when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
