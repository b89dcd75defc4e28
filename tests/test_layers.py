"""The plan of the house: imports go to a lower layer only, stages do not know each other, heavy libraries come late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "smartcam"
LAYERS = (
    {"data", "errors"},
    {"clocks", "geometry", "config", "sun", "workers", "durable", "owed"},
    {"camera", "detect", "track", "rules", "evidence", "mqtt", "store", "service"},
    {"pipeline"},
    {"cli"},
    {"__main__"},
)
HEAVY = {"cv2", "av", "ai_edge_litert", "tflite_runtime", "paho", "amqtt", "ephem"}
MODULES = sorted(PACKAGE.rglob("*.py"))


class Import(NamedTuple):
    line: int
    module: str
    at_the_top: bool
    """Whether it happens when the module is imported, rather than when a function is called."""


def layer_of(part: str) -> int:
    return next((number for number, parts in enumerate(LAYERS) if part in parts), -1)


def part_of(module: Path) -> str:
    """`smartcam/camera/source.py` → `camera`."""
    return module.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(text: str, package: str = "smartcam") -> list[Import]:
    """Every import in a module of `package`, wherever it stands."""

    def walk(node: ast.AST, at_the_top: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                for name in node.names:
                    yield Import(node.lineno, name.name, at_the_top)
            case ast.ImportFrom():
                above = package.split(".")[: -node.level + 1 or None] if node.level else []
                origin = ".".join([*above, *([node.module] if node.module else [])])
                for name in node.names:
                    yield Import(node.lineno, f"{origin}.{name.name}", at_the_top)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                at_the_top = False
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                at_the_top = False
        for child in ast.iter_child_nodes(node):
            yield from walk(child, at_the_top)

    return list(walk(ast.parse(text), True))


def of_module(module: Path) -> list[Import]:
    package = ".".join(["smartcam", *module.relative_to(PACKAGE).parts[:-1]])
    return imports_of(module.read_text(), package)


def wrongly_directed(module: Path) -> Iterator[str]:
    own = part_of(module)
    for line, imported, _ in of_module(module):
        root, *rest = imported.split(".")
        if root != "smartcam" or not rest or rest[0] in (own, "__version__"):
            continue
        if layer_of(rest[0]) >= layer_of(own):
            yield f"{module}:{line}: {own} (layer {layer_of(own)}) imports {rest[0]} (layer {layer_of(rest[0])})"


def test_every_module_has_its_layer() -> None:
    assert {part_of(module) for module in MODULES} - {"__init__"} <= set().union(*LAYERS)


def test_imports_go_to_a_lower_layer_only() -> None:
    """Also those inside functions and those for the type checker: knowing is knowing."""
    assert [complaint for module in MODULES for complaint in wrongly_directed(module)] == []


def test_heavy_libraries_are_imported_where_they_are_opened() -> None:
    eager = [
        f"{module}:{line}: {imported}"
        for module in MODULES
        for line, imported, at_the_top in of_module(module)
        if at_the_top and imported.split(".")[0] in HEAVY
    ]
    assert eager == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import smartcam.mqtt", "smartcam.mqtt"),
        ("from smartcam import mqtt", "smartcam.mqtt"),
        ("from smartcam.mqtt.client import Client", "smartcam.mqtt.client.Client"),
        ("from ..mqtt import topics", "smartcam.mqtt.topics"),
        ("from . import source", "smartcam.camera.source"),
        ("from .source import open", "smartcam.camera.source.open"),
        ("if True:\n    import av", "av"),
        ("class A:\n    import av", "av"),
    ],
)
def test_the_test_sees_every_form_of_import(text: str, found: str) -> None:
    ((_, module, at_the_top),) = imports_of(text, "smartcam.camera")
    assert (module, at_the_top) == (found, True)


@pytest.mark.parametrize("text", ["def f():\n    import av", "if TYPE_CHECKING:\n    import av"])
def test_the_test_tells_late_imports_from_early_ones(text: str) -> None:
    assert not imports_of(text)[0].at_the_top


def run(script: str) -> str:
    """What the script says on stderr."""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def test_everything_imports_on_a_machine_without_the_heavy_libraries() -> None:
    run(
        "import importlib, pkgutil, sys\n"
        f"sys.modules.update(dict.fromkeys({HEAVY}))\n"  # an import of a None fails
        "import smartcam\n"
        "for module in pkgutil.walk_packages(smartcam.__path__, 'smartcam.'):\n"
        "    if module.name != 'smartcam.__main__':\n"
        "        importlib.import_module(module.name)\n"
    )


def test_help_answers_without_loading_what_it_does_not_need() -> None:
    loaded = run(
        "import sys\n"
        "from smartcam.cli import main\n"
        "sys.argv = ['smartcam', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print(*sorted({HEAVY | {'numpy'}} & set(sys.modules)), file=sys.stderr)\n"
    )
    assert loaded.split() == []
