"""The files of a configuration: which are read, what of them cannot be, and where each key stands."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from smartcam.config import BadConfigFile, Sources, load, read, understand
from smartcam.config.sources import MAX_BYTES, MAX_DROP_INS

MAIN = '[camera.front]\nsource = "x"\n'
YARD = '[zone.yard]\ncamera = "front"\npoints = [[0, 0], [1, 1], [0, 1]]\n'
RULE = '[rule.yard-intruder]\nsee = "person"\nzone = "yard"\n'


@pytest.fixture
def main(tmp_path: Path) -> Path:
    file = tmp_path / "smartcam.toml"
    file.write_text(MAIN)
    return file


def put(main: Path, name: str, text: str | bytes) -> Path:
    file = main.parent / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def complaints(main: Path, rules: Path | None = None) -> list[str]:
    """What is said, with the main file's own folder cut off."""
    with pytest.raises(BadConfigFile) as refused:
        load(main, rules)
    return [line.replace(f"{main.parent}/", "") for line in str(refused.value).split("\n")]


def test_drop_ins_bring_rules_and_what_is_drawn(main: Path) -> None:
    put(main, "zones.d/a.toml", YARD + '[line.fence]\ncamera = "front"\npoints = [[0, 0], [1, 1]]\n')
    put(main, "rules.d/20.toml", '[group]\npets = ["dog"]\n[rule.pets]\nsee = "@pets"\n')
    put(main, "rules.d/10.toml", RULE)
    sources = read(main)
    assert list(sources.texts) == [str(main), "rules.d/10.toml", "rules.d/20.toml", "zones.d/a.toml"]
    config = understand(sources)
    assert (list(config.rule), list(config.zone), list(config.line), list(config.group)) == (
        ["yard-intruder", "pets"],
        ["yard"],
        ["fence"],
        ["pets"],
    )


@pytest.mark.parametrize(
    "name", [".hidden.toml", "a.toml~", ".a.toml.swp", "#a.toml#", "a.toml.bak", "README", "a.TOML"]
)
def test_what_editors_leave_behind_is_passed_over(main: Path, name: str) -> None:
    put(main, f"rules.d/{name}", "this is no TOML")
    assert list(read(main).texts) == [str(main)]


def test_rules_come_in_the_order_of_their_files(main: Path) -> None:
    """The main file's first, then those of rules.d, then those of zones.d."""
    for name, file in ("z", "zones.d/a.toml"), ("b", "rules.d/b.toml"), ("a", "rules.d/a.toml"):
        put(main, file, f'[rule.{name}]\nsee = "dog"\n')
    main.write_text(MAIN + '[rule.m]\nsee = "dog"\n')
    assert list(load(main).rule) == ["m", "a", "b", "z"]


def test_a_mistake_in_a_drop_in_is_told_with_its_short_name(main: Path) -> None:
    put(main, "zones.d/front.toml", YARD)
    put(main, "rules.d/10-yard.toml", "# who\n\n\n\n" + RULE.replace('"yard"', '"yrad"'))
    assert complaints(main) == [
        'rules.d/10-yard.toml:7: rule.yard-intruder.zone: no zone "yrad" on camera "front" (did you mean "yard"?)'
    ]


def test_a_name_defined_in_two_files_is_told_with_both_places(main: Path) -> None:
    put(main, "rules.d/a.toml", '\n\n\n\n\n\n[rule.yard]\nsee = "dog"\n')
    put(main, "rules.d/b.toml", '# mine\n\n[rule.yard]\nsee = "cat"\n')
    put(main, "zones.d/c.toml", '[group]\npets = ["dog"]\n')
    main.write_text(MAIN + '[group]\npets = ["cat"]\n')
    assert complaints(main) == [
        "rules.d/b.toml:3: rule.yard: defined already in rules.d/a.toml:7: rename or delete one of them",
        "zones.d/c.toml:2: group.pets: defined already in smartcam.toml:4: rename or delete one of them",
    ]


