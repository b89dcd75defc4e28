"""`smartcam replay`: the same rules on a recording."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ENV_CONFIG, JsonOption, log_as_sentences
from smartcam.cli.watch import Lines, keep

if TYPE_CHECKING:
    from smartcam.config import Config
    from smartcam.data import Message, Scene


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
        Path | None, typer.Option(metavar="FILE", help="Take rules, zones and groups from this file instead.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Play it as this camera; by default the first.")] = None,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="When it begins; in UTC, if it does not say.")
    ] = "2000-01-01 12:00:00",
    tracks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write tracks as MOTChallenge rows; looks at every frame.")
    ] = None,
    detections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same before tracking, with id -1.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the snapshots in this folder.")] = None,
    json: JsonOption = False,
) -> None:
    """Play recordings through the same pipeline, every frame, and print the events.

    With --json, stdout is exactly what the daemon would publish on its event topic, one a line. The same
    files give the same bytes.
    """
    from smartcam.pipeline.mot import MotWriter
    from smartcam.pipeline.replay import Replay

    if (tracks or detections) and len(clips) > 1:
        raise typer.BadParameter("frames are numbered within one clip: give one", param_hint="--tracks, --detections")
    log_as_sentences()
    settings, rules_file = _settings(config, rules)
    player = Replay(
        settings,
        rules_file,
        _camera(settings, camera),
        wall_start=_unix(at),
        look_at_all=bool(tracks or detections),
    )
    printer = _Printer(save, json)
    with MotWriter(tracks, detections) as writer:

        def see(scene: Scene) -> None:
            printer.now = scene.wall
            writer.write(scene)

        player.run(clips, tell=printer, see=see, pictures=save is not None)


def _settings(config: Path | None, rules: Path | None) -> tuple[Config, Path | None]:
    """The configuration, and the file in which its rules stand."""
    from smartcam.config import load
    from smartcam.pipeline.defaults import rule_for_each_label

    if config or DEFAULT_CONFIG.exists():
        file = config or DEFAULT_CONFIG
        return load(file, rules), rules or file
    if rules:
        raise typer.BadParameter("rules speak of cameras: give their configuration too, with -c", param_hint="--rules")
    return rule_for_each_label(), None


def _camera(settings: Config, wanted: str | None) -> str:
    if wanted and wanted not in settings.camera:
        raise typer.BadParameter(f"no camera {wanted}; there is {', '.join(settings.camera)}", param_hint="--camera")
    return wanted or next(iter(settings.camera))


def _unix(at: str) -> float:
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        raise typer.BadParameter(f"{at!r} is no time: write 2026-06-21 23:30", param_hint="--at") from None
    if not 1970 < time.year < 9999:
        raise typer.BadParameter(f"{at!r} is not between the years 1971 and 9998", param_hint="--at")
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


class _Printer:
    """Prints events and keeps pictures, as a subscriber would."""

    def __init__(self, save: Path | None, json: bool) -> None:
        self.now = 0.0
        """Unix seconds, in the recording's time."""
        self._save = save
        self._json = json
        self._lines = Lines(UTC)

    def __call__(self, message: Message) -> None:
        from smartcam.mqtt.subscriber import Received

        received = Received(message.topic, message.payload, retained=False, at=self.now)
        saved = keep(received, self._save) if self._save else None
        if self._json and message.topic.endswith("/event"):
            print(message.payload.decode(), flush=True)
        elif not self._json and (saved or message.topic.endswith("/event")):
            self._lines(received, saved)
