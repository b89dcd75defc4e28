"""The examination behind `smartcam doctor`: each thing that the daemon needs, tried once."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal

from smartcam.camera.session import open_session
from smartcam.config import Config
from smartcam.detect.devices import find_edge_tpus, trouble
from smartcam.detect.interpreter import pycoral_impostor
from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.subscriber import subscribe
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.health import clock_ok, disk_free_mib
from smartcam.pipeline.models import Models
from smartcam.service.control import ask, socket_path
from smartcam.service.folders import state_folder

RUNTIMES = ("ai-edge-litert", "tflite-runtime")
LITTLE_DISK_MIB = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined."""

    what: str
    state: Literal["ok", "warning", "failed"]
    found: str
    """What it is, or one sentence about what is wrong and what to do."""


def examine(config: Config) -> Iterator[Finding]:
    """Try everything, and tell each finding as it is made. Leaves alone what a running daemon holds."""
    yield _interpreter()
    if impostor := pycoral_impostor():
        yield Finding("pycoral", "warning", impostor)
    running = _daemon_runs()
    yield _edge_tpu(running)
    if running:
        yield Finding("daemon", "ok", "running; its cameras and models are left alone, see `smartcam status`")
    else:
        for name in dict.fromkeys(map(config.model_of, config.camera)):
            yield _tried(f"model {name}", partial(_model, config, name))
        for name in config.camera:
            yield _tried(f"camera {name}", partial(_camera, config, name))
    yield _tried("broker", partial(_broker, config))
    yield _disk(config)
    yield _clock()


def _tried(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", attempt())
    except SmartcamError as error:
        return Finding(what, "failed", str(error))


def _interpreter() -> Finding:
    for package in RUNTIMES:
        try:
            return Finding("interpreter", "ok", f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Finding("interpreter", "failed", "there is none: pip install ai-edge-litert")


def _edge_tpu(daemon_runs: bool) -> Finding:
    tpus = find_edge_tpus()
    # One that is in use is in good hands where a daemon runs.
    asked = [tpu for tpu in tpus if not (daemon_runs and tpu.state == "in use")]
    if problems := [problem for tpu in asked if (problem := trouble(tpu))]:
        return Finding("edge tpu", "failed", "; ".join(problems))
    return Finding("edge tpu", "ok", ", ".join(map(str, tpus)) or "none here; models run on the CPU")


def _daemon_runs() -> bool:
    try:
        ask(socket_path(), "status")
    except Unavailable:
        return False
    return True


def _model(config: Config, name: str) -> str:
    models = Models.find(config, [name])
    with ExitStack() as stack:
        detector, cascade = assemble(models, name, stack)
        detector.wait_ready(config.model[name].open_timeout)
        cascade.wait_ready(config.model[name].open_timeout)
        state = detector.state
        found = f"{models.files[name].name} on {state.device}, {state.runtime}"
        return f"{found}; {state.degraded}" if state.degraded else found


def _camera(config: Config, name: str) -> str:
    with open_session(config.camera[name], name, lambda: True) as session:
        for frame in session:
            width, height = frame.picture.size
            return f"{width}x{height} {session.codec}"
    raise Unavailable("it opens, but gives no frame: is there a picture in it?")


def _broker(config: Config) -> str:
    with subscribe(config.mqtt, [f"smartcam/{config.node.name}/status"]):
        return f"{config.mqtt.url} takes us"


def _disk(config: Config) -> Finding:
    folder = state_folder(config.node.data)
    free = disk_free_mib(folder)
    if free is None or free >= LITTLE_DISK_MIB:
        return Finding("disk", "ok", f"{free or 0:,.0f} MiB free for {folder}")
    return Finding("disk", "warning", f"only {free:.0f} MiB free for {folder}: make room")


def _clock() -> Finding:
    if clock_ok():
        return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    return Finding("clock", "failed", f"it says {time.strftime('%Y-%m-%d')}: set it, or let NTP set it")
