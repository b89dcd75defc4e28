"""`smartcam bench`: what this machine can do. Figures to compare are ratios within one run."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from smartcam.cli.output import JsonOption, out, print_json, progress_bars

if TYPE_CHECKING:
    from smartcam.detect.download import Progress

app = typer.Typer(help="Measure this machine. Without a name: everything.", invoke_without_command=True)

SecondsOption: TypeAlias = Annotated[float, typer.Option(help="How long each measurement takes.")]

CONFIG = """\
[node]
name = "bench"
[mqtt]
url = "{broker}"
detections = {detections}
[log]
level = "warning"
[model.default]
use = "objectron"
accelerator = "cpu"
threads = 1
[camera.clip]
source = "{clip}"
pace = "{pace}"
motion = {motion}
[rule.everything]
see = "@any"
do = ["snapshot"]
"""


@app.callback()
def bench(context: typer.Context, json: JsonOption = False) -> None:
    """Measure this machine: pipeline, still and memory, one after the other."""
    if context.invoked_subcommand is None:
        pipeline(json=json)
        still(json=json)
        memory(json=json)


@app.command()
def pipeline(seconds: SecondsOption = 6.0, rounds: int = 3, json: JsonOption = False) -> None:
    """Frames a second through everything, as a ratio of bare `invoke()` in the same run.

    A 1280x720 H.264 file as fast as it goes, through decoding, detection with one thread and no motion
    gate, tracking, rules and a local broker. The two are measured in turn; the median ratio counts.
    """
    from smartcam.cli.bench.bare import invokes_per_s
    from smartcam.cli.bench.clips import clip_720p
    from smartcam.cli.bench.subject import daemon

    model, clip = _model(), _clip(clip_720p)
    bare, whole = [], []
    with _broker() as url:
        config = CONFIG.format(broker=url, clip=clip, pace="fast", motion="false", detections=30)
        for _ in range(rounds):
            bare.append(invokes_per_s(model, 1, seconds))
            with daemon(config) as subject:
                before = subject.sample()
                time.sleep(seconds)
                after = subject.sample()
            whole.append((after.looks - before.looks) / (after.at - before.at))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(whole, bare, strict=True))
    _tell(
        json,
        "pipeline",
        {
            "frames_per_s": round(statistics.median(whole), 1),
            "invokes_per_s": round(statistics.median(bare), 1),
            "ratio": round(ratio, 3),
        },
        f"{statistics.median(whole):.0f} frames/s through everything, {statistics.median(bare):.0f} bare invokes/s: "
        f"ratio {ratio:.2f} (0.85 or more is good)",
    )


@app.command()
def still(seconds: SecondsOption = 15.0, json: JsonOption = False) -> None:
    """What a still 1080p scene at 15 frames/s costs, against decoding it fully."""
    from smartcam.cli.bench.bare import decode_cpu_ms
    from smartcam.cli.bench.clips import still_1080p
    from smartcam.cli.bench.subject import daemon

    clip = _clip(still_1080p)
    decoding = [decode_cpu_ms(clip, seconds)]
    with (
        _broker() as url,
        daemon(CONFIG.format(broker=url, clip=clip, pace="real-time", motion="true", detections=0)) as subject,
    ):
        time.sleep(2.0)
        before = subject.sample()
        time.sleep(seconds)
        after = subject.sample()
    frames = after.frames - before.frames
    ours = (after.cpu_s - before.cpu_s) / frames * 1000
    decoding.append(decode_cpu_ms(clip, seconds))
    bare = statistics.mean(decoding)
    looks = after.looks - before.looks
    _tell(
        json,
        "still",
        {
            "cpu_ms_per_frame": round(ours, 2),
            "decode_cpu_ms_per_frame": round(bare, 2),
            "extra_ms_per_frame": round(ours - bare, 2),
            "frames": frames,
            "inferences": looks,
        },
        f"{ours:.2f} ms of CPU a frame, of which decoding alone {bare:.2f}: {ours - bare:.2f} ms more "
        f"(under 1 is good); {looks} inferences in {frames} frames",
    )


@app.command()
def memory(seconds: SecondsOption = 15.0, json: JsonOption = False) -> None:
    """Resident memory of daemon and child together, with one busy 1080p camera."""
    from smartcam.cli.bench.clips import clip_1080p
    from smartcam.cli.bench.subject import daemon

    clip = _clip(clip_1080p)
    with (
        _broker() as url,
        daemon(CONFIG.format(broker=url, clip=clip, pace="real-time", motion="true", detections=0)) as subject,
    ):
        time.sleep(seconds)
        sample = subject.sample()
    _tell(
        json,
        "memory",
        {"resident_mib": sample.resident_mib, "looks": sample.looks},
        f"{sample.resident_mib:.0f} MiB resident after {sample.looks} inferences (260 or less is good)",
    )


def _tell(json: bool, name: str, figures: dict[str, Any], words: str) -> None:
    if json:
        print_json({"bench": name, **figures})
    else:
        out().print(f"[bold]{name}[/]: {words}")


def _model() -> Path:
    from smartcam.detect.catalogue import find
    from smartcam.detect.fetch import cache_folder, fetch

    with progress_bars() as progress:
        return fetch(find("objectron"), cache_folder(), progress=progress).model


def _clip(make: Callable[[Path, Progress], Path]) -> Path:
    from smartcam.detect.fetch import cache_folder

    _model()
    with progress_bars() as progress:
        return make(cache_folder(), progress)


@contextmanager
def _broker() -> Iterator[str]:
    """mosquitto where it is there: an embedded broker would be measured along."""
    from smartcam.cli.broker import embedded_broker, mosquitto

    with mosquitto() if shutil.which("mosquitto") else embedded_broker() as url:
        yield url
