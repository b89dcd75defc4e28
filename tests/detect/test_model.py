from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from smartcam.detect.model import ModelFile, check_model, load_labels
from smartcam.errors import BadConfig

LabelsIn: TypeAlias = Callable[[str | bytes], tuple[str, ...]]
"""Writes a label file with this content and loads it."""


@pytest.fixture
def labels_in(tmp_path: Path) -> LabelsIn:
    def write(content: str | bytes) -> tuple[str, ...]:
        path = tmp_path / "labels.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_labels(path)

    return write


def test_labels_are_lower_cased_lines(labels_in: LabelsIn) -> None:
    assert labels_in("Person\r\n Bicycle \nComputer mouse\n\n") == ("person", "bicycle", "computer mouse")


def test_a_byte_order_mark_is_no_part_of_the_first_label(labels_in: LabelsIn) -> None:
    assert labels_in(b"\xef\xbb\xbfcat\n") == ("cat",)


@pytest.mark.parametrize(
    "text", ["0 person\n1  car\n3 dog\n", "0: person\n1:car\n3 :dog", "3\tdog\n0\tperson\n1\tcar\n"]
)
def test_indices_at_the_start_of_all_lines_number_the_classes(labels_in: LabelsIn, text: str) -> None:
    assert labels_in(text) == ("person", "car", "???", "dog")


def test_a_number_that_belongs_to_a_label_stays(labels_in: LabelsIn) -> None:
    assert labels_in("person\n7 up\n") == ("person", "7 up")


def test_an_empty_line_keeps_the_place_of_its_class(labels_in: LabelsIn) -> None:
    assert labels_in("person\n\ncar\n") == ("person", "???", "car")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("person\n² car\n", r"labels.txt:2: \"²\" is not an index"),
        ("person\nc\x00ar\n", r"labels.txt:2: the character U\+0000"),
        ("person\nc\x1b[2Jar\n", r"labels.txt:2: the character U\+001B"),
        ("per\u202eson\n", r"labels.txt:1: the character U\+202E"),
        ("a\u2028b\n", r"labels.txt:1: the character U\+2028"),
        (b"person\nc\xe4r\n", "labels.txt:2: not UTF-8"),
        ("x" * 300, "a label of 300 characters"),
        ("a\n" * 10_001, "has 10,001 lines"),
        ("a" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("\n \n", "is empty"),
        ("0 a\n0 b\n", "index 0 stands there twice"),
        ("0 a\n99999 b\n", "index 99999 is too large"),
    ],
)
def test_what_is_no_list_of_labels_is_refused_in_one_sentence(
    labels_in: LabelsIn, content: str | bytes, said: str
) -> None:
    with pytest.raises(BadConfig, match=said) as refused:
        labels_in(content)

    assert "\n" not in str(refused.value)


def test_a_gigabyte_of_labels_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.touch()
    os.truncate(path, 1 << 30)

    with pytest.raises(BadConfig, match="larger than 1 MiB"):
        load_labels(path)


def test_a_pipe_in_place_of_labels_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.txt")

    with pytest.raises(BadConfig, match="no such label file"):
        load_labels(tmp_path / "labels.txt")


def test_a_model_is_checked_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3 and the rest")
    right = hashlib.sha256(path.read_bytes()).hexdigest()

    check_model(path)
    check_model(path, right)
    with pytest.raises(BadConfig, match=f"m.tflite .*should be {'0' * 64}, but is {right}"):
        check_model(path, "0" * 64)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"<html>404</html>")

    with pytest.raises(BadConfig, match=r"m\.tflite is not a TFLite model"):
        check_model(path)
    with pytest.raises(BadConfig, match="no such model file"):
        check_model(tmp_path / "missing.tflite")


def test_placeholders_are_not_among_the_names_that_rules_may_use() -> None:
    assert ModelFile("m", Path("m"), ("???", "person", "n/a", "car")).names == ("person", "car")
