"""Where what is owed is kept: on the disk as long as that can be relied on, else in memory, and said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcam.config import Config
from smartcam.data import Message
from smartcam.errors import Unavailable
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.owed import KINDS
from smartcam.pipeline.owing import Owing
from smartcam.store import DurableOutbox


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return Config.model_validate({"camera": {"front": {"source": "rtsp://127.0.0.1/x"}}})


def test_it_is_kept_on_the_disk(config: Config) -> None:
    with Owing(config) as owing:
        assert isinstance(owing.outbox, DurableOutbox)
        assert (owing.trouble, owing.broken, owing.last_n) == ("", "", 0)


def test_a_state_folder_that_cannot_be_written_leaves_the_events_in_memory(config: Config, tmp_path: Path) -> None:
    (tmp_path / "state/store.lock").mkdir()
    with Owing(config) as owing:
        assert isinstance(owing.outbox, MemoryOutbox)
        assert "events are kept in memory only" in owing.trouble
        owing.outbox.put(Message("t", b"", "event"))
        assert owing.outbox.take(KINDS)
        owing.run(lambda: False)


def test_after_two_failures_of_the_disk_within_an_hour_it_is_done_without(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with Owing(config) as owing:
            assert isinstance(owing.outbox, DurableOutbox)
            owing.outbox._writer._break("does not keep what it is given")
            assert "see to it" in owing.broken
    with Owing(config) as owing:
        assert isinstance(owing.outbox, MemoryOutbox)
        assert "failed 2 times within an hour" in owing.trouble
        assert owing.broken == ""
    monkeypatch.setattr("smartcam.pipeline.owing.WITHIN_S", 0.0)
    with Owing(config) as owing:
        assert isinstance(owing.outbox, DurableOutbox)


def test_a_second_daemon_in_the_same_folder_is_refused(config: Config) -> None:
    """Both would tell things under one name."""
    with Owing(config), pytest.raises(Unavailable, match="another smartcam"), Owing(config):
        pass
