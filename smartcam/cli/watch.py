"""`smartcam watch`: what arrives over MQTT, as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcam.cli.output import DEFAULT_CONFIG, ENV_CONFIG, JsonOption, err, out, print_json
from smartcam.errors import BadConfig, SmartcamError
from smartcam.mqtt.topics import MEDIA, TEXT, media_file

if TYPE_CHECKING:
    from smartcam.config.sections import Mqtt
    from smartcam.mqtt.subscriber import Received, Subscription

WIDEST = 200
"""Characters of a payload that people are shown."""
STYLES = {"alert": "bold red", "event": "bold", "info": ""}


def add_to(app: typer.Typer) -> None:
    app.command("watch")(command)


def command(
    node: Annotated[str, typer.Argument(help="The node to listen to; + is every one.")] = "+",
    config: Annotated[
        Path | None,
        typer.Option(
            "-c", "--config", envvar=ENV_CONFIG, metavar="FILE", help="The configuration whose broker is used."
        ),
    ] = None,
    broker: Annotated[str | None, typer.Option(metavar="URL", help="Another broker, without a password.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep snapshots and clips there.")] = None,
    for_s: Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="End after so long.")] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after so many.")] = None,
    json: JsonOption = False,
) -> None:
    """Print what arrives from the nodes: events, states, health."""
    from smartcam.config.values import NAME

    if node != "+" and not NAME.fullmatch(node):
        raise typer.BadParameter(f"{node!r} is not the name of a node")
    with suppress(KeyboardInterrupt):
        watch(broker_of(config, broker), node=node, save=save, for_s=for_s, count=count, as_json=json)


def broker_of(config: Path | None, url: str | None) -> Mqtt:
    """The broker that is meant: the one that is named, or the configuration's, or else this machine's.

    Raises:
        BadConfig: the URL is none, or the configuration cannot be used.
    """
    from pydantic import ValidationError

    from smartcam.config import load
    from smartcam.config.sections import Mqtt

    if url:
        try:
            return Mqtt(url=url, plaintext=True)  # No password goes there.
        except ValidationError as error:
            raise BadConfig(f"--broker: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    if config or DEFAULT_CONFIG.exists():
        return load(config or DEFAULT_CONFIG).mqtt
    return Mqtt()


def watch(
    mqtt: Mqtt,
    *,
    node: str = "+",
    save: Path | None = None,
    for_s: float | None = None,
    count: int | None = None,
    as_json: bool = False,
) -> None:
    """Print what arrives from `node`, and keep its media below `save`, until the time or the number is over.

    Raises:
        Unavailable: the broker is not there, or refuses.
    """
    from smartcam.mqtt.subscriber import subscribe

    topics = [f"{TEXT}/{node}/#"] + ([f"{MEDIA}/{node}/#"] if save else [])
    show: Callable[[Received, Path | None], None] = show_json if as_json else Lines()
    with subscribe(mqtt, topics) as subscription:
        err().print(f"listening to {' and '.join(topics)}; Ctrl-C ends", style="dim")
        for received in _until(subscription, for_s, count):
            show(received, keep(received, save) if save else None)


def _until(subscription: Subscription, for_s: float | None, count: int | None) -> Iterator[Received]:
    arriving = iter(subscription) if for_s is None else subscription.within(for_s)
    for number, received in enumerate(arriving, start=1):
        yield received
        if number == count:
            return


def keep(received: Received, folder: Path) -> Path | None:
    """Put a snapshot or a clip where it belongs below `folder`, whole or not at all; None if it is neither.

    Raises:
        SmartcamError: it cannot be written.
    """
    relative = media_file(received.topic)
    if relative is None or not received.payload:  # An empty one says that there is none any more.
        return None
    path = folder / relative
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(received.payload)
        part.replace(path)
    except OSError as error:
        raise SmartcamError(f"{path} cannot be written: {error.strerror}") from error
    return path


def show_json(received: Received, saved: Path | None) -> None:
    """One object a line: topic, payload (JSON as it is, text as a string), retained, at (Unix seconds)."""
    line: dict[str, Any] = {
        "topic": received.topic,
        "payload": _meaning(received),
        "retained": received.retained,
        "at": round(received.at, 3),
    }
    print_json(line | ({"file": str(saved)} if saved else {}))


class Lines:
    """A line for people for each message."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        """Times are shown in this zone, by default the machine's."""
        self._zone = zone
        self._console = out()

    def __call__(self, received: Received, saved: Path | None) -> None:
        from rich.text import Text

        payload = _meaning(received)
        kind = received.topic.rsplit("/", 1)[-1]
        at = datetime.fromtimestamp(received.at, self._zone).strftime("%H:%M:%S")
        if saved:
            text = Text(f"{at} {received.topic}: saved as {saved}")
        elif kind == "event" and isinstance(payload, dict):
            text = Text(f"{at} {_event(payload)}", style=STYLES.get(str(payload.get("level")), ""))
        else:
            told = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
            text = Text(f"{at} {_printable(f'{received.topic}: {told}')}", style="dim" if received.retained else "")
        self._console.print(text)


def _event(payload: dict[str, Any]) -> str:
    """``ridge1/front yard-intruder start: person 0.87, in yard (person stayed 3 s)``"""
    zones, reasons = payload.get("zones"), payload.get("reasons")
    where = f" in {', '.join(map(str, zones))}" if isinstance(zones, list) and zones else ""
    why = f" ({'; '.join(map(str, reasons))})" if isinstance(reasons, list) and reasons else ""
    words = "{node}/{camera} {event_type} {phase}: {count} {label} {score}".format_map(_Lenient(payload))
    return _printable(f"{words}{where}{why}")


class _Lenient(dict[str, Any]):
    """What a stranger's message leaves out is shown as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _meaning(received: Received) -> Any:
    """The payload for a reader: what its JSON says, or its text; of bytes only how many they are."""
    if received.topic.startswith(f"{MEDIA}/"):
        return {"bytes": len(received.payload)}
    try:
        text = received.payload.decode()
    except UnicodeDecodeError:
        return {"bytes": len(received.payload)}
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # Half a surrogate pair can be read but never printed.
    except (ValueError, RecursionError):
        return text
    return value


def _printable(text: str) -> str:
    """Strangers' text must not steer the terminal."""
    shown = "".join(char if char.isprintable() else "·" for char in text)
    return shown if len(shown) <= WIDEST else f"{shown[:WIDEST]}…"
