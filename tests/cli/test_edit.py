"""`smartcam edit`: a real editor (sed, or a small script), and real files."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from smartcam.cli.desk import rejected
from smartcam.cli.edit import TEMPLATES
from smartcam.config import parse
from smartcam.config.sources import read
from smartcam.errors import BadConfig, SmartcamError, Unavailable
from tests.cli.answers import answering, call, told
from tests.commands import ENTRY, environment, person_model, smartcam

MAIN = """
[camera.front]
source = "clip.mp4"
[model.tiny]
file = "{folder}/person.tflite"
labels = "{folder}/labels.txt"
accelerator = "cpu"
[rule.visitor]
see = "person"
"""
BETTER = 'sed -i s/person.$/car\\"/'
"""An editor: it makes the rule see cars."""
WORSE = 'sed -i s/person.$/persn\\"/'


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good configuration, in a folder that is the runtime folder too. Copies are made beside it."""
    for name, value in {"RUNTIME_DIRECTORY": tmp_path, "TMPDIR": tmp_path, "EDITOR": BETTER}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "person.tflite").write_bytes(person_model())
    (tmp_path / "labels.txt").write_text("person\ncar\n")
    path = tmp_path / "smartcam.toml"
    path.write_text(MAIN.format(folder=tmp_path))
    return path


def editor(main: Path, script: str) -> str:
    """An editor that is a shell script; `$1` is the file."""
    path = main.parent / "editor"
    path.write_text(f"#!/bin/sh\nset -e\n{script}\n")
    path.chmod(0o700)
    return str(path)


def rules(main: Path, name: str = "10-yard", text: str = '[rule.r]\nsee = "person"\n') -> Path:
    path = main.parent / "rules.d" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def copies(main: Path) -> list[Path]:
    return list(main.parent.glob("smartcam-edit-*"))


def test_a_good_copy_is_put_in_place_and_nothing_is_left(main: Path) -> None:
    before = sorted(each.name for each in main.parent.iterdir())

    assert told("edit", "-c", main) == f"{main}: good, and in its place\n"
    assert 'see = "car"' in main.read_text()
    assert sorted(each.name for each in main.parent.iterdir()) == before


