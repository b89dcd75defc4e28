"""`runtime = "pycoral"`: a stand-in with the signatures that Google publishes, and the unrelated package of that name.

Google's own is on its own index, for Pythons that are too old. The stand-in has what is used of it: `make_interpreter`,
which loads libedgetpu itself, and what tells its package from others.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.edgetpu.conftest import Launch, Together
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.tending import on_the_cpu_because

EDGETPU = """
import os
from ai_edge_litert.interpreter import Interpreter, load_delegate

def load_edgetpu_delegate(options=None):
    return load_delegate(os.environ["SMARTCAM_LIBEDGETPU"], options or {})

def make_interpreter(model_path_or_content, device=None, delegate=None):
    delegates = [delegate or load_edgetpu_delegate({"device": device} if device else {})]
    if isinstance(model_path_or_content, bytes):
        return Interpreter(model_content=model_path_or_content, experimental_delegates=delegates)
    return Interpreter(model_path=model_path_or_content, experimental_delegates=delegates)

def list_edge_tpus():
    raise AssertionError("it opens what it lists")
"""


def install(site: Path, summary: str, files: dict[str, str]) -> str:
    """A package of the name "pycoral"; the PYTHONPATH on which it is found."""
    about = site / "pycoral-2.0.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pycoral\nVersion: 2.0.0\nSummary: {summary}\n")
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    return os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))


@pytest.fixture
def googles(tmp_path: Path) -> str:
    files = {"pycoral/__init__.py": "", "pycoral/utils/__init__.py": "", "pycoral/utils/edgetpu.py": EDGETPU}
    return install(tmp_path / "site", "Coral Python API", files)


def test_googles_pycoral_makes_the_interpreter_for_the_device_that_was_named(
    launch: Launch, edgetpu: Emulator, googles: str
) -> None:
    first, second = edgetpu.sysfs.add_usb(), edgetpu.sysfs.add_usb(first_open=True)
    world = launch(runtime="pycoral", accelerator=f"edgetpu:{first.identity}", variables={"PYTHONPATH": googles})

    world.looks_on("edgetpu:usb:1")

    assert (first.owner, second.owner) == (world.model()["pid"], None)
    assert world.ears.until("front/event")["label"] == "person"
    assert "tiny is ready on edgetpu:usb:1 (pycoral 2.0.0)" in world.running.log()
    first.unplug()
    world.looks_on("cpu")


def test_a_device_that_does_not_open_is_told_as_with_any_runtime(
    stick: FakeDevice, together: Together, googles: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", googles)
    stick.on_open("error")

    on_the_cpu_because(together(runtime="pycoral"), "edgetpu:usb:0 does not open, though the kernel shows it")


def test_the_impostor_is_named_and_never_imported(
    stick: FakeDevice, together: Together, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"pycoral/__init__.py": "raise AssertionError('imported')", "pycoral/cli.py": ""}
    monkeypatch.setenv("PYTHONPATH", install(tmp_path / "site", "Allen Coral Atlas tools", files))

    told = 'the installed package pycoral 2.0.0 ("Allen Coral Atlas tools") is not Google\'s Coral library'
    remedy = "but another of the same name: remove it with `pip uninstall pycoral`"
    on_the_cpu_because(together(runtime="pycoral"), f"runtime = pycoral: {told} {remedy}")


def test_without_any_pycoral_it_says_what_to_do(stick: FakeDevice, together: Together) -> None:
    told = "No module named 'pycoral'): install it, or use runtime = \"auto\", which does without it"
    on_the_cpu_because(together(runtime="pycoral"), told)
