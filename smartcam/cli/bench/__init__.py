"""`smartcam bench`: what this machine can do. Figures to compare are ratios within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from smartcam.cli.bench.accelerators import failover, handover
from smartcam.cli.bench.clip import clip
from smartcam.cli.bench.measuring import broker, tell
from smartcam.cli.bench.models import models
from smartcam.cli.bench.rules import rules
from smartcam.cli.output import JsonOption, progress_bars

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
{model}
threads = 1
[camera.clip]
source = "{clip}"
pace = "{pace}"
motion = {motion}
[rule.everything]
see = "@any"
do = ["snapshot"]
"""
ON_CPU = 'accelerator = "cpu"'
ON_STANDIN = """\
accelerator = "standin:{ms:g}"
layout = "postprocess"
"""


for command in (models, handover, failover, rules, clip):
    app.command()(command)


@app.callback()
def bench(context: typer.Context, json: JsonOption = False) -> None:
    """Measure this machine: all of it that needs no Edge TPU, one after the other."""
    if context.invoked_subcommand is None:
        pipeline(json=json)
        still(json=json)
        memory(json=json)
        pipeline(invoke_ms=10, json=json)
        pipeline(invoke_ms=5, size="360p", json=json)
        handover(json=json)
        rules(json=json)
        clip(json=json)


@app.command()
def pipeline(
    seconds: SecondsOption = 6.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
    invoke_ms: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="With a stand-in accelerator of this latency, of no CPU.")
    ] = None,
    size: Annotated[Literal["720p", "360p"], typer.Option(help="Of the pictures.")] = "720p",
    json: JsonOption = False,
) -> None:
    """Frames a second through everything, against what the model alone could do in the same run.

    An H.264 file as fast as it goes, through decoding, detection with one thread and no motion gate,
    tracking, rules and a local broker. Everything is measured in turn; the median ratio counts.
    """
    from smartcam.cli.bench.clips import clip_360p, clip_720p

    clip = _clip(clip_720p if size == "720p" else clip_360p)
    if invoke_ms is None:
        _against_the_cpu(clip, seconds, rounds, json)
    else:
        _against_a_standin(clip, invoke_ms, seconds, rounds, json)


def _against_the_cpu(clip: Path, seconds: float, rounds: int, json: bool) -> None:
    from smartcam.cli.bench.bare import invokes_per_s

    model = _model()
    bare, whole = [], []
    with broker() as url:
        config = _as_fast_as_it_goes(url, clip, ON_CPU)
        for _ in range(rounds):
            bare.append(invokes_per_s(model, 1, seconds))
            whole.append(_looks_per_s(config, seconds))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(whole, bare, strict=True))
    tell(
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


def _against_a_standin(clip: Path, invoke_ms: float, seconds: float, rounds: int, json: bool) -> None:
    from smartcam.cli.bench.bare import decodes_per_s

    _model()
    decoder, whole = [], []
    with broker() as url:
        config = _as_fast_as_it_goes(url, clip, ON_STANDIN.format(ms=invoke_ms))
        for _ in range(rounds):
            decoder.append(decodes_per_s(clip, seconds))
            whole.append(_looks_per_s(config, seconds))
    rate, limit = statistics.median(whole), 1000 / invoke_ms
    tell(
        json,
        "pipeline",
        {
            "invoke_ms": invoke_ms,
            "frames_per_s": round(rate, 1),
            "used": round(rate / limit, 3),
            "decoder_frames_per_s": round(statistics.median(decoder), 1),
        },
        f"{rate:.0f} frames/s through an accelerator that could do {limit:.0f}: {rate / limit:.0%} of it are used; "
        f"the decoder alone does {statistics.median(decoder):.0f}",
    )


def _as_fast_as_it_goes(url: str, clip: Path, model: str) -> str:
    return CONFIG.format(broker=url, clip=clip, pace="fast", motion="false", detections=30, model=model)


def _like_a_camera(url: str, clip: Path) -> str:
    return CONFIG.format(broker=url, clip=clip, pace="real-time", motion="true", detections=0, model=ON_CPU)


def _looks_per_s(config: str, seconds: float) -> float:
    from smartcam.cli.bench.subject import daemon

    with daemon(config) as subject:
        before = subject.sample()
        time.sleep(seconds)
        after = subject.sample()
    return (after.looks - before.looks) / (after.at - before.at)


@app.command()
def still(seconds: SecondsOption = 15.0, json: JsonOption = False) -> None:
    """What a still 1080p scene at 15 frames/s costs, against decoding it fully."""
    from smartcam.cli.bench.bare import decode_cpu_ms
    from smartcam.cli.bench.clips import still_1080p
    from smartcam.cli.bench.subject import daemon

    clip = _clip(still_1080p)
    decoding = [decode_cpu_ms(clip, seconds)]
    with broker() as url, daemon(_like_a_camera(url, clip)) as subject:
        time.sleep(2.0)
        before = subject.sample()
        time.sleep(seconds)
        after = subject.sample()
    frames = after.frames - before.frames
    ours = (after.cpu_s - before.cpu_s) / frames * 1000
    decoding.append(decode_cpu_ms(clip, seconds))
    bare = statistics.mean(decoding)
    looks = after.looks - before.looks
    tell(
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
    with broker() as url, daemon(_like_a_camera(url, clip)) as subject:
        time.sleep(seconds)
        sample = subject.sample()
    tell(
        json,
        "memory",
        {"resident_mib": sample.resident_mib, "looks": sample.looks},
        f"{sample.resident_mib:.0f} MiB resident after {sample.looks} inferences (260 or less is good)",
    )


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
