"""`smartcam demo`: the daemon on real footage, and what a subscriber gets of it."""

from __future__ import annotations

import json as jsonlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.output import JsonOption, out, progress_bars
from smartcam.errors import SmartcamError, Unavailable

if TYPE_CHECKING:
    from smartcam.mqtt.assembly import Kept
    from smartcam.mqtt.subscriber import Received, Subscription

EXPECTED = ("person", "bicycle", "car")
"""What a person sees in the footage."""
SILENT_S = 60.0
"""How long nothing may arrive: the slowest start of a small board takes less."""

CONFIG = """\
[node]
name = "demo"

[mqtt]
url = "{broker}"
plaintext = true
connect_timeout = "1s" # the embedded broker speaks MQTT 3.1.1, and leaves MQTT 5 unanswered

[log]
level = "warning"

[camera.street]
source = "{footage}"
repeat = false

[zone.road]
camera = "street"
points = [[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]

# The scores fit this small model: it is never surer of this bicycle than 0.61.
[rule.somebody]
see   = "person"
score = 0.45
level = "alert"
do    = ["snapshot"]
snapshot = {{ boxes = true }}

[rule.cyclist]
see   = "bicycle"
zone  = "road"
score = 0.40
do    = ["snapshot", "clip"]
clip  = {{ before = "1s", after = "1s" }}
snapshot = {{ boxes = true }}

[rule.traffic]
see   = "car"
score = 0.45
do    = ["snapshot"]
snapshot = {{ boxes = true }}
"""


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where snapshots and clips go.")] = Path(
        "demo-snapshots"
    ),
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="A broker that is there, instead of an embedded one.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find people, bicycles and cars in a real street, and receive the events over MQTT."""
    from smartcam.cli.broker import embedded_broker
    from smartcam.cli.footage import fetch_footage
    from smartcam.cli.watch import broker_of
    from smartcam.detect.catalogue import find
    from smartcam.detect.fetch import cache_folder, fetch
    from smartcam.mqtt.assembly import Assembler
    from smartcam.mqtt.subscriber import subscribe

    with progress_bars() as progress:
        fetch(find("objectron"), cache_folder(), progress=progress)
        footage = fetch_footage(cache_folder(), progress)
    show, shelf = _Show(json), Assembler(folder)
    with ExitStack() as stack:
        url = broker or stack.enter_context(embedded_broker())
        show.say(f"broker {url}, footage {footage.name}, model objectron; snapshots and clips go to {folder}/")
        subscription = stack.enter_context(
            subscribe(broker_of(None, url), ["smartcam/demo/#", "smartcam-media/demo/#"])
        )
        daemon = stack.enter_context(_daemon(CONFIG.format(broker=url, footage=footage)))
        for received in _until_offline(subscription, daemon):
            show(received, shelf.take(received.topic, received.payload))
    if missing := [label for label in EXPECTED if label not in show.labels]:
        raise SmartcamError(
            f"no event came of {', '.join(missing)}, which the footage shows: was the machine too busy?"
        )
    clips = [file for file in show.files if file.suffix == ".mp4"]
    if not clips:
        raise SmartcamError("no clip came of the bicycle: see the daemon's words above")
    show.say(
        f"{show.events} events of {', '.join(sorted(show.labels))}; "
        f"look at {len(show.files) - len(clips)} pictures and {len(clips)} clip in {folder}/"
    )


@contextmanager
def _daemon(config: str) -> Iterator[subprocess.Popen[bytes]]:
    """`smartcam run` as a process of its own, gone when the block is left."""
    with tempfile.TemporaryDirectory(prefix="smartcam-demo-") as folder:
        file = Path(folder) / "smartcam.toml"
        file.write_text(config)
        command = [sys.executable, "-m", "smartcam", "run", "-c", str(file)]
        with subprocess.Popen(
            command, env={**os.environ, "RUNTIME_DIRECTORY": folder, "STATE_DIRECTORY": folder}
        ) as process:
            try:
                yield process
            finally:
                process.terminate()


def _until_offline(subscription: Subscription, daemon: subprocess.Popen[bytes]) -> Iterator[Received]:
    """What arrives until the daemon takes leave; the last will of one that did not comes just the same."""
    online = False
    while received := subscription.receive(SILENT_S):
        yield received
        if received.topic == "smartcam/demo/status" and not received.retained:
            if online and received.payload == b"offline":
                yield from subscription.within(1.0)  # Pictures come over a connection of their own.
                return
            online |= received.payload == b"online"
        if not online and daemon.poll() is not None:
            break
    raise Unavailable(f"nothing more came over MQTT; the daemon ended with {daemon.poll()}, see its words above")


class _Show:
    """Prints events and pictures as they come, and remembers what there was."""

    def __init__(self, json: bool) -> None:
        self.labels: set[str] = set()
        self.files: set[Path] = set()
        self.events = 0
        self._json = json
        self._console = out()

    def say(self, text: str) -> None:
        if not self._json:
            self._console.print(text, style="dim", markup=False)

    def __call__(self, received: Received, kept: Kept | None) -> None:
        from smartcam.cli.watch import Lines, show_json

        if received.topic.endswith("/event"):
            event = jsonlib.loads(received.payload)
            self.labels.add(event["label"])
            self.events += event["phase"] == "start"
        elif kept and kept.file and kept.file.name != "latest.jpg":
            self.files.add(kept.file)
        elif not received.topic.endswith("/status"):
            return
        (show_json if self._json else Lines())(received, kept)
