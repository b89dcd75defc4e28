"""`smartcam bench models`: how fast models are on the accelerators of this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.output import JsonOption, err, out, print_json

if TYPE_CHECKING:
    from smartcam.detect.model import ModelFile

WARM_UP = 3
OPENS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Speed:
    """One model on one accelerator; milliseconds of `invoke()`, as its process measures them."""

    model: str
    accelerator: str
    runtime: str
    first_ms: float
    """With the loading of its parameters onto an Edge TPU, and without the opening."""
    p50_ms: float
    p99_ms: float
    per_s: float
    """Pictures a second, handed over one after the other."""
    before_c: float | None
    after_c: float | None


def models(
    given: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names of the catalogue, or .tflite files.")],
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 5.0,
    threads: Annotated[int, typer.Option(help="Of the CPU; 0 leaves one core free.")] = 0,
    json: JsonOption = False,
) -> None:
    """Measure each model on the CPU, and on every Edge TPU that is here where it is compiled for one.

    Stop the daemon first: an Edge TPU serves one process only.
    """
    from rich.progress import Progress

    files = [_file(each) for each in given]
    jobs = [(file, device) for file in files for device in _devices(file)]
    speeds = []
    console = err()
    with Progress(console=console, transient=True, disable=json or not console.is_terminal) as progress:
        for file, device in progress.track(jobs, description="measuring"):
            speeds.append(speed := measure(file, device, seconds, threads))
            if json:
                print_json(asdict(speed))
    if not json:
        _print_table(speeds)


def measure(file: ModelFile, device: str, seconds: float, threads: int) -> Speed:
    """Run a model for some seconds on pictures of noise.

    Raises Unavailable or BadConfig where it cannot be run there.
    """
    import numpy as np

    from smartcam.detect.accelerator import Accelerator

    with Accelerator(file, device=device, threads=threads) as accelerator:
        accelerator.wait_ready(OPENS_WITHIN_S)
        before_c, noise = accelerator.state.temperature_c, np.random.default_rng(0)

        def fill(picture: np.ndarray) -> None:
            picture[...] = noise.integers(0, 127, picture.shape).astype(picture.dtype)

        times: list[float] = []
        began = time.perf_counter()
        while not times or time.perf_counter() - began < seconds:
            accelerator.submit(fill if len(times) < WARM_UP else lambda _: None)
            accelerator.collect()
            accelerator.ready()
            times.append(accelerator.last_ms)
        elapsed_s = time.perf_counter() - began
        state = accelerator.state
        ordered = sorted(times[WARM_UP:] or times)
        return Speed(
            model=file.on(device)[0].name if file.name == file.path.stem else file.name,
            accelerator=state.device,
            runtime=state.runtime,
            first_ms=round(times[0], 2),
            p50_ms=round(statistics.median(ordered), 2),
            p99_ms=round(ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))], 2),
            per_s=round(len(times) / elapsed_s, 1),
            before_c=before_c,
            after_c=state.temperature_c,
        )


def _file(given: str) -> ModelFile:
    from smartcam.config import Model
    from smartcam.detect.fetch import cache_folder
    from smartcam.pipeline.models import model_file

    section = Model(file=given) if given.endswith(".tflite") else Model(use=given)
    return model_file(Path(given).stem, section, cache_folder())


def _devices(file: ModelFile) -> Iterator[str]:
    """Where this model can run here."""
    from smartcam.detect.devices import find_edge_tpus
    from smartcam.detect.interpreter import is_compiled

    compiled_only = is_compiled(file.path)
    if not compiled_only:
        yield "cpu"
    if compiled_only or file.compiled:
        tpus = [f"edgetpu:{tpu.identity}" for tpu in find_edge_tpus() if tpu.name]  # a name may change
        yield from tpus or (["edgetpu"] if compiled_only else [])


def _print_table(speeds: list[Speed]) -> None:
    from rich.table import Table

    from smartcam.cli.bench.published import published_for

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    table.add_column("on", no_wrap=True)
    for heading in ("first", "p50", "p99", "per s", "°C", "published"):
        table.add_column(heading, justify="right", no_wrap=True)
    for speed in speeds:
        heat = f"{speed.before_c:.0f} → {speed.after_c:.0f}" if speed.before_c and speed.after_c else ""
        told = published_for(speed.model)
        published = f"{told.desktop_cpu:g} / {told.usb:g} / {told.dev_board:g}" if told else ""
        table.add_row(
            speed.model,
            speed.accelerator,
            f"{speed.first_ms:.1f}",
            f"{speed.p50_ms:.2f}",
            f"{speed.p99_ms:.2f}",
            f"{speed.per_s:.0f}",
            heat,
            published,
        )
    out().print(table)
    out().print("milliseconds; published: desktop CPU / with the USB Accelerator / Dev Board", style="dim")
