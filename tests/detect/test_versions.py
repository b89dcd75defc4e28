from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from pathlib import Path

import pytest

from smartcam.detect import versions
from smartcam.detect.versions import (
    KNOWN,
    Library,
    Pair,
    Runtime,
    advice,
    find_library,
    installed_runtime,
    judge,
    library_name,
    loading_fails,
)


def library(version: str | None) -> Library:
    return Library(Path("/usr/lib/libedgetpu.so.1"), version, None)


@pytest.mark.parametrize(
    ("version", "tensorflow"),
    [
        ("16.0", (2, 5)),
        ("16.0tf2.17.1-1", (2, 17, 1)),
        ("16.0tf2.13.1-2.bookworm", (2, 13, 1)),
        ("16.0TF2.19.1-1", (2, 19, 1)),
        ("16.0-tf2.19.1-1", (2, 19, 1)),
        ("15.0", None),
        ("116.0", None),
        ("16.0pp3", None),
        (None, None),
    ],
)
def test_a_version_tells_the_tensorflow_that_it_was_built_with(
    version: str | None, tensorflow: tuple[int, ...] | None
) -> None:
    assert library(version).tensorflow == tensorflow


@pytest.mark.parametrize(
    ("version", "runtime", "verdict"),
    [
        ("16.0", "tflite-runtime 2.5.0.post1", "works"),
        ("16.0", "tflite-runtime 2.11.1", "works"),
        ("16.0", "tflite-runtime 2.12.0", "crashes"),
        ("16.0", "tflite-runtime 2.14.0", "crashes"),
        ("16.0", "ai-edge-litert 2.3.0", "crashes"),
        ("16.0", "ai-edge-litert 1.0.1", "crashes"),
        ("16.0tf2.13.1-1", "tflite-runtime 2.14.0", "works"),
        ("16.0tf2.13.1-1", "tflite-runtime 2.16.1", "unknown"),
        ("16.0tf2.13.1-1", "ai-edge-litert 2.3.0", "unknown"),
        ("16.0tf2.16.1-1", "tflite-runtime 2.14.0", "works"),
        ("16.0tf2.17.1-1", "tflite-runtime 2.17.1", "works"),
        ("16.0tf2.17.1-1", "tflite-runtime 2.5.0", "unknown"),
        ("16.0tf2.17.1-1", "ai-edge-litert 1.4.0", "works"),
        ("16.0tf2.19.1-1", "ai-edge-litert 2.3.0", "works"),
        ("16.0tf2.20.0-1", "ai-edge-litert 2.3.0", "unknown"),
        ("15.0", "tflite-runtime 2.5.0", "unknown"),
        (None, "ai-edge-litert 2.3.0", "unknown"),
    ],
)
def test_what_is_known_of_a_pair(version: str | None, runtime: str, verdict: str) -> None:
    pair = judge(library(version), Runtime(*runtime.split()))

    assert pair.verdict == verdict
    assert bool(pair.source) == (verdict != "unknown")


def test_no_two_reports_contradict_each_other() -> None:
    """The first that fits is taken, so their order must not matter."""
    for place, one in enumerate(KNOWN):
        for other in KNOWN[place + 1 :]:
            overlap = (
                one.package == other.package
                and one.tensorflow[0] <= other.tensorflow[1]
                and other.tensorflow[0] <= one.tensorflow[1]
                and one.versions[0] <= other.versions[1]
                and other.versions[0] <= one.versions[1]
            )
            assert not overlap, (one, other)


@pytest.mark.parametrize(
    ("version", "runtime", "sentence"),
    [
        ("16.0", "ai-edge-litert 2.3.0", "known to crash together .*install libedgetpu 16.0tf2.19.1"),
        ("16.0", "tflite-runtime 2.14.0", "known to crash together .*install libedgetpu 16.0tf2.17.1"),
        ("16.0tf2.19.1-1", "ai-edge-litert 2.3.0", "known to work together"),
        (
            None,
            "ai-edge-litert 2.3.0",
            "nothing is known of libedgetpu of unknown version .*install libedgetpu 16.0tf2",
        ),
    ],
)
def test_the_advice_names_what_to_install(version: str | None, runtime: str, sentence: str) -> None:
    told = advice(judge(library(version), Runtime(*runtime.split())))

    assert re.search(sentence, told)


