"""`smartcam replay`: the same rules on a recording, and what other rules would make of it."""

from __future__ import annotations

import shutil
import sys
import zoneinfo
from collections.abc import Iterable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ENV_CONFIG, JsonOption, log_as_sentences, out
from smartcam.cli.watch import STYLES

if TYPE_CHECKING:
    from smartcam.config import Config, Site
    from smartcam.data import Event, Message, Scene
    from smartcam.pipeline.compare import Comparison
    from smartcam.pipeline.replay import Replay, Rules
    from smartcam.pipeline.timeline import Line

LINES = {"title": "bold", "dim": "dim", "fired": "green", "silent": "", "added": "green", "removed": "red"}
"""Colours are for those who see them: the words and marks say it all."""


def add_to(app: typer.Typer) -> None:
    app.command()(replay)


def replay(
    clips: Annotated[list[Path], typer.Argument(help="Video files, or folders of pictures.")],
    config: Annotated[
        Path | None,
        typer.Option(
            "-c", "--config", envvar=ENV_CONFIG, metavar="FILE", help="The configuration; else a rule for each label."
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take rules, zones, lines and groups from this file instead.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD [NEW]",
            help="Show what changes from the rules in OLD to those in NEW.toml, or else to the configuration's own.",
        ),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Play it as this camera; by default the first.")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help='Pretend that it begins then, by the local time of the site: "2026-06-21 23:30".'
        ),
    ] = None,
    armed: Annotated[bool | None, typer.Option("--armed/--disarmed", help="Pretend that the alarm is so.")] = None,
    mode: Annotated[str | None, typer.Option(metavar="NAME", help="Pretend that this mode is set.")] = None,
    tracks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write tracks as MOTChallenge rows; looks at every frame.")
    ] = None,
    detections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same before tracking, with id -1.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the snapshots in this folder.")] = None,
    json: JsonOption = False,
) -> None:
    """Play recordings through the same pipeline, every frame: which rule fires when, and why the others do not.

    What was seen in a recording is kept, so that other rules judge it in seconds.

    --json prints what the daemon would publish on its event topic, one a line; with --compare, a line for each change.

    The same files give the same bytes.
    """
    from smartcam.pipeline.replay import EPOCH, Pretence, Replay

    log_as_sentences()
    if compare and (tracks or detections or save):
        raise typer.BadParameter(
            "it compares events: leave --tracks, --detections and --save out", param_hint="--compare"
        )
    clips, new = _parted(clips, compare, rules)
    present = _rules(config, new)
    zone = _zone(present.config.site)
    player = Replay(
        present,
        _camera(present.config, camera),
        Pretence(EPOCH if at is None else _unix(at, zone), armed, mode),
        look_at_all=bool(tracks or detections),
    )
    if compare:
        old = _rules(config, compare)
        _compare(player, clips, old, _heading(old, present, is_own=new is None), json)
        return
    printer = _Printer(save, json, zone, player.pretence.wall_start)
    _run(player, clips, printer, tracks, detections, invented=at is None)
    if save and not printer.saved:
        typer.echo(f"no snapshot is saved in {save}: {_why_none(player)}", err=True)


def _run(
    player: Replay,
    clips: list[Path],
    printer: _Printer,
    tracks: Path | None,
    detections: Path | None,
    *,
    invented: bool,
) -> None:
    from smartcam.pipeline.mot import MotWriter
    from smartcam.pipeline.timeline import marks_for, timeline

    if (tracks or detections) and len(clips) > 1:
        raise typer.BadParameter("frames are numbered within one clip: give one", param_hint="--tracks, --detections")
    with MotWriter(tracks, detections) as writer:

        def see(scene: Scene) -> None:
            printer.at = scene.at
            writer.write(scene)

        stories = player.run(clips, tell=printer.tell, hear=printer.hear, see=see, pictures=printer.save is not None)
        for story in stories:
            if not printer.json:
                marks = marks_for(sys.stdout.encoding)
                lines = timeline(story, columns=_columns(), marks=marks, zone=printer.zone, invented=invented)
                _print(lines, apart=bool(story.firings))


def _why_none(player: Replay) -> str:
    """Why no picture was sent."""
    settings = player.rules.config
    asking = [name for name, rule in settings.rule.items() if "snapshot" in rule.do]
    if here := [name for name in asking if player.camera in settings.cameras_of(settings.rule[name])]:
        return f"of the rules that send one, none fired ({', '.join(here)})"
    where = f" on {player.camera}" if asking else ""
    return f'no rule{where} sends one, as do = ["snapshot"] would'


def _heading(old: Rules, new: Rules, *, is_own: bool) -> list[Line]:
    """Which is which."""
    from smartcam.pipeline.timeline import Line

    return [
        Line(f"old: {_named(old)}", "title"),
        Line(f"new: {'the rules of ' if is_own else ''}{_named(new)}", "title"),
    ]


def _named(rules: Rules) -> str:
    return f"{rules.file}{'' if rules.config.rule else ' (which has no rules)'}"


def _compare(player: Replay, clips: list[Path], old: Rules, heading: list[Line], json: bool) -> None:
    from smartcam.pipeline.compare import as_json, compare, lines, total

    comparisons: list[Comparison] = []
    for before, now in player.compare(clips, old):
        comparison = compare(before, now)
        if not comparisons and not json:
            _print(heading, apart=False)
        comparisons.append(comparison)
        if json:
            for change in comparison.changes:
                print(as_json(change, now), flush=True)
        else:
            _print(lines(comparison, now.clip, _columns()))
    if len(clips) > 1 and not json:
        _print(lines(total(comparisons), f"{len(clips)} clips", _columns(), changes=False))


