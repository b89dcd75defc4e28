"""A quick store: nothing waits for company before it is written."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quick_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.store.writer.DELETE_S", 0.02)
    monkeypatch.setattr("smartcam.store.writer.TURN_S", 0.02)
