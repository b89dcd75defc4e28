"""The whole product with an emulated Edge TPU, on a computer that has none.

In one shell, in the repository, with gcc installed::

    python -m tests.edgetpu --latency-ms 10

It plugs an emulated USB stick into a folder that looks like /sys, starts the process that computes in its place, and
prints some lines to paste into another shell. There ``smartcam devices`` lists the stick, and everything else
(``smartcam run``, ``doctor``, ``detect`` …) opens it as it would the real one. Or in one shell::

    python -m tests.edgetpu -- smartcam run -c smartcam.toml

A model for it is made of one for the CPU, and gives the very same outputs::

    python -m tests.edgetpu --compile model.tflite model_edgetpu.tflite

Models that Google's compiler made work too, once it is told their CPU versions: ``--pair COMPILED CPU``.
While it runs, the files in the folder that it names do to the device what the field does: ``rm -r`` of the device's
folder unplugs it, ``echo 'abort 3' > DEVICE/emulated/invoke`` breaks the third inference; edgetpu.c lists them all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.edgetpu.emulator import Emulator, emulated_edgetpu
from tests.edgetpu.library import NoCompiler
from tests.edgetpu.models import compiled


def main() -> int:
    asked = _parser().parse_args()
    if asked.compile:
        source, target = asked.compile
        target.write_bytes(compiled(source.read_bytes()))
        return 0
    with tempfile.TemporaryDirectory(prefix="edgetpu-") as scratch:
        folder = (asked.folder or Path(scratch) / "sys").absolute()
        try:
            with emulated_edgetpu(folder) as emulator:
                _plug_in(emulator, asked)
                return _run(emulator, asked.command)
        except NoCompiler as reason:
            sys.exit(str(reason))


def _parser() -> argparse.ArgumentParser:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.edgetpu", description=__doc__, formatter_class=text)
    parser.add_argument("--usb", type=int, metavar="N", help="how many sticks (1, unless there are cards)")
    parser.add_argument("--pci", type=int, metavar="N", default=0, help="how many cards (0)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long an inference takes at least")
    parser.add_argument("--canned", action="store_true", help="answer zeros, which costs no processor time")
    parser.add_argument("--pair", nargs=2, type=Path, action="append", default=[], metavar=("COMPILED", "CPU"))
    parser.add_argument("--compile", nargs=2, type=Path, metavar=("CPU", "COMPILED"), help="make a model, and end")
    parser.add_argument("--folder", type=Path, help="where the tree goes; it stays there")
    parser.add_argument("command", nargs="*", help="run this with it, and end when it ends")
    return parser


def _plug_in(emulator: Emulator, asked: argparse.Namespace) -> None:
    usb = asked.usb if asked.usb is not None else int(not asked.pci)
    sysfs = emulator.sysfs
    for device in [*(sysfs.add_apex() for _ in range(asked.pci)), *(sysfs.add_usb() for _ in range(usb))]:
        device.takes(asked.latency_ms)
        if asked.canned:
            device.answers()
        sys.stderr.write(f"# {device.folder}\n")
    for pair in asked.pair:
        emulator.pair(*pair)


def _run(emulator: Emulator, command: list[str]) -> int:
    if command:
        return _run_command(command, {**os.environ, **emulator.environment})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name, value in emulator.environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        signal.pause()
    return 0


def _run_command(command: list[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as process:
        # Ctrl-C reaches it anyway; it decides when it ends.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
