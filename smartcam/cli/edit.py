"""`smartcam edit`: a copy in one's editor, checked together with everything else, and put in place whole."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from smartcam.cli.daemon import clock, wait_until_in_force
from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption
from smartcam.errors import BadConfig, SmartcamError, Unavailable

if TYPE_CHECKING:
    from smartcam.cli.desk import Desk

EDITORS = ("nano", "vi")
PATIENCE_S = 6.0
"""The daemon looks for changes every second, and waits until they have rested for two."""

RULES = """\
# Rules: what matters. Take the # away from the lines of your rule. `smartcam check` says what was understood.

# [rule.gate-dog]            # a name of your own: a-z, 0-9, - and _
# see   = "dog"              # a label, or several: ["dog", "cat"]
# zone  = "gate"             # drawn by `smartcam edit zones`; without it, anywhere
# for   = "10s"              # only after it has stayed so long
# when  = "night"            # or "18:00-07:00", or ["mon-fri 18:00-07:00", "sat-sun"]; without it, always
# score = 0.5                # how sure the model must be, from 0 to 1
# level = "alert"            # info, event or alert
# do    = ["snapshot"]       # send a picture
"""
ZONES = """\
# Zones and lines on the cameras' pictures. `smartcam zones draw CAMERA` makes a picture with a grid to read them from.
# A point is [x, y], from 0 to 1: [0, 0] is the top left corner, [1, 1] the bottom right one.

# [zone.gate]                # a name of your own: a-z, 0-9, - and _
# camera = "front"
# points = [[0.30, 0.40], [0.70, 0.40], [0.75, 0.90], [0.25, 0.90]]

# [line.fence]               # its inner side is at the right hand of who walks from the first point to the last
# camera = "front"
# points = [[0.10, 0.50], [0.90, 0.55]]
"""
TEMPLATES = {"rules": RULES, "zones": ZONES}

BAD = {
    "e": "open the copy in the editor again",
    "d": "throw the copy away; the file is as it was",
    "k": "keep the copy beside the file, hidden, until you edit it again; the file is as it was",
}
OUTDATED = {
    "o": "put your copy in the place of what somebody else wrote",
    "k": "keep the copy beside the file, hidden, until you edit it again; the file is as they left it",
}
REJECTED = {
    "y": "go on with that copy",
    "d": "throw that copy away, and begin with the file",
    "n": "begin with the file; that copy stays, until another one takes its place",
}
"""Answers, and what they do. The first is that of Enter, the last that of nobody."""


class Part(StrEnum):
    """What may be edited."""

    main = "main"
    rules = "rules"
    zones = "zones"


def add_to(app: typer.Typer) -> None:
    app.command()(edit)


def edit(
    part: Annotated[Part, typer.Argument(help="The main file, or one of rules.d/ or zones.d/ beside it.")] = Part.main,
    name: Annotated[str | None, typer.Argument(help="Which file of that folder, if there are several.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Edit the configuration: a copy in $EDITOR, which takes effect only if it is good.

    A copy that is not good yet can be kept; the next `edit` goes on with it.
    """
    from smartcam.cli.desk import Desk

    file, editor = _file(config, part, name), _editor()
    desk = Desk.laid(config, file, TEMPLATES.get(part, ""), resume=_goes_on_with_rejected(file))
    if not _edited(desk, editor):
        desk.discarded()
        typer.echo(f"{file}: unchanged")
        return
    if (
        desk.is_outdated
        and _choice("somebody else changed it meanwhile: [o]verwrite that, [k]eep the copy", OUTDATED) == "k"
    ):
        raise SmartcamError(f"{file} was changed meanwhile by somebody else, and stays; your copy is {desk.kept()}")
    sources = desk.installed()
    typer.echo(f"{file}: good, and in its place")
    if told := wait_until_in_force(config, sources, PATIENCE_S):
        typer.echo(told)


def _goes_on_with_rejected(file: Path) -> bool:
    """Whether a person wants the copy back that was not good the last time."""
    from smartcam.cli.desk import rejected

    copy = rejected(file)
    if not copy.exists():
        return False
    changed_since = file.exists() and file.stat().st_mtime > copy.stat().st_mtime
    since = f" ({file.name} was changed since)" if changed_since else ""
    there = f"there is a rejected copy of {clock(copy.stat().st_mtime)}{since}"
    answer = _choice(f"{there}: go on with it? [Y]es, [n]o, [d]iscard it", REJECTED)
    if answer == "d":
        copy.unlink()
    return answer == "y"


def _edited(desk: Desk, editor: list[str]) -> bool:
    """Until the copy is good; false where there is nothing to be put in place.

    Raises:
        BadConfig: it is not good, and is kept.
        Unavailable, SmartcamError: the editor does not start, or failed.
    """
    while True:
        _open(editor, desk)
        if desk.is_unchanged:
            return False
        if not (wrong := desk.problems()):
            return True
        print("\n".join(wrong), file=sys.stderr)
        match _choice("[E]dit again, [d]iscard, [k]eep the copy", BAD):
            case "d":
                return False
            case "k":
                raise BadConfig(f"{desk.file} is as it was; your copy, which is not good yet, is {desk.kept()}")


def _choice(question: str, answers: Mapping[str, str]) -> str:
    """One of the letters, the first for nothing but Enter; the last where nobody can be asked, or he goes away."""
    first, *_, last = answers
    if not sys.stdin.isatty():
        return last
    while True:
        try:
            answer = input(f"{question}: ").strip().lower()[:1] or first
        except (EOFError, KeyboardInterrupt):
            return last
        if answer in answers:
            return answer
        print("\n".join(f"  {letter}: {does}" for letter, does in answers.items()), file=sys.stderr)


def _open(editor: list[str], desk: Desk) -> None:
    try:
        code = subprocess.run([*editor, str(desk.copy)], check=False).returncode
    except OSError as error:
        raise Unavailable(f"{editor[0]} cannot be started ({error.strerror}): set $EDITOR{_left(desk)}") from error
    if code:
        raise SmartcamError(f"{editor[0]} ended with {code}: nothing is changed{_left(desk)}")


def _left(desk: Desk) -> str:
    """What a sentence says of the copy; one that nobody has changed goes."""
    if not desk.is_unchanged:
        return f"; your copy is {desk.kept()}"
    desk.cleared()
    return ""


def _editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, EDITORS), "")
    try:
        command = shlex.split(chosen)
    except ValueError:
        raise Unavailable(f"$EDITOR is no command: {chosen}; close its quotes") from None
    if not command:
        raise Unavailable("there is no editor here: install nano, or set $EDITOR")
    return command


def _file(config: Path, part: Part, name: str | None) -> Path:
    """Which file is meant."""
    if part is Part.main:
        if name:
            _refuse(f"there is one main file only; {name} would be of `smartcam edit rules` or `zones`")
        return config
    folder = config.parent / f"{part}.d"
    if name:
        if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", name):
            _refuse(f"{name!r} is no name of a file in {folder}: use letters, digits, - and _")
        return folder / (name if name.endswith(".toml") else f"{name}.toml")
    there = sorted(file.name for file in folder.glob("[!.]*.toml"))
    if len(there) > 1:
        _refuse(
            f"there are several in {folder}: say which of {', '.join(file.removesuffix('.toml') for file in there)}"
        )
    return folder / (there[0] if there else f"{part}.toml")


def _refuse(why: str) -> NoReturn:
    raise typer.BadParameter(why, param_hint="NAME")
