"""An emulated Edge TPU, whole: the tree, the kernel, the library and the process that runs the twins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.edgetpu.kernel import kernel
from tests.edgetpu.library import build
from tests.edgetpu.models import program_of
from tests.edgetpu.sysfs import FakeSysfs
from tests.edgetpu.twins import file_name, twin_server


@dataclass(frozen=True, slots=True)
class Emulator:
    """What is running. A process with this `environment` finds the devices of this `sysfs`."""

    library: Path
    sysfs: FakeSysfs

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SMARTCAM_LIBEDGETPU": str(self.library),
            "SMARTCAM_SYSFS": str(self.sysfs.root),
            "SMARTCAM_DEV": str(self.sysfs.dev),
            "SMARTCAM_LOCKS": str(self.sysfs.locks),
        }

    def pair(self, compiled: Path, twin: Path) -> None:
        """Say which CPU model is the twin of a really compiled one. Compiled-style models need no such word."""
        self.sysfs.twins.mkdir(exist_ok=True)
        (self.sysfs.twins / file_name(program_of(compiled.read_bytes()))).write_bytes(twin.read_bytes())


@contextmanager
def emulated_edgetpu(folder: Path, *, python: str = sys.executable, runtime: str = "litert") -> Iterator[Emulator]:
    """Without any device yet: `it.sysfs.add_usb()` plugs one in. Raises NoCompiler."""
    library = build()
    sysfs = FakeSysfs(folder)
    with kernel(sysfs), twin_server(sysfs.root, python=python, runtime=runtime):
        yield Emulator(library, sysfs)
