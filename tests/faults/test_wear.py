"""What a running daemon writes to its card: /sys/block tells."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.brokers import Mosquitto
from tests.faults.loop_disk import loop_disk
from tests.faults.worlds import configuration, fire, listening, looks, until_ended, watching

WARM = 600
"""Firings, after which the WAL has reached its size, as it has in all but the first hours of a daemon's life."""
FIRINGS = 10
EACH = 2
"""Messages, of one firing: its start and its end."""
PAUSE_S = 0.3
IDLE_S = float(os.environ.get("SMARTCAM_TEST_IDLE_S", "20"))
"""What is written more seldom shows in minutes only: give it 130."""
DAY_S = 24 * 3600


def test_a_message_and_an_idle_day_wear_the_card_little(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    """S6. At most 32 KiB for a message without media, and 20 MB a day when nothing happens."""
    with (
        loop_disk(tmp_path / "state") as disk,
        listening(broker) as ears,
        watching(tmp_path, configuration(tmp_path, broker.url)) as running,
    ):
        until_ended(ears, fire(running, WARM), within_s=30)
        time.sleep(9)  # Until what the start had to write is written.
        idle_from, looked = disk.written_when_synced(), looks(running)
        time.sleep(IDLE_S)
        idle_bytes = (disk.written_when_synced() - idle_from) / IDLE_S * DAY_S
        assert looks(running) > looked
        before = disk.written_when_synced()
        for _ in range(FIRINGS):
            until_ended(ears, fire(running, 1))
            time.sleep(PAUSE_S)
        time.sleep(3)  # Until what is done is deleted.
        message_bytes = (disk.written_when_synced() - before) / FIRINGS / EACH
        running.kill()
    with capsys.disabled():
        figures = f"{message_bytes / 1024:.1f} KiB a message, {idle_bytes / 1e6:.1f} MB a day without any"
        sys.stdout.write(f"\nwritten to the card: {figures}\n")
    assert message_bytes <= 32 * 1024
    assert idle_bytes <= 20e6
