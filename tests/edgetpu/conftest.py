"""An emulated Edge TPU, processes that use it with each of the two interpreters, and the daemon beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pytest

from smartcam.detect.failover import Failover, accelerator_for
from smartcam.detect.model import ModelFile
from tests.brokers import Mosquitto, mosquitto
from tests.clips import clip
from tests.daemons import daemon, hearing
from tests.edgetpu.emulator import Emulator, emulated_edgetpu
from tests.edgetpu.library import NoCompiler, build
from tests.edgetpu.models import compiled
from tests.edgetpu.session import Session, session
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.world import Furniture, Stopwatch, World
from tests.tiny_models import Canned, model_bytes

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
PYTHONS = {"litert": Path(sys.executable), "tflite": ROOT / ".venv-tflite/bin/python"}

Start: TypeAlias = Callable[[], Session]


class Launch(Protocol):
    """Start a daemon, whose [model.tiny] has these keys; `more` follows that section."""

    def __call__(self, *, more: str = "", variables: Mapping[str, str] | None = None, **keys: Any) -> World: ...


class Together(Protocol):
    """Make an accelerator of a model's two versions."""

    def __call__(
        self,
        wanted: str = "edgetpu",
        *,
        runtime: str = "litert",
        open_timeout_s: float = 10,
        path: Path = ...,
        compiled: Path = ...,
    ) -> Failover: ...


@pytest.fixture(params=PYTHONS)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each interpreter in turn, for tests of what they may differ in; the others run with the preferred one."""
    name = str(request.param)
    if not PYTHONS[name].exists():
        pytest.skip(f"there is no {PYTHONS[name]}: scripts/setup --tflite makes it")
    return name


@pytest.fixture
def edgetpu(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulator]:
    runtime = request.getfixturevalue("runtime") if "runtime" in request.fixturenames else "litert"
    try:
        build()
    except NoCompiler as reason:
        pytest.skip(str(reason))
    with emulated_edgetpu(tmp_path / "sys", python=str(PYTHONS[runtime]), runtime=runtime) as emulator:
        yield emulator


@pytest.fixture
def start(request: pytest.FixtureRequest, edgetpu: Emulator, tmp_path: Path) -> Iterator[Start]:
    """``start()`` → another process that may use the emulated Edge TPU."""
    runtime = request.getfixturevalue("runtime") if "runtime" in request.fixturenames else "litert"
    environment = {**os.environ, **edgetpu.environment}
    with ExitStack() as running:
        count = iter(range(100))

        def another() -> Session:
            errors = tmp_path / f"stderr-{next(count)}"
            return running.enter_context(session(environment, errors, python=str(PYTHONS[runtime]), runtime=runtime))

        yield another


@pytest.fixture
def stick(edgetpu: Emulator) -> FakeDevice:
    return edgetpu.sysfs.add_usb()


@pytest.fixture
def here(edgetpu: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """This process, and those that it starts, find the emulated Edge TPU too."""
    for name, value in edgetpu.environment.items():
        monkeypatch.setenv(name, value)
    return edgetpu


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("film") / "film.mp4", frames=50)


@pytest.fixture
def furniture(tmp_path: Path, film: Path) -> Furniture:
    return Furniture(tmp_path, film)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def launch(
    request: pytest.FixtureRequest, tmp_path: Path, broker: Mosquitto, edgetpu: Emulator, furniture: Furniture
) -> Iterator[Launch]:
    """``launch(accelerator="edgetpu")`` → a daemon that sees a person."""
    runtime = request.getfixturevalue("runtime") if "runtime" in request.fixturenames else "litert"
    with ExitStack() as running:

        def begin(*, more: str = "", variables: Mapping[str, str] | None = None, **keys: Any) -> World:
            config = furniture.config(broker.url, more, **{"runtime": runtime, **keys})
            environment = {**edgetpu.environment, **(variables or {})}
            ears = running.enter_context(hearing(broker.mqtt()))
            guard = running.enter_context(daemon(tmp_path, config, environment, python=str(PYTHONS[runtime])))
            # Its orderly end takes two seconds, and is the affair of one test.
            running.callback(guard.process.kill)
            world = World(guard, ears)
            world.until_it_answers()
            return world

        yield begin


@pytest.fixture
def together(here: Emulator, furniture: Furniture) -> Iterator[Together]:
    """``together(compiled=…)`` → a model's two versions as one accelerator, without a daemon."""
    with ExitStack() as stack:

        def make(
            wanted: str = "edgetpu",
            *,
            runtime: str = "litert",
            open_timeout_s: float = 10,
            path: Path = furniture.cpu,
            compiled: Path = furniture.tpu,
        ) -> Failover:
            model = ModelFile("tiny", path, compiled=compiled)
            settings = {"runtime": runtime, "open_timeout_s": open_timeout_s, "threads": 1}
            made = accelerator_for(model, wanted=wanted, **settings, retry_min_s=0.1, retry_max_s=0.3)
            assert isinstance(made, Failover)
            return stack.enter_context(made)

        yield make


@pytest.fixture
def stopwatch(record_property: Callable[[str, object], None]) -> Stopwatch:
    return Stopwatch(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the stopwatches of these tests measured."""
    reports = [each for each in terminalreporter.getreports("passed") if "tests/edgetpu" in each.nodeid]
    measured = [(each.nodeid.rpartition("::")[2], *pair) for each in reports for pair in each.user_properties]
    if measured:
        terminalreporter.section("measured")
    for test, what, value in measured:
        terminalreporter.line(f"{value!s:>8}  {what}  ({test})")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A compiled-style model that gives its picture (1, 8, 8, 3) back, after a constant."""
    path = tmp_path / "tiny_edgetpu.tflite"
    constant = Canned("constant", np.arange(4, dtype=np.float32))
    path.write_bytes(compiled(model_bytes([constant], echo=True, scale=1 / 255)))
    return path


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), np.uint8)


@pytest.fixture
def shared_models() -> Path:
    if not SHARED.is_dir():
        pytest.skip("there is no ../shared with real models")
    return SHARED / "models"
