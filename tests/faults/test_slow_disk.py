"""Nobody who looks waits for the disk."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.brokers import Mosquitto
from tests.daemons import Running
from tests.faults.worlds import configuration, fire, listening, looks, until_ended, watching
from tests.store.disks import fsync_shim

SPAN_S = 3.0


def test_a_disk_that_takes_two_seconds_for_an_fsync_slows_no_camera(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    """With events and pictures to be kept all the time. Compared with the same span before; the figure is printed."""
    disk = fsync_shim(tmp_path)
    config = configuration(tmp_path, broker.url)
    with watching(tmp_path, config, disk.environment) as running, listening(broker) as ears:
        quick, _ = looks_while_firing(running)
        disk.takes(2)
        slow, ids = looks_while_firing(running)
        disk.is_well()
        until_ended(ears, ids, within_s=30)
        running.kill()
    with capsys.disabled():
        rates = f"{quick / SPAN_S:.1f} frames a second, {slow / SPAN_S:.1f} with an fsync of 2 s"
        sys.stdout.write(f"\n{rates}: {slow / quick:.0%}\n")
    assert slow > 0.7 * quick


def looks_while_firing(running: Running) -> tuple[int, list[str]]:
    """In a span of time; and the events that fell into it."""
    began, before, ids = time.monotonic(), looks(running), []
    while time.monotonic() - began < SPAN_S:
        ids += fire(running, 1, "portrait")
        time.sleep(0.2)
    return looks(running) - before, ids
