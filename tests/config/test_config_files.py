"""What is wrong with a configuration is said with its file, line and key, and all of it at once."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smartcam.config import Problem, load, parse
from smartcam.config.files import MAX_BYTES, MAX_LINE, BadConfigFile

CAMERA = '[camera.front]\nsource = "x"\n'
RULE = '[rule.guard]\nsee = "person"\n'


def problems(text: str) -> list[Problem]:
    try:
        parse(text)
    except BadConfigFile as failed:
        return failed.problems
    return []


def complaints(text: str) -> list[str]:
    with pytest.raises(BadConfigFile) as failed:
        parse(text, "smartcam.toml")
    assert failed.value.exit_code == 78
    return str(failed.value).split("\n")


def test_a_camera_is_all_that_is_needed() -> None:
    config = parse(CAMERA)
    assert list(config.camera) == ["front"]
    assert config.model_of("front") == "default"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        # unknown keys, each with what was meant
        (CAMERA + "sorce = 1", '3: camera.front.sorce: there is no such key (did you mean "source"?)'),
        ("[cameras.front]\n" + CAMERA, '1: cameras: there is no such key (did you mean "camera"?)'),
        (CAMERA + RULE + "four = 5", '5: rule.guard.four: there is no such key (did you mean "for"?)'),
        (
            CAMERA + RULE + "snapshot = { boxs = true }",
            '5: rule.guard.snapshot.boxs: there is no such key (did you mean "boxes"?)',
        ),
        (CAMERA + "[mqtt]\nusr = 1", '4: mqtt.usr: there is no such key (did you mean "url"?)'),
        (CAMERA + "[quux]\n", "3: quux: there is no such key"),
        # wrong types
        (CAMERA + "fps = true\nrepeat = 3", "4: camera.front.repeat: it should be true or false, but it is 3"),
        ("[camera.front]\nsource = 5", "2: camera.front.source: it should be text in quotes, but it is 5"),
        ("[camera]\nfront = 5", "2: camera.front: it should be a table, but it is 5"),
        ("[[camera]]\n", "1: camera: it should be a table, but it is a list"),
        (CAMERA + RULE + 'do = "snapshot"', '5: rule.guard.do: it should be a list, but it is "snapshot"'),
        (CAMERA + RULE + 'score = "high"', '5: rule.guard.score: it should be a number, but it is "high"'),
        (
            CAMERA + '[model.m]\nuse = "x"\nthreads = 1.5',
            "5: model.m.threads: it should be a whole number, but it is 1.5",
        ),
        # values out of their range
        (
            CAMERA + RULE + "score = 2",
            "5: rule.guard.score: input should be less than or equal to 1, but it is 2",
        ),
        (
            CAMERA + RULE + 'level = "alarm"',
            '5: rule.guard.level: "alarm" is not one of "info", "event" or "alert"',
        ),
        (
            CAMERA + RULE + 'do = ["snapshots"]',
            '5: rule.guard.do.0: "snapshots" is not one of "snapshot" (did you mean "snapshot"?)',
        ),
        (CAMERA + "rotate = 45", "3: camera.front.rotate: 45 is not one of 0, 90, 180 or 270"),
        (
            CAMERA + '[zone.yard]\ncamera = "front"\npoints = [\n[0, 0],\n[1, 1],\n]',
            "5: zone.yard.points: it needs at least 3, and has 2",
        ),
        (
            CAMERA + '[zone.yard]\ncamera = "front"\npoints = [[0, 0], [1, 1], [0, 7]]',
            "5: zone.yard.points: points are shares of the picture, from 0 to 1: [0, 0] is its top left corner",
        ),
        # what is missing
        ("", ' camera: no camera: add [camera.NAME] with source = "…"'),
        ("camera = {}", '1: camera: no camera: add [camera.NAME] with source = "…"'),
        ("[camera.front]", "1: camera.front.source: it is missing"),
        # names that cannot stand in a topic, and one that is taken
        ('[camera."a/b"]\nsource = "x"', '1: camera."a/b": "a/b" is not a name: use 1 to 32 of a-z'),
        ('[camera."a+b"]\nsource = "x"', '1: camera."a+b": "a+b" is not a name: use 1 to 32 of a-z'),
        (CAMERA + '[rule."#"]\nsee = "person"', '3: rule."#": "#" is not a name: use 1 to 32 of a-z'),
        ('[camera.status]\nsource = "x"', '1: camera.status: a camera may not be called "status"'),
        # what no section alone can know
        (
            CAMERA + '[zone.yard]\ncamera = "frnt"\npoints = [[0, 0], [1, 1], [0, 1]]',
            '4: zone.yard.camera: no camera "frnt" (did you mean "front"?)',
        ),
        (CAMERA + RULE + 'zone = "yard"', '5: rule.guard.zone: no zone "yard"'),
        (CAMERA + RULE + 'camera = "fron"', '5: rule.guard.camera: no camera "fron" (did you mean "front"?)'),
        (CAMERA + 'model = "big"', '3: camera.front.model: no model "big"'),
        (
            CAMERA + '[rule.r]\nsee = ["@wild"]\n[group]\nwildlife = ["deer"]',
            '4: rule.r.see: no group "@wild" (did you mean "@wildlife"?)',
        ),
        (CAMERA + '[group]\na = ["@b"]', "4: group.a: a group holds labels, not other groups"),
        # what is not TOML
        (CAMERA + CAMERA, "3: not valid TOML: Cannot declare ('camera', 'front') twice"),
        (CAMERA + 'source = "y"\n', "3: not valid TOML: Cannot overwrite a value"),
        (CAMERA + "rotate = \n", "3: not valid TOML: Invalid value"),
        (CAMERA + "[camera.", "3: not valid TOML: "),
        (CAMERA + "rotate 90\n", "3: not valid TOML: Expected '=' after a key"),
        # what is no configuration
        (f"# {'x' * MAX_LINE}\n{CAMERA}", f"1: a line of over {MAX_LINE} characters: break it"),
        (CAMERA + f"source = {'[' * 1000}", "nested too deeply: this is no configuration"),
        (CAMERA + "source = " + "[\n" * 5000, "nested too deeply: this is no configuration"),
    ],
)
def test_one_sentence_names_the_place_and_the_remedy(text: str, complaint: str) -> None:
    (line,) = complaints(text)
    assert line.startswith("smartcam.toml:")
    assert complaint in line


def test_all_problems_are_told_at_once() -> None:
    lines = complaints('[camera.front]\nsize = "big"\nfps = 0\n' + RULE + 'for = "soon"')
    assert [line.split(": ")[:2] for line in lines] == [
        ["smartcam.toml:1", "camera.front.source"],
        ["smartcam.toml:2", "camera.front.size"],
        ["smartcam.toml:3", "camera.front.fps"],
        ["smartcam.toml:6", "rule.guard.for"],
    ]


def test_a_key_after_a_multi_line_value_has_its_own_line() -> None:
    text = '[zone.yard]\ncamera = "front"\npoints = [\n [0, 0],\n [1, 1], # ]\n [0, 1],\n]\ncolour = 1\n' + CAMERA
    assert complaints(text) == ["smartcam.toml:8: zone.yard.colour: there is no such key"]


def test_a_name_with_a_line_break_makes_no_second_line() -> None:
    (line,) = complaints('[camera."a\\nb"]\nsource = "x"')
    assert r'camera."a\nb"' in line


@pytest.mark.parametrize("key", ["node.name", "rule.r.for", "rule.r.count", "rule.r.see", "rule.r.level", "site.x"])
def test_a_deep_value_is_shown_shallow(key: str) -> None:
    """Dotted keys nest to any depth without a bracket."""
    deep = ".".join("a" * 450)
    assert all(len(line) < 2 * MAX_LINE for line in complaints(f"{CAMERA}[{key}.{deep}]\n{deep} = 1"))


@pytest.mark.parametrize(
    "text",
    [
        CAMERA + '[mqtt]\nurl = "http://joe:hunter2@broker"',
        CAMERA + '[mqtt]\nurl = "mqtt://joe:hunter2@broker"',
        CAMERA + '[mqtt]\nurl = "mqtt://joe:hunter2@broker:x"',
        CAMERA + '[mqtt]\npassword = "hunter2"',
        '[camera.front]\nsource = ["rtsp://joe:hunter2@cam"]',
        CAMERA + 'size = "rtsp://joe:hunter2@cam"',
        CAMERA + 'format = "rtsp://joe:hunter2@cam"',
    ],
)
def test_no_password_is_shown(text: str) -> None:
    assert "hunter2" not in "\n".join(complaints(text))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "smartcam.toml"


def test_a_file_is_read(file: Path) -> None:
    file.write_text(CAMERA)
    assert load(file) == parse(CAMERA)


def test_the_mark_that_some_editors_put_first_is_no_part_of_the_text(file: Path) -> None:
    file.write_text(CAMERA, encoding="utf-8-sig")
    assert load(file) == parse(CAMERA)


def test_a_missing_file_says_how_to_begin(file: Path) -> None:
    with pytest.raises(BadConfigFile, match=r"smartcam\.toml: cannot read it \(No such file or directory\): write one"):
        load(file)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_a_forbidden_file_says_so(file: Path) -> None:
    file.touch(mode=0)
    with pytest.raises(BadConfigFile, match="Permission denied"):
        load(file)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadConfigFile, match="cannot read it"):
        load(tmp_path)


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(file: Path) -> None:
    lines = CAMERA + "# padding\n" * (MAX_BYTES // 10)
    file.write_text(lines[:MAX_BYTES])
    load(file)
    file.write_text(lines[: MAX_BYTES + 1].ljust(MAX_BYTES + 1))
    with pytest.raises(BadConfigFile, match="over 64 KiB"):
        load(file)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(BadConfigFile, match="over 64 KiB"):
        load(Path("/dev/zero"))


def test_other_encodings_are_named_with_their_line(file: Path) -> None:
    file.write_bytes(CAMERA.encode() + "# Hühner\n".encode("latin-1"))
    with pytest.raises(BadConfigFile, match=r"smartcam\.toml:3: not UTF-8 text: save it as UTF-8"):
        load(file)


@given(st.text(max_size=200))
@example(CAMERA + "\x00")
@example("a = 1\r")
@example("\ufeff" + CAMERA)
def test_no_text_gets_more_than_complaints(text: str) -> None:
    with suppress(BadConfigFile):
        parse(text)


SECTIONS = ["node", "site", "mqtt", "log", "camera.x", "model.x", "zone.x", "group", "rule.x", "rule.x.snapshot"]
KEYS = ["name", "source", "url", "points", "see", "for", "count", "do", "size", "camera", "use", "level", "a", "score"]
VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "nan",
        "inf",
        "1" * 400,
        "true",
        '""',
        '"a"',
        "[]",
        "{}",
        "[[1, 2], 3]",
        "1979-05-27",
        '["a", 5]',
        "[{a = 1}]",
    ]
)


@given(
    st.dictionaries(st.sampled_from(SECTIONS), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), max_size=4)
)
def test_no_value_in_any_place_gets_more_than_complaints_with_lines(sections: dict[str, dict[str, str]]) -> None:
    text = CAMERA + "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )
    tomllib.loads(text)
    assert all(problem.line for problem in problems(text))
