"""`smartcam check`: what was understood, and whether it is in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartcam.config.problems import BadConfigFile
from smartcam.config.sources import read
from tests.cli.answers import always, answering, call, told
from tests.commands import person_model, smartcam

MAIN = """
[camera.front]
source = "rtsp://192.0.2.1/a"
[model.tiny]
file = "{model}"
labels = "{labels}"
accelerator = "cpu"
"""
RULES = """
[rule.visitor]
see = "person"
do = ["snapshot"]
"""
LOADED_AT = "2020-11-24T09:41:55.671Z"


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good configuration in a folder that is the runtime folder too, at 80 columns."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "person.tflite").write_bytes(person_model())
    (tmp_path / "labels.txt").write_text("person\ncar\n")
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "10-yard.toml").write_text(RULES)
    path = tmp_path / "smartcam.toml"
    path.write_text(MAIN.format(model=tmp_path / "person.tflite", labels=tmp_path / "labels.txt"))
    return path


def of_daemon(path: Path, **different: Any) -> dict[str, Any]:
    answer = {"ok": True, "hash": read(path).hash, "loaded_at": LOADED_AT, "file": str(path), "errors": []}
    return answer | different


def test_every_rule_is_told_in_plain_words(main: Path) -> None:
    assert told("check", main).splitlines() == [
        f"{main}: good: 1 camera, 1 rule",
        "visitor: a person on front → event, snapshot",
        "cameras: front",
    ]


def test_long_sentences_are_broken_for_the_terminal(main: Path) -> None:
    with main.open("a") as file:
        file.write('[group]\nmany = ["person", "car"]\n')
        file.write('[rule.long]\nsee = "@many"\nscore = 0.5\nwhen = "mon-fri 18:00-07:00"\nunless = "disarmed"\n')

    lines = told("check", main).splitlines()[1:]
    assert max(map(len, lines)) <= 80
    [first] = [n for n, line in enumerate(lines) if line.startswith("long: any of @many (person, car) on front")]
    assert lines[first + 1].startswith("    ")


def test_the_sun_and_the_alarm_are_told_where_rules_need_them(main: Path) -> None:
    with main.open("a") as file:
        file.write(
            '[site]\nlatitude = 46.5\nlongitude = 8.5\n[rule.late]\nsee = "car"\nwhen = "night"\nonly = "armed"\n'
        )

    out = told("check", main)
    assert "armed until somebody disarms\n" in out
    assert "today the sun sets at " in out


def test_programs_get_the_words_too(main: Path) -> None:
    [answer] = map(json.loads, told("check", main, "--json").splitlines())
    assert answer == {
        "ok": True,
        "cameras": ["front"],
        "rules": {"visitor": "visitor: a person on front → event, snapshot"},
        "notes": [],
        "in_force": None,
    }


def test_what_the_running_daemon_does_is_said(main: Path) -> None:
    with answering(main.parent, {"config": always(of_daemon(main))}):
        assert "the daemon runs it, since 2020-11-24 " in told("check", main)
        assert json.loads(told("check", main, "--json"))["in_force"] is True
    with answering(main.parent, {"config": always(of_daemon(main, hash="0123456789ab"))}):
        assert "the daemon still runs an older one, of 2020-11-24 " in told("check", main)
        assert json.loads(told("check", main, "--json"))["in_force"] is False


def test_why_the_daemon_runs_an_older_one_is_said(main: Path) -> None:
    wrong = {"file": "rules.d/10-yard.toml", "line": 3, "key": "rule.visitor.see", "message": 'no label "persn"'}
    with answering(main.parent, {"config": always(of_daemon(main, ok=False, errors=[wrong]))}):
        assert told("check", main).endswith('\n  rules.d/10-yard.toml:3: rule.visitor.see: no label "persn"\n')


def test_a_daemon_that_has_another_file_is_no_news(main: Path) -> None:
    with answering(main.parent, {"config": always(of_daemon(main, file="/elsewhere.toml"))}):
        assert "the daemon" not in told("check", main)
    with answering(main.parent, {"status": always({})}):
        assert "the daemon" not in told("check", main)


def test_a_drop_in_that_is_wrong_is_named(main: Path) -> None:
    (main.parent / "rules.d" / "10-yard.toml").write_text(RULES.replace("person", "persn"))

    error = call("check", main).exception
    assert isinstance(error, BadConfigFile)
    assert str(error).startswith("rules.d/10-yard.toml:3: rule.visitor.see: ")


def test_with_a_bad_set_the_daemon_goes_on_and_that_is_said(main: Path) -> None:
    answer = of_daemon(main)
    (main.parent / "rules.d" / "10-yard.toml").write_text(RULES.replace("person", "persn"))

    with answering(main.parent, {"config": always(answer)}):
        assert call("check", main).stderr.startswith("the daemon goes on with the one of 2020-11-24 ")
    assert call("check", main).stderr == ""


def test_a_terminal_without_arrows_gets_hyphens(main: Path) -> None:
    with main.open("a") as file:
        file.write('[rule.work]\nsee = "car"\nwhen = "mon-fri 08:00-17:00"\nmessage = "Bär"\ndo = ["snapshot"]\n')

    done = smartcam("check", main, at=main.parent, PYTHONIOENCODING="ascii", COLUMNS="200")
    assert 'work: a car on front, Mon-Fri 08:00-17:00 -> event, snapshot, saying "B?r"' in done.out