def _parted(arguments: list[Path], compare: Path | None, rules: Path | None) -> tuple[list[Path], Path | None]:
    """The recordings, and the file with the present rules: with --compare it may stand among them as NEW.toml."""
    named = [path for path in arguments if path.suffix == ".toml"] if compare else []
    if len(named) + bool(rules) > 1:
        raise typer.BadParameter("give one NEW file of rules", param_hint="--compare")
    clips = [path for path in arguments if path not in named]
    if not clips:
        raise typer.BadParameter("give a recording too", param_hint="CLIPS")
    return clips, named[0] if named else rules


def _rules(config: Path | None, rules: Path | None) -> Rules:
    """The configuration, and the file in which its rules stand."""
    from smartcam.config import load
    from smartcam.pipeline.defaults import rule_for_each_label
    from smartcam.pipeline.replay import Rules

    if config or DEFAULT_CONFIG.exists():
        file = config or DEFAULT_CONFIG
        return Rules(load(file, rules), rules or file)
    if rules:
        raise typer.BadParameter("rules speak of cameras: give their configuration too, with -c", param_hint="--rules")
    return Rules(rule_for_each_label(), None)


def _camera(settings: Config, wanted: str | None) -> str:
    if wanted and wanted not in settings.camera:
        raise typer.BadParameter(f"no camera {wanted}; there is {', '.join(settings.camera)}", param_hint="--camera")
    return wanted or next(iter(settings.camera))


def _zone(site: Site) -> tzinfo | None:
    """The site's; None is the machine's."""
    return zoneinfo.ZoneInfo(site.timezone) if site.timezone else None


def _unix(at: str, zone: tzinfo | None) -> float:
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        raise typer.BadParameter(f"{at!r} is no time: write 2026-06-21 23:30", param_hint="--at") from None
    if not 1970 < time.year < 9999:
        raise typer.BadParameter(f"{at!r} is not between the years 1971 and 9998", param_hint="--at")
    return (time if time.tzinfo else time.replace(tzinfo=zone)).timestamp()


def _columns() -> int:
    """The terminal's width, or $COLUMNS, or 80."""
    return shutil.get_terminal_size((80, 24)).columns


def _print(lines: Iterable[Line], *, apart: bool = True) -> None:
    """Lines, with a free one before them where they stand apart from others."""
    from rich.text import Text

    console = out()
    if apart:
        console.print()
    for line in lines:
        console.print(Text(line.text, style=LINES[line.style]))


class _Printer:
    """Prints events as they come, and keeps pictures as a subscriber would."""

    def __init__(self, save: Path | None, json: bool, zone: tzinfo | None, wall_start: float) -> None:
        from smartcam.mqtt.assembly import Assembler

        self.save = save
        self._shelf = Assembler(save) if save else None
        self.json = json
        self.zone = zone
        self.at = 0.0
        """Seconds since the recording's start."""
        self.saved = 0
        """Pictures."""
        self._wall_start = wall_start
        self._started: dict[str, float] = {}
        """When each open event did, by its id."""
        self._console = out()

    def tell(self, message: Message) -> None:
        """What the daemon would publish."""
        kept = self._shelf.take(message.topic, message.payload) if self._shelf else None
        saved = kept.file if kept else None
        self.saved += saved is not None
        if self.json and message.topic.endswith("/event"):
            print(message.payload.decode(), flush=True)
        elif not self.json and saved:
            self._line(f"saved as {saved}", "dim")

    def hear(self, event: Event) -> None:
        """The same for people."""
        if event.phase == "start":
            self._started[event.id] = event.at
        if not self.json:
            self._line(_sentence(event, self._started[event.id]), STYLES.get(event.level, ""))
        if event.phase == "end":
            del self._started[event.id]

    def _line(self, text: str, style: str) -> None:
        from rich.text import Text

        from smartcam.pipeline.timeline import clock

        wall = datetime.fromtimestamp(self._wall_start + self.at, self.zone)
        self._console.print(Text(f"{clock(self.at):>5}  {wall:%H:%M:%S}  {text}", style=style))


def _sentence(event: Event, start_at: float) -> str:
    """``yard-intruder start: 1 person 0.87 in yard (person seen with score 0.87; in zone yard)``

    An end is told when it is sure, which is later: so it says from when to when it was.
    """
    what = f"{event.count} {event.label} {event.score:.2f}" if event.label else ""
    kind = f" ({event.sublabel})" if event.sublabel else ""
    where = f" in {', '.join(event.zones)}" if event.zones else ""
    seen = f": {what}{kind}{where}" if what else ""
    said = f' "{event.message}"' if event.message else ""
    why = f" ({'; '.join(event.reasons)})" if event.phase == "start" and event.reasons else ""
    lasted = f", {_lasted(start_at, event.end - event.start)}" if event.end is not None else ""
    return f"{event.rule} {event.phase}{seen}{lasted}{said}{why}"


def _lasted(start_at: float, lasted_s: float) -> str:
    """``0:01-0:05, 4 s``"""
    from smartcam.pipeline.timeline import clock

    return f"{clock(start_at)}-{clock(start_at + lasted_s)}, {lasted_s:.0f} s"