def test_a_drop_in_brings_nothing_else(main: Path) -> None:
    put(main, "rules.d/a.toml", '[camera.gate]\nsource = "x"\n[rules.x]\nsee = "dog"\n[quux]\n')
    put(main, "rules.d/b.toml", 'see = "person"\n[[rule]]\nsee = "dog"\n')
    brings = "a drop-in brings rule, zone, line and group only"
    assert complaints(main) == [
        f"rules.d/a.toml:1: camera: {brings}: move it to smartcam.toml",
        f'rules.d/a.toml:3: rules: {brings} (did you mean "rule"?)',
        f"rules.d/a.toml:5: quux: {brings}: take it out",
        f"rules.d/b.toml:1: see: {brings}: take it out",
        "rules.d/b.toml:2: rule: sections of it have names: write [rule.NAME]",
    ]


def test_what_hangs_on_a_drop_in_that_is_wrong_is_no_mistake_of_its_own(main: Path) -> None:
    put(main, "zones.d/a.toml", YARD.replace("zone", "zones"))
    put(main, "rules.d/a.toml", RULE)
    assert complaints(main) == [
        'zones.d/a.toml:1: zones: a drop-in brings rule, zone, line and group only (did you mean "zone"?)'
    ]


def test_what_is_no_toml_is_told_for_all_files_together(main: Path) -> None:
    main.write_text('[camera.front]\nsource = "x\nquux = 1\n')
    put(main, "rules.d/a.toml", "[rule.a]\nfor = 60s\n")
    put(main, "zones.d/b.toml", "#" * 2000)
    assert complaints(main) == [
        'smartcam.toml:2: camera.front.source: the closing quote is missing: write source = "x"',
        'rules.d/a.toml:2: rule.a.for: a duration stands in quotes: write for = "60s"',
        "zones.d/b.toml:1: a line of over 1024 characters: break it",
    ]


def test_everything_that_cannot_be_read_is_told_at_once(main: Path) -> None:
    put(main, "rules.d/a.toml", b"x" * (MAX_BYTES + 1))
    put(main, "rules.d/b.toml", "# good\n# H\u00fchner\n".encode("latin-1"))
    (main.parent / "rules.d/c.toml").mkdir()
    (main.parent / "rules.d/d.toml").symlink_to("nowhere")
    (main.parent / "zones.d").write_text("")
    main.unlink()
    assert complaints(main) == [
        "zones.d: cannot read it (Not a directory): a part of its path is a file where a folder should be",
        "smartcam.toml: cannot read it (No such file or directory): write one from config.example.toml",
        "rules.d/a.toml: over 64 KiB: this is no configuration; give another file, or take out what is no rule",
        "rules.d/b.toml:2: not UTF-8 text: save it as UTF-8",
        "rules.d/c.toml: cannot read it (Is a directory): give the file in it",
        "rules.d/d.toml: cannot read it (No such file or directory): delete the link, or put the file where it points",
    ]


def test_nothing_that_blocks_is_waited_for(main: Path) -> None:
    os.mkfifo(put(main, "rules.d/x", "").with_name("a.toml"))
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(main.parent)  # The name of a socket must be short.
        try:
            listener.bind("rules.d/b.toml")
        finally:
            os.chdir(before)
    (main.parent / "rules.d/c.toml").symlink_to("/dev/zero")
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(complaints(main)), daemon=True)
    reading.start()
    reading.join(timeout=10)
    assert said == [
        "rules.d/a.toml: no ordinary file: put a text file there",
        "rules.d/b.toml: cannot read it (No such device or address): put an ordinary text file there",
        "rules.d/c.toml: no ordinary file: put a text file there",
    ]


def test_a_file_of_a_gigabyte_is_not_read(main: Path) -> None:
    with main.open("r+b") as file:
        file.truncate(2**30)
    (complaint,) = complaints(main)
    assert complaint.startswith("smartcam.toml: over 64 KiB")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_an_unreadable_file_says_so(main: Path) -> None:
    put(main, "rules.d/a.toml", RULE).chmod(0)
    assert complaints(main) == ["rules.d/a.toml: cannot read it (Permission denied): check its permissions"]


def test_too_many_drop_ins_are_refused(main: Path) -> None:
    for number in range(MAX_DROP_INS):
        put(main, f"rules.d/{number}.toml", "")
    load(main)
    put(main, "zones.d/one-more.toml", "")
    assert complaints(main) == [
        "rules.d and zones.d: 101 files, and at most 100 are read: put several rules into one file"
    ]