def test_what_was_not_changed_is_not_touched(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    before = main.stat()

    assert told("edit", "-c", main) == f"{main}: unchanged\n"
    assert (main.stat().st_ino, main.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert copies(main) == []


def test_a_bad_copy_is_kept_where_nobody_can_be_asked(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole entry: exit code 78, the problem with its place, and where the copy is."""
    before = main.read_text()
    done = smartcam("edit", "-c", main, at=main.parent, EDITOR=WORSE)

    assert (done.code, done.out, main.read_text()) == (78, "", before)
    problem, kept = done.err.splitlines()
    assert problem.startswith(f"{main}:9: rule.visitor.see: no model")
    assert kept.endswith(f" {rejected(main)}")
    assert "persn" in rejected(main).read_text()


def test_the_mode_stays_and_links_are_followed(main: Path, tmp_path: Path) -> None:
    real = tmp_path / "kept-elsewhere.toml"
    main.rename(real)
    real.chmod(0o640)
    main.symlink_to(real.name)

    told("edit", "-c", main)
    assert main.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert 'see = "car"' in real.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(main: Path) -> None:
    os.chown(main, 4711, 4712)

    told("edit", "-c", main)
    assert (main.stat().st_uid, main.stat().st_gid) == (4711, 4712)


def test_a_drop_in_is_checked_together_with_everything_else(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rules(main)
    monkeypatch.setenv("EDITOR", editor(main, 'echo "zone = \\"yard\\"" >> "$1"'))

    assert isinstance(call("edit", "rules", "-c", main).exception, BadConfig)
    (main.parent / "zones.d").mkdir()
    (main.parent / "zones.d" / "a.toml").write_text(
        '[zone.yard]\ncamera = "front"\npoints = [[0, 0], [1, 0], [1, 1]]\n'
    )
    assert told("edit", "rules", "-c", main) == f"{path}: good, and in its place\n"
    assert 'zone = "yard"' in path.read_text()


def test_a_new_file_begins_as_a_template_and_may_be_read_by_whoever_reads_the_main_file(
    main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main.chmod(0o640)
    text = '[rule.new]\nsee = \\"car\\"'
    monkeypatch.setenv("EDITOR", editor(main, f'grep -q "^# Rules" "$1"\necho "{text}" >> "$1"'))

    path = main.parent / "rules.d" / "rules.toml"
    assert told("edit", "rules", "-c", main) == f"{path}: good, and in its place\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert "rule.new.see" not in told("check", main)
    assert "new: a car on front" in told("check", main)


def test_a_template_that_was_only_looked_at_makes_no_file(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")

    assert told("edit", "zones", "-c", main).endswith("zones.d/zones.toml: unchanged\n")
    assert not (main.parent / "zones.d").exists()


@pytest.mark.parametrize("part", TEMPLATES)
def test_a_template_without_its_marks_is_good(part: str) -> None:
    text = "".join(
        line.removeprefix("# ") for line in TEMPLATES[part].splitlines(keepends=True) if "=" in line or "# [" in line
    )
    zones = '[zone.gate]\ncamera = "front"\npoints = [[0, 0], [1, 0], [1, 1]]\n' if part == "rules" else ""
    site = "[site]\nlatitude = 46.5\nlongitude = 8.5\n"
    config = parse(f'{site}[camera.front]\nsource = "a.mp4"\n{zones}{text}')

    assert tomllib.loads(TEMPLATES[part]) == {}
    assert (list(config.rule), list(config.line)) == ((["gate-dog"], []) if part == "rules" else ([], ["fence"]))


def test_of_several_one_must_be_named(main: Path) -> None:
    rules(main)
    other = rules(main, "20-barn", '[rule.s]\nsee = "person"\n')

    result = call("edit", "rules", "-c", main)
    assert result.exit_code == 2
    assert "10-yard, 20-barn" in " ".join(result.stderr.replace("│", " ").split())
    assert told("edit", "rules", "20-barn", "-c", main) == f"{other}: good, and in its place\n"


@pytest.mark.parametrize("name", ["../smartcam", ".hidden", "a/b", ""])
def test_a_name_stays_in_its_folder(main: Path, name: str) -> None:
    result = call("edit", "rules", name, "-c", main) if name else call("edit", "main", "10-yard", "-c", main)
    assert result.exit_code == 2


def test_a_file_that_is_no_text_can_be_mended(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot even be read is what most needs an editor."""
    path = rules(main, text="")
    path.write_bytes(b'[rule.r]\nsee = "person" # caf\xe9\n')
    monkeypatch.setenv("EDITOR", editor(main, 'printf "[rule.r]\\nsee = \\"car\\"\\n" > "$1"'))

    assert told("edit", "rules", "-c", main) == f"{path}: good, and in its place\n"


def test_what_somebody_else_did_meanwhile_is_not_lost(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", editor(main, f'{BETTER} "$1"\necho "# theirs" >> {main}'))

    error = call("edit", "-c", main).exception
    assert isinstance(error, SmartcamError)
    assert "changed meanwhile" in str(error)
    assert main.read_text().endswith("# theirs\n")
    assert 'see = "car"' in rejected(main).read_text()
    assert copies(main) == []


@pytest.mark.parametrize(
    ("command", "kind", "sentence"),
    [
        ("no-such-editor", Unavailable, "no-such-editor cannot be started (No such file or directory): set $EDITOR"),
        ("false", SmartcamError, "false ended with 1: nothing is changed"),
        ("vi '", Unavailable, "$EDITOR is no command: vi '; close its quotes"),
    ],
)
def test_an_editor_that_fails_leaves_nothing(
    main: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: type[Exception], sentence: str
) -> None:
    monkeypatch.setenv("EDITOR", command)

    error = call("edit", "-c", main).exception
    assert isinstance(error, kind)
    assert str(error) == sentence
    assert copies(main) == []


def test_visual_comes_first_and_nano_last(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "true")
    assert told("edit", "-c", main).endswith(": unchanged\n")

    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR")
    monkeypatch.setenv("PATH", str(main.parent))
    assert str(call("edit", "-c", main).exception) == "there is no editor here: install nano, or set $EDITOR"
    Path(editor(main, "exit 3")).rename(main.parent / "nano")
    assert str(call("edit", "-c", main).exception) == "nano ended with 3: nothing is changed"


def test_without_a_main_file_there_is_nothing_to_check_with(main: Path) -> None:
    main.unlink()

    error = call("edit", "rules", "-c", main).exception
    assert isinstance(error, BadConfig)
    assert "config.example.toml" in str(error)


class Daemon:
    """Takes a good configuration when it is asked about it often enough."""

    def __init__(self, main: Path, *, takes: bool) -> None:
        self.asked = 0
        self._main = main
        self._takes = takes
        self._hash = read(main).hash

    def config(self, _: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self._takes and self.asked > 3:
            self._hash = read(self._main).hash
        loaded_at = "2020-11-24T09:41:55.671Z"
        return {"ok": True, "hash": self._hash, "loaded_at": loaded_at, "file": str(self._main), "errors": []}


def test_it_says_when_the_daemon_has_taken_it(main: Path) -> None:
    daemon = Daemon(main, takes=True)
    with answering(main.parent, {"config": daemon.config}):
        assert told("edit", "-c", main).splitlines()[1].startswith("the daemon runs it, since 2020-11-24")
    assert daemon.asked == 4


def test_it_does_not_wait_for_ever(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.cli.edit.PATIENCE_S", 0.5)
    with answering(main.parent, {"config": Daemon(main, takes=False).config}):
        assert "the daemon still runs an older one" in told("edit", "-c", main)


ASKED = "[E]dit again, [d]iscard, [k]eep the copy: "
MENDS = BETTER.replace("person", "persn")
DIALOGUES = {
    "again, and mended": ("e", MENDS, 'see = "car"', ": good, and in its place"),
    "enter is again": ("", MENDS, 'see = "car"', ": good, and in its place"),
    "discarded": ("d", "false", 'see = "person"', ": unchanged"),
    "kept": ("k", "false", 'see = "person"', "is not good yet, is "),
    "nonsense is asked again": ("x\nd", "false", 'see = "person"', ": unchanged"),
    "yes is no answer": ("y\nk", "false", 'see = "person"', "is not good yet, is "),
}
"""Name → what is typed, what the editor does the second time, what is then in the file, and how it ends."""


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_person_is_asked_what_to_do_with_a_bad_copy(main: Path, name: str) -> None:
    typed, second, there, last = DIALOGUES[name]
    script = f'if grep -q persn "$1"; then {second} "$1"; else {WORSE} "$1"; fi'
    said = _at_a_terminal(main, editor(main, script), typed)

    assert f"{main}:9: rule.visitor.see: no model" in said
    assert ASKED in said
    assert last in said.splitlines()[-1]
    assert there in main.read_text()
    assert ("  d: throw the copy away" in said) == ("\n" in typed), "what the letters do, for who knows none of them"


def test_a_kept_copy_is_hidden_from_the_configuration_and_there_is_one(
    main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rules(main)
    path.chmod(0o640)
    for label in ("persn", "persno"):
        monkeypatch.setenv("EDITOR", f'sed -i s/person.$/{label}\\"/')
        error = call("edit", "rules", "-c", main).exception
        assert str(error) == f"{path} is as it was; your copy, which is not good yet, is {rejected(path)}"

    assert sorted(path.parent.iterdir()) == [rejected(path), path]
    assert "persno" in rejected(path).read_text()
    assert rejected(path).stat().st_mode & 0o777 == 0o640
    assert list(read(main).texts) == [str(main), "rules.d/10-yard.toml"]
    assert copies(main) == []


REJECTED = '[rule.r]\nsee = "persn"\n'
RESUMED = {
    "yes, and mended": ("", MENDS, 'see = "car"', None),
    "no": ("n", BETTER, 'see = "car"', REJECTED),
    "discarded, and begun anew": ("d", BETTER, 'see = "car"', None),
    "what is this?": ("?\ny", MENDS, 'see = "car"', None),
    "yes, and left as the file is": ("y", "sed -i s/persn/person/", 'see = "person"', None),
}
"""What is typed, what the editor does, what is then in the file, and what of the copy is still there."""


@pytest.mark.parametrize("name", RESUMED)
def test_the_next_edit_goes_on_with_a_rejected_copy_if_one_wants(main: Path, name: str) -> None:
    typed, command, there, left = RESUMED[name]
    path = rules(main)
    rejected(path).write_text(REJECTED)
    said = _at_a_terminal(main, command, typed, "rules", asked="go on with it? [Y]es, [n]o, [d]iscard it: ")

    assert re.match(r"there is a rejected copy of \d\d:\d\d: go on", said)
    assert there in path.read_text()
    assert (rejected(path).read_text() if rejected(path).exists() else None) == left


def test_a_rejected_copy_that_the_file_has_left_behind_says_so(main: Path) -> None:
    path = rules(main)
    rejected(path).write_text(REJECTED)
    os.utime(rejected(path), (1e9, 1e9))
    said = _at_a_terminal(main, "true", "n", "rules", asked="go on with it? [Y]es, [n]o, [d]iscard it: ")

    assert re.match(r"there is a rejected copy of 2001-09-09 \d\d:\d\d \(10-yard.toml was changed since\): go on", said)


def test_where_nobody_can_be_asked_a_rejected_copy_is_left_alone(main: Path) -> None:
    rejected(main).write_text("nonsense")

    assert told("edit", "-c", main) == f"{main}: good, and in its place\n"
    assert rejected(main).read_text() == "nonsense"


def _at_a_terminal(main: Path, command: str, answer: str, *arguments: str, asked: str = ASKED) -> str:
    """What a person sees who types this answer at the question."""
    ours, theirs = pty.openpty()
    environ = environment(main.parent, EDITOR=command, COLUMNS="200")
    process = subprocess.Popen(
        [ENTRY, "edit", *arguments, "-c", str(main)], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    said, typed = "", False
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and select.select([ours], [], [], 5)[0]:
        try:
            said += os.read(ours, 4096).decode()
        except OSError:  # the other end is closed
            break
        if asked in said and not typed:
            os.write(ours, f"{answer}\n".encode())
            typed = True
    process.wait(10)
    os.close(ours)
    return said.replace("\r\n", "\n")
