"""`smartcam rules`, `arm`, `disarm`, `mode` and `fire`: what they ask, and how they show the answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartcam.errors import SmartcamError, Unavailable
from tests.cli.answers import answering, call, told

LONG_AGO = 1_000_000_000.0
STANDING: dict[str, Any] = {
    "rule": "herd",
    "camera": "front",
    "enabled": True,
    "open": False,
    "fired": 0,
    "fired_wall": None,
    "near_misses": 0,
    "last_miss": "",
    "missed_wall": None,
    "why_not": "no cattle seen now",
}
HERD = STANDING | {"near_misses": 4, "last_miss": "saw 2, needs >= 3", "missed_wall": LONG_AGO}
INTRUDER = STANDING | {"rule": "intruder", "camera": "gate", "open": True, "fired": 3, "why_not": ""}
OFF = STANDING | {"rule": "off", "enabled": False, "fired": 1, "fired_wall": LONG_AGO, "why_not": "it is switched off"}
CAR = {"id": 7, "label": "car", "box": [0.2, 0.4, 0.4, 0.8], "since_wall": LONG_AGO, "seen_wall": LONG_AGO}


class Daemon:
    """Answers, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.standings = [HERD, INTRUDER | {"fired_wall": time.time()}, OFF]
        self.armed, self.mode = True, "home"

    def rules(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"rules": self.standings, "still": {"front": [CAR], "gate": []}, "armed": self.armed, "mode": self.mode}

    def switch(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((verb, arguments))
        self.armed = {"arm": True, "disarm": False}.get(verb, self.armed)
        self.mode = arguments.get("name", self.mode)
        return {"armed": self.armed, "mode": self.mode}

    def fire(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(("fire", arguments))
        if arguments["rule"] != "herd":
            raise SmartcamError('no rule "hrd" (did you mean "herd"?)')
        return {"events": ["01M86EXWAQ0N085BWQAKJF4ZAM"], "camera": arguments.get("camera", "front")}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    daemon = Daemon()
    verbs = {
        "rules": daemon.rules,
        "fire": daemon.fire,
        "arm": lambda arguments: daemon.switch("arm", arguments),
        "disarm": lambda arguments: daemon.switch("disarm", arguments),
        "mode": lambda arguments: daemon.switch("mode", arguments),
    }
    with answering(tmp_path, verbs):
        yield daemon


def test_each_rule_has_its_row_and_its_reasons(daemon: Daemon) -> None:
    head, *lines = told("rules").splitlines()
    assert head == "armed, mode home"
    assert [line.split()[:4] for line in lines if not line.startswith(" ")] == [
        ["rule", "camera", "now", "fired"],
        ["herd", "front", "waiting", "never"],
        ["intruder", "gate", "open", "3"],
        ["off", "front", "off", "once"],
        ["still", "on", "front:", "a"],
    ]
    assert lines[2:4] == [
        "    why not now: no cattle seen now",
        "    4 near misses, the last at 2001-09-09 "
        f"{time.strftime('%H:%M', time.localtime(LONG_AGO))}: saw 2, needs >= 3",
    ]
    assert lines[-1].startswith("still on front: a car at 0.30, 0.60 since 2001-09-09 ")


def test_today_needs_no_date(daemon: Daemon) -> None:
    [row] = [line for line in told("rules").splitlines() if line.startswith("intruder")]
    assert row.split()[-1].count(":") == 1
    assert "-" not in row


def test_what_was_only_held_back_is_no_near_miss(daemon: Daemon) -> None:
    daemon.standings = [HERD | {"near_misses": 0, "last_miss": "it rests for another 12 min (cooldown)"}]

    assert "told already, the last at 2001-09-09 " in told("rules")
    assert "near miss" not in told("rules")


def test_it_fits_a_terminal_of_80_columns(daemon: Daemon) -> None:
    reason = "it is Tue 10:25: only on weekdays from 18:00 to 07:00, at weekends, or from sunset to sunrise on holidays"
    daemon.standings = [
        STANDING | {"rule": "a-name-of-twenty-four-ch", "camera": "a-name-of-20-letters", "why_not": reason}
    ]

    lines = told("rules").splitlines()
    assert max(map(len, lines)) <= 80
    assert reason in " ".join(line.strip() for line in lines)


def test_brackets_in_a_reason_are_no_markup(daemon: Daemon) -> None:
    daemon.standings = [STANDING | {"why_not": "nobody knows [site]"}]

    assert "nobody knows [site]" in told("rules")


def test_programs_get_what_the_daemon_said(daemon: Daemon) -> None:
    lines = [json.loads(line) for line in told("rules", "--json").splitlines()]

    assert lines[0] == HERD
    assert lines[3:] == [{"camera": "front", "still": CAR}, {"armed": True, "mode": "home"}]


def test_a_person_arms_disarms_and_sets_modes(daemon: Daemon) -> None:
    assert told("disarm") == "disarmed, mode home\n"
    assert told("mode", "holiday") == "disarmed, mode holiday\n"
    assert told("arm") == "armed, mode holiday\n"
    assert json.loads(told("mode", "--json")) == {"armed": True, "mode": "holiday"}
    assert daemon.asked == [("disarm", {}), ("mode", {"name": "holiday"}), ("arm", {}), ("mode", {})]


def test_without_modes_none_is_told(daemon: Daemon) -> None:
    daemon.mode = ""

    assert told("arm") == "armed\n"


def test_a_test_event_is_sent(daemon: Daemon) -> None:
    assert told("fire", "herd") == "herd on front: a test event is on its way, 01M86EXWAQ0N085BWQAKJF4ZAM\n"
    assert "herd on back: " in told("fire", "herd", "--camera", "back")
    assert json.loads(told("fire", "herd", "--json"))["camera"] == "front"
    assert daemon.asked[0] == ("fire", {"rule": "herd"})


def test_what_the_daemon_refuses_is_said_as_it_said_it(daemon: Daemon) -> None:
    assert str(call("fire", "hrd").exception) == 'no rule "hrd" (did you mean "herd"?)'


@pytest.mark.parametrize("command", ["rules", "arm", "disarm", "mode", "fire herd"])
def test_without_a_daemon_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))

    error = call(*command.split()).exception
    assert isinstance(error, Unavailable)
    assert str(error).endswith("is smartcam running?")
