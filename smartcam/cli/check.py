"""`smartcam check`: is this configuration good, and what does it say?"""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.daemon import configuration_of_daemon, goes_on, in_force_or_why_not, is_in_force
from smartcam.cli.output import DEFAULT_CONFIG, ENV_CONFIG, JsonOption, print_json

if TYPE_CHECKING:
    from smartcam.config import Config
    from smartcam.config.sources import Sources


def add_to(app: typer.Typer) -> None:
    app.command()(check)


def check(
    file: Annotated[Path, typer.Argument(envvar=ENV_CONFIG, help="The configuration file.")] = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Say what a configuration means, in plain words, or everything that is wrong with it (exit code 78)."""
    from dataclasses import asdict

    from smartcam.config import warnings
    from smartcam.config.problems import BadConfigFile, Problem
    from smartcam.config.sources import read
    from smartcam.errors import BadConfig
    from smartcam.rules.words import describe

    try:
        sources = read(file)
        config, notes = understood(sources)
    except BadConfig as error:
        if not json:
            if answer := configuration_of_daemon(file):
                typer.echo(goes_on(answer), err=True)
            raise
        problems = error.problems if isinstance(error, BadConfigFile) else [Problem(str(file), None, "", str(error))]
        for problem in problems:
            print_json({"ok": False, **asdict(problem)})
        raise typer.Exit(error.exit_code) from None
    notes += map(str, warnings(config, str(file)))
    rules = {name: describe(name, rule, config) for name, rule in config.rule.items()}
    answer = configuration_of_daemon(file)
    if json:
        in_force = answer and is_in_force(answer, sources)
        print_json({"ok": True, "cameras": list(config.camera), "rules": rules, "notes": notes, "in_force": in_force})
        return
    typer.echo(f"{file}: good: {_number(config.camera, 'camera')}, {_number(config.rule, 'rule')}")
    for sentence in (*rules.values(), *_around(config)):
        typer.echo(_wrapped(_printable(sentence)))
    if answer:
        typer.echo(in_force_or_why_not(answer, sources))
    for note in notes:
        typer.echo(note, err=True)


def understood(sources: Sources) -> tuple[Config, list[str]]:
    """What these files mean, and what of them could not be checked. Raises BadConfig."""
    from smartcam.config.files import understand
    from smartcam.errors import Unavailable
    from smartcam.pipeline import plan

    try:
        return plan.understood(sources)[0], []
    except Unavailable as error:
        return understand(sources), [f"the labels of its rules are not checked: {error}"]


def _around(config: Config) -> Iterator[str]:
    """What the rules depend on."""
    from smartcam.config.plain import camera, limits
    from smartcam.rules.calendar import Calendar
    from smartcam.rules.words import alarm, needs_sun, sun_today

    yield f"cameras: {', '.join(camera(name, section) for name, section in config.camera.items())}"
    yield from alarm(config)
    yield from limits(config)
    if needs_sun(config):
        yield sun_today(Calendar(config.site), time.time())


def _printable(sentence: str) -> str:
    """As this terminal can show it: a serial console may know no arrows."""
    from smartcam.rules.words import DASH

    encoding = sys.stdout.encoding or "ascii"
    try:
        sentence.encode(encoding)
    except UnicodeEncodeError:
        return sentence.replace("→", "->").replace(DASH, "-").encode(encoding, "replace").decode(encoding)
    return sentence


def _wrapped(sentence: str) -> str:
    """For the terminal's width, or $COLUMNS; what is broken goes on further to the right."""
    columns = shutil.get_terminal_size((80, 24)).columns
    lines = textwrap.wrap(sentence, columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _number(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
