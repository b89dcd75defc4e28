"""The bare loops that the pipeline is held against, each in a process of its own.

`python -m smartcam.cli.bench.bare invoke MODEL THREADS SECONDS` prints invokes a second;
`… decode CLIP SECONDS` prints CPU milliseconds a frame, `… decodes CLIP SECONDS` frames a second.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def invokes_per_s(model: Path, threads: int, seconds: float) -> float:
    """Nothing but `invoke()`, as fast as it goes."""
    return float(_run("invoke", str(model), str(threads), str(seconds)))


def decodes_per_s(clip: Path, seconds: float) -> float:
    """Nothing but decoding, again and again, as fast as it goes."""
    return float(_run("decodes", str(clip), str(seconds)))


def decode_cpu_ms(clip: Path, seconds: float) -> float:
    """Nothing but decoding every frame when its time has come: CPU time of the process a frame.

    In real time, because a core that sleeps between two frames finds its caches cold, as the daemon does.
    """
    return float(_run("decode", str(clip), str(seconds)))


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "smartcam.cli.bench.bare", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def _invoke(model: str, threads: str, seconds: str) -> float:
    from smartcam.detect.interpreter import open_model

    interpreter = open_model(Path(model), "cpu", "auto", int(threads)).interpreter
    for _ in range(10):
        interpreter.invoke()
    count, began = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - began) < float(seconds):
        interpreter.invoke()
        count += 1
    return count / elapsed_s


def _decode(clip: str, seconds: str) -> float:
    import av

    with av.open(clip) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        interval_s = 1 / float(stream.average_rate or 15)
        began, cpu_began, frames = time.monotonic(), time.process_time(), 0
        for _ in container.decode(stream):
            frames += 1
            if frames * interval_s > float(seconds):
                break
            time.sleep(max(0.0, began + frames * interval_s - time.monotonic()))
        return (time.process_time() - cpu_began) / frames * 1000


def _decodes(clip: str, seconds: str) -> float:
    import av

    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < float(seconds):
        with av.open(clip) as container:
            container.streams.video[0].thread_type = "NONE"
            count += sum(1 for _ in container.decode(video=0))
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    match what:
        case "invoke":
            print(_invoke(*rest))
        case "decode":
            print(_decode(*rest))
        case "decodes":
            print(_decodes(*rest))
