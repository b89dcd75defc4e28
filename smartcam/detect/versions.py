"""Which libedgetpu and which interpreter would be used here, and whether the two are known to go together.

libedgetpu reaches into the interpreter's C structures, which changed: a pair that does not fit segfaults when the model
is opened or first run. Nothing in this process loads the library or imports an interpreter.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Numbers: TypeAlias = tuple[int, ...]
Verdict: TypeAlias = Literal["works", "crashes", "unknown"]

RUNTIMES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}
"""Packages, the preferred one first."""
OFFICIAL_TENSORFLOW = (2, 5)
"""What Google's libedgetpu 16.0 was built with; the rebuilds have it in their version: 16.0tf2.17.1."""
VERSION = re.compile(r"\b16\.0(?:-?tf(\d+(?:\.\d+)*))?(?![\w.])", re.IGNORECASE)
FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
"""Where the dynamic loader looks last."""
QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Library:
    """A file that the dynamic loader would take."""

    path: Path
    version: str | None
    """Of its Debian package, or as far as its path tells."""
    package: str | None

    @property
    def tensorflow(self) -> Numbers | None:
        """The TensorFlow that it was built with."""
        found = VERSION.search(self.version or "")
        if not found:
            return None
        return _numbers(found[1]) if found[1] else OFFICIAL_TENSORFLOW

    def __str__(self) -> str:
        return f"libedgetpu {self.version or 'of unknown version'}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter's package."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two together."""

    library: Library | None
    runtime: Runtime | None
    verdict: Verdict
    source: str
    """Who says so."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is reported of some libraries, by their TensorFlow, with some versions of a runtime; bounds are included."""

    tensorflow: tuple[Numbers, Numbers]
    package: str
    versions: tuple[Numbers, Numbers]
    verdict: Verdict
    source: str

    def covers(self, tensorflow: Numbers, package: str, version: Numbers) -> bool:
        return (
            package == self.package
            and self.tensorflow[0] <= tensorflow <= self.tensorflow[1]
            and self.versions[0] <= version <= self.versions[1]
        )


EVER: tuple[Numbers, Numbers] = ((0,), (99,))
OFFICIAL = (OFFICIAL_TENSORFLOW, OFFICIAL_TENSORFLOW)
NO_LONGER = 'google-coral/edgetpu issue 812, "tflite-runtime (2.12 and newer) no longer supports EdgeTPU"'
RELEASES = "the release notes of feranick/libedgetpu"
KNOWN = (
    Known(OFFICIAL, "tflite-runtime", ((2, 5), (2, 11, 99)), "works", NO_LONGER),
    Known(OFFICIAL, "tflite-runtime", ((2, 12), (99,)), "crashes", NO_LONGER),
    # Reported for 2.1.4 and other 2.x; that 1.x does it too follows from its age: it is younger than 2.12 above.
    Known(OFFICIAL, "ai-edge-litert", EVER, "crashes", "reports by users of ai-edge-litert 2.x"),
    Known(((2, 13, 1), (2, 15, 0)), "tflite-runtime", ((2, 11, 1), (2, 15, 0)), "works", RELEASES),
    Known(((2, 15, 1), (2, 15, 1)), "tflite-runtime", ((2, 11, 1), (2, 15, 1)), "works", RELEASES),
    Known(((2, 16, 1), (2, 16, 1)), "tflite-runtime", ((2, 11, 1), (2, 16, 1)), "works", RELEASES),
    Known(((2, 17, 0), (2, 17, 0)), "tflite-runtime", ((2, 11, 1), (2, 17, 0)), "works", RELEASES),
    Known(((2, 17, 1), (2, 17, 1)), "tflite-runtime", ((2, 11, 1), (2, 17, 1)), "works", RELEASES),
    Known(((2, 17, 1), (2, 19, 1)), "ai-edge-litert", EVER, "works", "its author in google-ai-edge/LiteRT issue 3611"),
)
FITTING = {
    "ai-edge-litert": "libedgetpu 16.0tf2.19.1 (GitHub, feranick/libedgetpu, release 16.0TF2.19.1-1)",
    "tflite-runtime": "libedgetpu 16.0tf2.17.1 (GitHub, feranick/libedgetpu, release 16.0TF2.17.1-1)",
}
"""The newest library that is known to work with each."""