@pytest.mark.parametrize("package", ["ai-edge-litert", "tflite-runtime"])
def test_what_is_recommended_is_known_to_work(package: str) -> None:
    newest = {"ai-edge-litert": "2.3.0", "tflite-runtime": "2.14.0"}[package]
    recommended = versions.FITTING[package].split(" ")[1]

    assert judge(library(recommended), Runtime(package, newest)).verdict == "works"


def test_where_one_is_missing_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMARTCAM_LIBEDGETPU", raising=False)

    assert "pip install ai-edge-litert" in advice(Pair(library("16.0"), None, "unknown", ""))
    told = advice(judge(None, Runtime("ai-edge-litert", "2.3.0")))
    assert "libedgetpu.so.1 is not installed: for ai-edge-litert 2.3.0, install libedgetpu 16.0tf2.19.1" in told


def test_the_preferred_runtime_is_found_without_importing_it() -> None:
    """One of the two is installed wherever these tests run."""
    found = installed_runtime()

    assert found is not None
    assert found.version == importlib.metadata.version(found.package)
    assert installed_runtime({"ai-edge-litert": "litert", "tflite-runtime": "tflite"}[found.package]) == found
    assert installed_runtime("pycoral") is None


def elf(path: Path, *, foreign: bool = False) -> Path:
    """The beginning of a library, of our own processor or of another."""
    header = bytearray(Path(sys.executable).read_bytes()[:64])
    if foreign:
        header[18:20] = b"\xff\xfe"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header)
    return path


def test_the_library_path_of_the_environment_is_searched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elf(tmp_path / "foreign/libedgetpu.so.1", foreign=True)
    (tmp_path / "text").mkdir()
    (tmp_path / "text/libedgetpu.so.1").write_text("INPUT(-lm)")
    ours = elf(tmp_path / "ours/libedgetpu.so.1")
    monkeypatch.delenv("SMARTCAM_LIBEDGETPU", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", ":".join(str(tmp_path / name) for name in ("", "foreign", "text", "ours")))

    found = find_library()

    assert found == Library(ours, None, None)


def test_a_library_can_be_named_by_its_path_whose_folder_may_tell_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = elf(tmp_path / "libedgetpu-16.0TF2.17.1-1/libedgetpu.so.1.0")
    monkeypatch.setenv("SMARTCAM_LIBEDGETPU", str(path))

    assert library_name() == str(path)
    assert find_library() == Library(path, "16.0TF2.17.1", None)
    assert find_library(str(tmp_path / "missing/libedgetpu.so.1")) is None


def test_a_name_that_nothing_has_is_not_found() -> None:
    assert find_library("libedgetpu-of-nobody.so.1") is None


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="this is no Debian")
def test_a_debian_package_tells_the_version() -> None:
    """Shown with the one library that every Debian has, in the loader's cache."""
    found = find_library("libc.so.6")

    assert found is not None
    assert found.package == "libc6"
    assert found.version
    assert found.version[0].isdecimal()


def test_a_library_that_loads_is_no_trouble() -> None:
    found = find_library("libc.so.6")

    assert found is not None
    assert loading_fails(found) is None


def test_a_library_that_does_not_load_is_told_in_the_loaders_words(tmp_path: Path) -> None:
    broken = Library(elf(tmp_path / "libedgetpu.so.1"), None, None)

    told = loading_fails(broken)

    assert told is not None
    assert told.startswith(f"{broken.path} cannot be loaded: ")
    assert "\n" not in told
    assert "Error" not in told


def test_a_library_that_hangs_while_it_loads_is_given_up() -> None:
    found = find_library("libc.so.6")

    assert found is not None
    assert "did not load within 0.001 s" in (loading_fails(found, timeout_s=0.001) or "")
