"""The examination, with what it examines really there or really missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcam.config import parse
from smartcam.pipeline.doctor import Finding, examine
from smartcam.service.control import SOCKET, ControlServer
from smartcam.workers import Worker
from tests.brokers import free_port, mosquitto
from tests.commands import GOOD, furnish


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(furnish(tmp_path))
    return tmp_path


def examined(url: str, text: str = GOOD) -> dict[str, Finding]:
    config = parse(f'{text}\n[mqtt]\nurl = "{url}"\nconnect_timeout = "2s"\n')
    return {finding.what: finding for finding in examine(config)}


def nobody() -> str:
    return f"mqtt://127.0.0.1:{free_port()}"


def test_what_is_there_is_told(place: Path) -> None:
    with mosquitto(place) as broker:
        found = examined(broker.url)
    assert {what for what, finding in found.items() if finding.state == "failed"} == set()
    assert found["model tiny"].found.startswith("tiny on cpu, ")
    assert found["camera front"].found == "160x120 h264"
    assert found["broker"].found == f"{broker.url} takes us"
    assert {"interpreter", "edge tpu", "disk", "clock"} <= set(found)


def test_what_is_missing_is_told_and_the_rest_is_examined_all_the_same() -> None:
    text = GOOD.replace("person.tflite", "text.tflite").replace('"clip.mp4"', '"nowhere.mp4"', 1)
    found = examined(nobody(), text)
    assert {what for what, finding in found.items() if finding.state == "failed"} == {
        "model tiny",
        "camera front",
        "broker",
    }
    assert "is not a TFLite model" in found["model tiny"].found
    assert found["camera front"].found.startswith("nowhere.mp4: no such file")
    assert "is the broker running?" in found["broker"].found


def test_a_model_whose_outputs_cannot_be_read_has_failed() -> None:
    found = examined(nobody(), GOOD.replace("person.tflite", "unknown.tflite"))
    assert found["model tiny"].state == "failed"
    assert "known layouts are" in found["model tiny"].found


def test_what_a_running_daemon_holds_is_left_alone(place: Path) -> None:
    """Two processes on one camera or one accelerator would disturb each other."""
    with (
        ControlServer(place / SOCKET, {"status": lambda _: {}}) as control,
        Worker("control", control.run),
    ):
        found = examined(nobody())
    assert found["daemon"].found.startswith("running")
    assert not {"model tiny", "camera front"} & set(found)
    assert "broker" in found


def test_little_room_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.pipeline.doctor.LITTLE_DISK_MIB", 10**9)
    found = examined(nobody())
    assert found["disk"].state == "warning"
    assert "make room" in found["disk"].found
