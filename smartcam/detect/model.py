"""A model on disk: the file, its labels, and how it wants to be fed. Nothing here parses the model itself."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from smartcam.errors import BadConfig

Resize: TypeAlias = Literal["auto", "letterbox", "stretch"]
Normalise: TypeAlias = Literal["auto", "signed", "unit", "raw"]
"""What a pixel of 0..255 becomes before a float model sees it: -1..1, 0..1, or itself; auto goes by the layout."""

UNNAMED = "???"
BACKGROUND = frozenset({UNNAMED, "background", "__background__", "n/a"})
"""Labels of which nothing is ever detected: they only hold a place in the model's numbering."""

MAX_LABEL_BYTES = 1 << 20
MAX_LABELS = 10_000
MAX_LABEL_LENGTH = 200
MAX_MODEL_BYTES = 1 << 30
MAGIC = slice(4, 8)
"""Where a TFLite file says TFL3 (a flatbuffer's file identifier)."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A detector, as configured: equal ones may share an accelerator's child."""

    name: str
    path: Path
    """For the CPU, or compiled for the Edge TPU where there is no other."""
    labels: tuple[str, ...] = ()
    """Lower case, by class index. Empty: classes are called class-0, class-1 and so on."""
    sha256: str | None = None
    """What the file must be; None accepts any."""
    layout: str = "auto"
    """One of `layouts.LAYOUTS`, or "auto": from the shapes of the outputs."""
    resize: Resize = "auto"
    """How a crop is brought to the input's size; auto goes by the layout."""
    score: float = 0.3
    """Detections below it are dropped."""
    normalise: Normalise = "auto"
    compiled: Path | None = None
    """The twin of `path` for the Edge TPU."""
    compiled_sha256: str | None = None

    def on(self, device: str) -> tuple[Path, str | None]:
        """The file that runs on "cpu" or "edgetpu[:…]", and what its sha256 must be."""
        if self.compiled and device.startswith("edgetpu"):
            return self.compiled, self.compiled_sha256
        return self.path, self.sha256

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that can be detected: what rules may ask for."""
        return tuple(label for label in self.labels if label not in BACKGROUND)


def check_model(path: Path, sha256: str | None = None) -> None:
    """Whether the file is the one that is meant, and looks like a TFLite model, without parsing it.

    Raises BadConfig, naming the file, otherwise.
    """
    try:
        if not path.is_file():
            raise BadConfig(f"{path}: there is no such model file")
        with path.open("rb") as file:
            if file.read(8)[MAGIC] != b"TFL3":
                raise BadConfig(f"{path} is not a TFLite model: give the path of a .tflite file")
            if path.stat().st_size > MAX_MODEL_BYTES:
                raise BadConfig(f"{path} is larger than 1 GiB: that is no model for this machine")
            file.seek(0)
            if sha256 is not None and (found := hashlib.file_digest(file, "sha256").hexdigest()) != sha256:
                raise BadConfig(
                    f"{path} is damaged or another file: its sha256 should be {sha256}, but is {found}; "
                    "fetch it again, or correct sha256"
                )
    except OSError as error:
        raise BadConfig(f"{path}: the model cannot be read: {error.strerror}") from error


def load_labels(path: Path) -> tuple[str, ...]:
    """The labels of a text file, one a line, lower-cased, by class index.

    Lines may all begin with their index ("0 person" or "0: person"); an index that is left out becomes
    UNNAMED. Raises BadConfig, naming file and line, for what cannot be a list of labels.
    """
    lines = _lines(path)
    indexed = [re.fullmatch(r"([0-9]{1,5})(?:\s*:\s*|\s+)(\S.*)", line) for line in lines if line]
    if indexed and all(indexed):
        return _by_index(path, [(int(found[1]), found[2]) for found in indexed if found])
    return tuple(line or UNNAMED for line in lines)


def _lines(path: Path) -> list[str]:
    """The file's lines, stripped and lower-cased, without empty ones at its end; each is fit to be a label."""
    try:
        if not path.is_file():
            raise BadConfig(f"{path}: there is no such label file")
        with path.open("rb") as file:
            raw = file.read(MAX_LABEL_BYTES + 1)
    except OSError as error:
        raise BadConfig(f"{path}: the labels cannot be read: {error.strerror}") from error
    if len(raw) > MAX_LABEL_BYTES:
        raise BadConfig(f"{path} is larger than 1 MiB: a label file has one label a line, {MAX_LABELS:,} at most")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at_line = raw.count(b"\n", 0, error.start) + 1
        raise BadConfig(f"{path}:{at_line}: not UTF-8 text: save the label file as UTF-8") from error
    # Not splitlines(), which also splits at characters that are refused below.
    lines = [line.strip().lower() for line in text.rstrip().split("\n")]
    if len(lines) > MAX_LABELS:
        raise BadConfig(f"{path} has {len(lines):,} lines: a label file has {MAX_LABELS:,} at most")
    if not any(lines):
        raise BadConfig(f"{path} is empty: write one label a line")
    for number, line in enumerate(lines, 1):
        if problem := _problem(line):
            raise BadConfig(f"{path}:{number}: {problem}")
    return lines


def _problem(label: str) -> str | None:
    if len(label) > MAX_LABEL_LENGTH:
        return f"a label of {len(label):,} characters: {MAX_LABEL_LENGTH} at most"
    for character in label.replace("\t", " "):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            return f"the character U+{ord(character):04X} cannot be part of a label"
    number = re.split(r"[\s:]", label, maxsplit=1)[0]
    # "²".isdigit() holds, and int("²") fails: such an index is a slip of the editor, not a label.
    if number.isdigit() and not number.isascii():
        return f'"{number}" is not an index: write it with the digits 0 to 9'
    return None


def _by_index(path: Path, entries: list[tuple[int, str]]) -> tuple[str, ...]:
    names = dict(entries)
    if len(names) < len(entries):
        [(twice, _)] = Counter(index for index, _ in entries).most_common(1)
        raise BadConfig(f"{path}: the index {twice} stands there twice: each class has one label")
    if max(names) >= MAX_LABELS:
        raise BadConfig(f"{path}: the index {max(names)} is too large: {MAX_LABELS - 1:,} at most")
    return tuple(names.get(index, UNNAMED) for index in range(max(names) + 1))
