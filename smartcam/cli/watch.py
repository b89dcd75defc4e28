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
from smartcam.errors import BadConfig
from smartcam.mqtt.topics import MEDIA, TEXT

if TYPE_CHECKING:
    from smartcam.config.sections import Mqtt
    from smartcam.mqtt.assembly import Kept
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
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep snapshots and clips there, checked against C/media.")
    ] = None,
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
    from smartcam.mqtt.assembly import Assembler
    from smartcam.mqtt.subscriber import subscribe

    topics = [f"{TEXT}/{node}/#"] + ([f"{MEDIA}/{node}/#"] if save else [])
    show: Callable[[Received, Kept | None], None] = show_json if as_json else Lines()
    shelf = Assembler(save) if save else None
    with subscribe(mqtt, topics) as subscription:
        err().print(f"listening to {' and '.join(topics)}; Ctrl-C ends", style="dim")
        for received in _until(subscription, for_s, count):
            show(received, shelf.take(received.topic, received.payload) if shelf else None)


def _until(subscription: Subscription, for_s: float | None, count: int | None) -> Iterator[Received]:
    arriving = iter(subscription) if for_s is None else subscription.within(for_s)
    for number, received in enumerate(arriving, start=1):
        yield received
        if number == count:
            return


def show_json(received: Received, kept: Kept | None) -> None:
    """One object a line: topic, payload (JSON as it is, text as a string), retained, at (Unix seconds).

    Of media that are kept: file and verified, or else how many of its parts are missing and the trouble there is.
    """
    line: dict[str, Any] = {
        "topic": received.topic,
        "payload": _meaning(received),
        "retained": received.retained,
        "at": round(received.at, 3),
    }
    if kept and kept.file:
        line |= {"file": str(kept.file), "verified": kept.verified}
    elif kept:
        line |= {"missing": kept.missing} | ({"trouble": kept.trouble} if kept.trouble else {})
    print_json(line)


class Lines:
    """A line for people for each message."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        """Times are shown in this zone, by default the machine's."""
        self._zone = zone
        self._console = out()

    def __call__(self, received: Received, kept: Kept | None) -> None:
        from rich.text import Text

        payload = _meaning(received)
        kind = received.topic.rsplit("/", 1)[-1]
        at = datetime.fromtimestamp(received.at, self._zone).strftime("%H:%M:%S")
        if kept and (told := _told(kept)):
            text = Text(f"{at} {_printable(received.topic)}: {told}", style="bold" if kept.trouble else "")
        elif kind == "event" and isinstance(payload, dict):
            text = Text(f"{at} {_event(payload)}", style=STYLES.get(str(payload.get("level")), ""))
        else:
            told = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
            text = Text(f"{at} {_printable(f'{received.topic}: {told}')}", style="dim" if received.retained else "")
        self._console.print(text)


def _told(kept: Kept) -> str:
    if kept.file:
        return f"saved as {kept.file}{' (verified)' if kept.verified else ''}"
    if kept.trouble:
        return kept.trouble
    return f"parts missing so far: {kept.missing}" if kept.missing else ""


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
