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
from smartcam.config.mistakes import MOST

CAMERA = '[camera.front]\nsource = "x"\n'
YARD = '[zone.yard]\ncamera = "front"\npoints = [[0, 0], [1, 1], [0, 1]]\n'
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


def test_all_problems_are_told_at_once() -> None:
    lines = complaints('[camera.front]\nsize = "big"\nfps = 0\n' + RULE + 'for = "soon"')
    assert [line.split(": ")[:2] for line in lines] == [
        ["smartcam.toml:1", "camera.front.source"],
        ["smartcam.toml:2", "camera.front.size"],
        ["smartcam.toml:3", "camera.front.fps"],
        ["smartcam.toml:6", "rule.guard.for"],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # what is wrong within sections, and between those that are right
        (
            CAMERA + RULE + 'zone = "yrad"\n[rule.other]\nsee = []\n' + YARD + "[site]\nlatitude = 500\n",
            ["5: rule.guard.zone", "7: rule.other.see", "12: site.latitude"],
        ),
        # what hangs on a section that is wrong is no mistake of its own
        (CAMERA + "fps = 0\n" + YARD + RULE + 'camera = "front"\nzone = "yard"\n', ["3: camera.front.fps"]),
        (CAMERA + YARD + "colour = 1\n" + RULE + 'zone = "yard"\n', ["6: zone.yard.colour"]),
        (CAMERA + RULE + 'when = "night"\n[site]\nlatitude = 500\n', ["7: site.latitude"]),
        (
            CAMERA + RULE + 'see_ = 1\n[mode.x]\nwhen = 5\n[rule.r]\nsee = "x"\nonly = "x"\n',
            ["5: rule.guard.see_", "7: mode.x.when"],
        ),
        (CAMERA + 'model = "m"\n[model.m]\nuse = 5\n', ["5: model.m.use"]),
        (CAMERA + '[rule.r]\nsee = "@pets"\n[group]\npets = []\n', ["6: group.pets"]),
        # nor what hangs on a section whose name is wrong
        ('[cameras.front]\nsource = "x"\n' + YARD + RULE + 'zone = "yard"\ncamera = "front"\n', ["1: cameras"]),
        (CAMERA + YARD.replace("zone", "zones") + RULE + 'zone = "yard"\n', ["3: zones"]),
        (CAMERA + YARD.replace("zone.yard", "zone") + RULE + 'zone = "yard"\n', ["3: zone"]),
        (CAMERA + YARD.replace("[zone.yard]", "[[zone.yard]]") + RULE + 'zone = "yard"\n', ["3: zone.yard"]),
        (CAMERA + '[modes.x]\n[rule.r]\nsee = "x"\nonly = "x"\n', ["3: modes"]),
        # a camera that has to be there is not asked for twice
        ('[camera]\nsource = "x"\nfps = 5\n' + YARD, ["1: camera"]),
    ],
)
def test_each_mistake_is_told_and_nothing_that_follows_from_it(text: str, told: list[str]) -> None:
    assert [
        line.removeprefix("smartcam.toml:").rsplit(": ", line.count(": ") - 1)[0] for line in complaints(text)
    ] == told


def test_a_key_after_a_multi_line_value_has_its_own_line() -> None:
    text = '[zone.yard]\ncamera = "front"\npoints = [\n [0, 0],\n [1, 1], # ]\n [0, 1],\n]\ncolour = 1\n' + CAMERA
    assert complaints(text) == [
        "smartcam.toml:8: zone.yard.colour: there is no such key; there are camera, points, height"
    ]


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


def test_an_endless_file_is_not_read() -> None:
    with pytest.raises(BadConfigFile, match="no ordinary file: put a text file there"):
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


EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()


def test_the_example_is_good() -> None:
    parse(EXAMPLE)


CUTS = st.tuples(
    st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(st.sampled_from("[]{}\"'=.,#\n a1-"), max_size=8)
)


@given(st.lists(CUTS, min_size=1, max_size=4))
def test_whatever_is_done_to_the_example_is_told_in_sentences_with_lines(cuts: list[tuple[int, int, str]]) -> None:
    text = EXAMPLE
    for at, length, instead in cuts:
        text = text[:at] + instead + text[at + length :]
    found = problems(text)
    assert len({str(problem) for problem in found}) == len(found)
    assert all(problem.line or problem.key == "camera" or "deep" in problem.message for problem in found)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert 1 <= len(found) <= MOST


@given(st.binary(max_size=300))
def test_no_bytes_get_more_than_complaints(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "random.toml"
    file.write_bytes(raw)
    with pytest.raises(BadConfigFile):
        load(file)


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
