"""`smartcam bench handover` and `failover`: what the child process costs, and how soon a lost Edge TPU is replaced."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.bench.measuring import broker, tell
from smartcam.cli.output import JsonOption, err
from smartcam.errors import Unavailable

if TYPE_CHECKING:
    from smartcam.cli.bench.subject import Subject

INVOKE_MS = 2
ROUNDS = 300
PATIENCE_S = 300.0
"""How long a person may take to unplug a stick."""
FAILOVER = """\
[node]
name = "bench"
[mqtt]
url = "{broker}"
[log]
level = "error"
[model.default]
file = "{model}"
compiled = "{compiled}"
[camera.clip]
source = "{clip}"
motion = false
"""


def handover(json: JsonOption = False) -> None:
    """What handing a picture of 300x300x3 to the child process and its outputs back adds to an inference."""
    import numpy as np

    from smartcam.detect.accelerator import Accelerator
    from smartcam.detect.catalogue import find
    from smartcam.detect.fetch import cache_folder, fetch
    from smartcam.detect.model import ModelFile
    from smartcam.detect.standin import PICTURE, PREFIX, open_standin

    device = f"{PREFIX}{INVOKE_MS}"
    here = open_standin(device).interpreter
    model = ModelFile("stand-in", fetch(find("objectron"), cache_folder()).model)
    picture = np.zeros(PICTURE.shape, np.uint8)

    def in_this_process() -> None:
        here.set_tensor(0, picture)
        here.invoke()
        [here.get_tensor(n).copy() for n in range(4)]

    with Accelerator(model, device=device) as accelerator:
        accelerator.wait_ready(30)

        def in_the_child() -> None:
            accelerator.submit(lambda place: np.copyto(place, picture))
            accelerator.collect()

        bare, whole = _median_ms(in_this_process), _median_ms(in_the_child)
    figures = {"in_process_ms": round(bare, 3), "in_child_ms": round(whole, 3), "added_ms": round(whole - bare, 3)}
    tell(json, "handover", figures, f"{whole - bare:.2f} ms are added to an inference (0.3 or less is good)")


def _median_ms(act: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def failover(
    model: Annotated[Path, typer.Argument(help="A detector for the CPU.")],
    compiled: Annotated[Path, typer.Argument(help="The same, compiled for the Edge TPU.")],
    json: JsonOption = False,
) -> None:
    """Time how soon the CPU steps in for an Edge TPU, and how soon it is taken back: unplug it when asked to."""
    from smartcam.cli.bench.clips import clip_360p
    from smartcam.cli.bench.subject import daemon
    from smartcam.detect.devices import find_edge_tpus
    from smartcam.detect.fetch import cache_folder

    if not find_edge_tpus():
        raise Unavailable("there is no Edge TPU here: plug one in, or see docs/coral.md for an emulated one")
    clip = clip_360p(cache_folder(), lambda *_: None)
    config = FAILOVER.format(broker="{broker}", model=model.absolute(), compiled=compiled.absolute(), clip=clip)
    with broker() as url, daemon(config.replace("{broker}", url)) as subject:
        _wait(lambda: _looks_on(subject, "edgetpu"), "does not look on the Edge TPU")
        err().print("unplug the Edge TPU now")
        _wait(lambda: not find_edge_tpus(), "was not unplugged")
        lost_at = time.monotonic()
        _wait(lambda: _looks_on(subject, "cpu"), "does not look on the CPU")
        lost_s = time.monotonic() - lost_at
        err().print("plug it in again")
        _wait(lambda: bool(find_edge_tpus()), "was not plugged in")
        back_at = time.monotonic()
        _wait(lambda: _looks_on(subject, "edgetpu"), "does not look on the Edge TPU again")
        back_s = time.monotonic() - back_at
    tell(
        json,
        "failover",
        {"on_cpu_after_s": round(lost_s, 2), "back_on_tpu_after_s": round(back_s, 2)},
        f"looking on the CPU {lost_s:.1f} s after it was gone (10 or less is good), on the Edge TPU again "
        f"{back_s:.1f} s after it was back (30 or less)",
    )


def _looks_on(subject: Subject, device: str) -> bool:
    """Whether it has just looked at a frame there."""
    [before] = subject.health()["models"].values()
    time.sleep(0.1)
    [after] = subject.health()["models"].values()
    return str(after["device"]).startswith(device) and after["state"] == "ready" and after["looks"] > before["looks"]


def _wait(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise Unavailable(f"it {otherwise} within {PATIENCE_S:g} s")
        time.sleep(0.02)