def library_name() -> str:
    """What the interpreter asks the dynamic loader for; $SMARTCAM_LIBEDGETPU names another, also by its path."""
    return os.environ.get("SMARTCAM_LIBEDGETPU") or "libedgetpu.so.1"


def find_library(name: str | None = None) -> Library | None:
    """The library that the dynamic loader would take for `name`, by default `library_name()`; it is not loaded."""
    name = name or library_name()
    candidates = iter([Path(name)]) if "/" in name else _candidates(name)
    own = _machine(Path("/proc/self/exe"))
    path = next((path for path in candidates if path.is_file() and ("/" in name or _machine(path) == own)), None)
    if path is None:
        return None
    package, version = _debian_package(path)
    if version is None and (told := VERSION.search(str(path.resolve()))):
        version = told[0]
    return Library(path, version, package)


def installed_runtime(wanted: str = "auto") -> Runtime | None:
    """The interpreter that "auto", "litert" or "tflite" means here; it is not imported."""
    for name, package in RUNTIMES.items():
        if wanted in ("auto", name):
            try:
                return Runtime(package, importlib.metadata.version(package))
            except importlib.metadata.PackageNotFoundError:
                continue
    return None


def judge(library: Library | None, runtime: Runtime | None) -> Pair:
    """What is known of the two together."""
    if library and runtime and (tensorflow := library.tensorflow):
        version = _numbers(runtime.version)
        for known in KNOWN:
            if known.covers(tensorflow, runtime.package, version):
                return Pair(library, runtime, known.verdict, known.source)
    return Pair(library, runtime, "unknown", "")


def advice(pair: Pair) -> str:
    """One sentence: what to expect of the pair, and what to install where it does not fit."""
    library, runtime = pair.library, pair.runtime
    if runtime is None:
        return "no TFLite interpreter is installed: pip install ai-edge-litert"
    fitting = FITTING[runtime.package]
    if library is None:
        return f"{library_name()} is not installed: for {runtime}, install {fitting}"
    if pair.verdict == "works":
        return f"{library} and {runtime} are known to work together ({pair.source})"
    if pair.verdict == "crashes":
        return f"{library} and {runtime} are known to crash together ({pair.source}): install {fitting} instead"
    return f"nothing is known of {library} with {runtime}: if they crash, install {fitting} instead"


def loading_fails(library: Library, timeout_s: float = QUERY_TIMEOUT_S) -> str | None:
    """Why the dynamic loader refuses the file, if it does: a library that it needs is missing, another architecture.

    A process of its own loads it, as native constructors run with it. No device is opened.
    """
    command = [sys.executable, "-I", "-S", "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(library.path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return f"{library.path} did not load within {timeout_s:g} s"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    return f"{library.path} cannot be loaded: {last.removeprefix('OSError: ')}"


def _candidates(name: str) -> Iterator[Path]:
    """In the dynamic loader's order, ld.so(8): $LD_LIBRARY_PATH, its cache, the default folders."""
    for folder in re.split("[:;]", os.environ.get("LD_LIBRARY_PATH", "")):
        if folder:
            yield Path(folder, name)
    ldconfig = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    for line in _said(ldconfig, "-p").splitlines() if ldconfig else ():
        entry, _, path = line.strip().partition(" => ")
        if entry.split(" ")[0] == name and path:
            yield Path(path)
    for folder in FOLDERS:
        yield Path(folder, name)


def _machine(path: Path) -> bytes | None:
    """Word size, byte order and processor of an ELF file: the loader passes over those that are not its own."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return None
    return header[4:6] + header[18:20] if header.startswith(b"\x7fELF") else None


def _debian_package(path: Path) -> tuple[str | None, str | None]:
    """Name and version of the package that the file came with, where dpkg knows."""
    real = str(path.resolve())
    # On systems whose /lib became a link to /usr/lib, dpkg may know the file by its old path.
    owner, colon, _ = _said("dpkg-query", "-S", real, real.removeprefix("/usr")).partition(": ")
    if not colon:
        return None, None
    return owner.split(":")[0], _said("dpkg-query", "-W", "-f", "${Version}", owner) or None


def _said(*command: str) -> str:
    """What a query prints; nothing where it cannot be asked."""
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=QUERY_TIMEOUT_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _numbers(version: str) -> Numbers:
    """ "2.5.0.post1" → (2, 5, 0)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
