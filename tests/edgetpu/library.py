"""The library, compiled when it is needed: `libedgetpu.so.1` of our own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("edgetpu.c")
FLAGS = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-format-truncation"),
    *("-fPIC", "-shared", "-fvisibility=hidden", "-pthread"),
)


class NoCompiler(Exception):
    """There is no gcc, or it does not compile this."""


def build() -> Path:
    """The library's path; compiled once for each version of its source. Raises NoCompiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("needs gcc, to compile an Edge TPU library for tests")
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    # The user is part of the name: nobody else's file may be loaded.
    folder = Path(tempfile.gettempdir()) / f"smartcam-edgetpu-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise NoCompiler(f"{folder} belongs to somebody else: remove it")
    library = folder / f"libedgetpu-{key}.so.1"
    if not library.exists():
        unfinished = library.with_suffix(f".{os.getpid()}")
        done = subprocess.run([compiler, *FLAGS, "-o", unfinished, SOURCE], capture_output=True, text=True)
        if done.returncode:
            raise NoCompiler(f"gcc does not compile {SOURCE.name}: {done.stderr.strip()}")
        unfinished.replace(library)
    return library