def test_a_name_that_no_terminal_should_see_is_told_in_plain_letters(main: Path) -> None:
    put(main, "rules.d/a\x1b[31m\n.toml", "[rule.a]\n")
    (complaint,) = complaints(main)
    assert complaint.startswith(r"rules.d/a\x1b[31m\x0a.toml:1: rule.a.see: what should it look for?")
    (main.parent / "rules.d" / os.fsdecode(b"b\xff.toml")).write_text("[rule.b]\n")
    assert len(complaints(main)) == 2
    "\n".join(complaints(main)).encode()


def test_a_file_of_rules_stands_in_for_the_main_files_and_its_drop_ins(main: Path, tmp_path: Path) -> None:
    put(main, "rules.d/a.toml", RULE)
    put(main, "zones.d/a.toml", YARD)
    rules = put(main, "mine.toml", '[rule.dogs]\nsee = "dog"\n[mqtt]\noutbox = 1\n')
    config = load(main, rules)
    assert (list(config.rule), list(config.zone)) == (["dogs"], [])
    assert config.mqtt.outbox == load(main).mqtt.outbox, "the rest is the main file's"
    rules.write_text('[rule.dogs]\nsee = "dog"\nzone = "yard"\ncamera = "frnt"\n')
    assert complaints(main, rules) == ['mine.toml:4: rule.dogs.camera: no camera "frnt" (did you mean "front"?)']
    rules.write_text('[rule.dogs]\nsee = "@pets"\nzone = "yard"\n')
    assert complaints(main, rules) == [
        'mine.toml:2: rule.dogs.see: no group "@pets": there is none, add it to [group]; '
        "--rules replaces the groups too",
        'mine.toml:3: rule.dogs.zone: no zone "yard" on camera "front": there is none, add [zone.yard]; '
        "--rules replaces the zones too",
    ]


def test_a_key_is_found_in_the_file_that_holds_it() -> None:
    sources = Sources(
        "m.toml",
        {"m.toml": MAIN + '[group]\na = ["x"]\n', "rules.d/a.toml": '\n[rule.r]\nsee = "x"\n[group]\nb = ["x"]\n'},
    )
    assert str(sources.problem(("rule", "r", "see"), "no")) == "rules.d/a.toml:3: rule.r.see: no"
    assert str(sources.problem(("rule", "r", "zone"), "no")) == "rules.d/a.toml:2: rule.r.zone: no"
    assert str(sources.problem(("group", "b"), "no")) == "rules.d/a.toml:5: group.b: no"
    assert str(sources.problem(("group", "a"), "no")) == "m.toml:4: group.a: no"
    assert str(sources.problem(("camera", "gate"), "no")) == "m.toml:1: camera.gate: no"
    assert str(sources.problem(("node",), "no")) == "m.toml: node: no"
    assert str(sources.problem((), "no")) == "m.toml: no"


def test_the_hash_tells_any_change_and_not_the_place(main: Path, tmp_path: Path) -> None:
    put(main, "rules.d/a.toml", RULE)
    put(main, "zones.d/a.toml", YARD)
    before = read(main)
    assert len(before.hash) == 12
    assert int(before.hash, 16)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("smartcam.toml", "rules.d", "zones.d"):
        (tmp_path / name).rename(moved / name)
    assert read(moved / "smartcam.toml").hash == before.hash
    (moved / "rules.d/a.toml").rename(moved / "rules.d/b.toml")
    renamed = read(moved / "smartcam.toml").hash
    (moved / "rules.d/b.toml").write_text(RULE + "\n")
    changed = read(moved / "smartcam.toml").hash
    assert len({before.hash, renamed, changed}) == 3


def test_sources_are_kept_as_json(main: Path) -> None:
    put(main, "rules.d/a.toml", RULE.replace("person", "H\u00fchner \U0001f414"))
    for sources in read(main), read(main, put(main, "mine.toml", RULE)):
        again = Sources.from_json(sources.to_json())
        assert again == sources
        assert again.hash == sources.hash


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"main": "a", "texts": {}, "rules": ""}',
        b'{"main": "a", "texts": {"a": 5}, "rules": ""}',
        b'{"main": "a", "texts": ["a"], "rules": ""}',
        b'{"main": ["a"], "texts": {"a": ""}, "rules": ""}',
        b'{"main": "a", "texts": {"a": ""}, "rules": "b"}',
        b'{"main": "a", "texts": {"a": "\\ud800"}, "rules": ""}',
    ],
)
def test_what_is_no_kept_configuration_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"valid|files"):
        Sources.from_json(data)
