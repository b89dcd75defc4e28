from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcam.mqtt.outbox import MemoryOutbox
from tests.brokers import Mosquitto, mosquitto


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox(8 * 2**20)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running
