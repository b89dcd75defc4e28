"""`smartcam zones`: where on a camera's picture the rules look, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, log_as_sentences, out, print_json
from smartcam.errors import SmartcamError, Unavailable

if TYPE_CHECKING:
    from smartcam.config import Config
    from smartcam.data import Picture
    from smartcam.evidence.snapshot import Mark

app = typer.Typer(help="Zones and lines: draw them on a camera's picture, list them.", no_args_is_help=True)
QUALITY = 90
JPEG = (".jpg", ".jpeg")


@app.command()
def draw(
    camera: Annotated[str, typer.Argument(help="Whose picture.")],
    config: ConfigOption = DEFAULT_CONFIG,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.jpg", help="Where to; by default CAMERA-zones.jpg, here.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="PICTURE", help="Draw on this picture, instead of one of the camera.")
    ] = None,
) -> None:
    """Write a picture of a camera with its zones, its lines, and a grid of coordinates to read points from.

    The picture comes from the running daemon, or else from the camera itself.
    """
    from smartcam.config import load
    from smartcam.evidence.chart import chart
    from smartcam.evidence.snapshot import encode

    log_as_sentences()
    file = file or Path(f"{camera}-zones.jpg")
    if file.suffix.lower() not in JPEG:
        raise typer.BadParameter(f"the picture is a JPEG: {file} must end in .jpg", param_hint="--out")
    settings = load(config)
    _is_there(camera, settings)
    zones = {name: zone for name, zone in settings.zone.items() if zone.camera == camera}
    lines = {name: line for name, line in settings.line.items() if line.camera == camera}
    drawing = chart(_picture(settings, camera, image).rgb(), zones, lines, _still_things(camera))
    try:
        file.write_bytes(encode(drawing, QUALITY))
    except OSError as error:
        raise SmartcamError(f"{file} cannot be written: {error.strerror}; choose another with --out") from error
    height, width = drawing.shape[:2]
    found = [*(f"zone {name}" for name in zones), *(f"line {name}" for name in lines)]
    typer.echo(f"{file}: {width}x{height}, {', '.join(found) or 'no zone or line yet: read the points from its grid'}")


@app.command("list")
def list_zones(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show each zone and line, its camera, and the rules that use it."""
    from rich.table import Table

    from smartcam.config import load

    drawn = list(_drawn(load(config)))
    if json:
        for each in drawn:
            print_json(each)
        return
    if not drawn:
        typer.echo("no zones and no lines: `smartcam zones draw CAMERA` shows a grid to read their points from")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "kind", "camera", "points", "rules that use it"):
        table.add_column(heading, overflow="fold")
    for each in drawn:
        rules = ", ".join(each["rules"]) or "none"
        table.add_row(each["name"], each["kind"], each["camera"], str(len(each["points"])), rules)
    out().print(table)


def _drawn(settings: Config) -> Iterator[dict[str, Any]]:
    """Each zone and line, as programs get it."""
    for kind, section, key in (("zone", settings.zone, "zone"), ("line", settings.line, "crosses")):
        for name, each in section.items():
            users = [rule for rule, asks in settings.rule.items() if getattr(asks, key) == name]
            yield {"name": name, "kind": kind, "camera": each.camera, "points": each.points, "rules": users}


def _is_there(camera: str, settings: Config) -> None:
    from smartcam.config.values import closest

    if camera not in settings.camera:
        known = ", ".join(settings.camera)
        meant = closest(camera, settings.camera)
        raise typer.BadParameter(f"no camera {camera}{meant}; there is {known}", param_hint="CAMERA")


def _picture(settings: Config, camera: str, image: Path | None) -> Picture:
    """The one that was given, else the daemon's last one, else one of our own."""
    from smartcam.camera.recording import read_picture
    from smartcam.camera.session import open_session

    if image:
        return read_picture(image)
    if ours := _of_daemon(camera):
        return ours
    with open_session(settings.camera[camera], camera, lambda: True) as session:
        for frame in session:
            return frame.picture
    raise Unavailable(f"camera {camera} opens, but gives no frame: is there a picture in it?")


def _of_daemon(camera: str) -> Picture | None:
    """None where no daemon runs, or it has no picture of what this camera shows now."""
    import base64

    from smartcam.camera.still import decoded_jpeg

    answer = _asked("picture", camera=camera)
    return decoded_jpeg(base64.b64decode(answer["jpeg"])) if answer else None


def _still_things(camera: str) -> list[Mark]:
    """What the daemon has learned to stand still there."""
    from smartcam.evidence.snapshot import Mark

    answer = _asked("rules") or {"still": {}}
    return [Mark(tuple(each["box"]), f"{each['label']}, still") for each in answer["still"].get(camera, [])]


def _asked(verb: str, **arguments: str) -> dict[str, Any] | None:
    """None where no daemon runs, or it cannot tell."""
    from smartcam.service.control import ask, socket_path

    try:
        return ask(socket_path(), verb, **arguments)
    except SmartcamError:
        return None
