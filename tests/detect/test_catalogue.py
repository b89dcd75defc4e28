"""The catalogue is facts: these tests hold them against each other, and against the real files where they are."""

import re
from pathlib import Path

import pytest

from smartcam.config.values import NAME
from smartcam.detect.catalogue import CATALOGUE, Entry, File, find
from smartcam.detect.layouts import LAYOUTS
from smartcam.detect.origins import GitHubFile, NpmAsset
from smartcam.errors import BadConfig

REAL = Path(__file__).parents[3] / "shared" / "models"
ALL_FILES = {file for entry in CATALOGUE for file in entry.files.values()}

every_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def test_names_are_unique_and_can_stand_in_a_configuration_and_a_path() -> None:
    names = [entry.name for entry in CATALOGUE]

    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)


def test_the_default_is_the_two_halves_of_one_asset() -> None:
    """The label map lies before the model, without a gap."""
    objectron = find("objectron")
    asset = objectron.model.origin

    assert isinstance(asset, NpmAsset)
    assert objectron.labels.origin == asset
    assert (objectron.labels.span, objectron.model.span) == ((0, 184), (184, 9987912))
    assert objectron.bytes == asset.bytes == 9987912
    assert objectron.sha256 == "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"


@every_entry
def test_every_file_is_pinned_by_a_whole_hash(entry: Entry) -> None:
    for file in entry.files.values():
        assert re.fullmatch("[0-9a-f]{64}" if file.pin.algorithm == "sha256" else "[0-9a-f]{40}", file.pin.digest)


@every_entry
def test_a_span_has_the_size_it_says(entry: Entry) -> None:
    for file in entry.files.values():
        assert file.span is None or file.bytes == file.span[1] - file.span[0]


@every_entry
def test_a_compiled_model_stands_beside_its_own_cpu_twin(entry: Entry) -> None:
    if entry.compiled:
        assert entry.compiled.origin.path == entry.model.origin.path.replace(".tflite", "_edgetpu.tflite")


@every_entry
def test_layouts_are_known_to_the_detector(entry: Entry) -> None:
    assert entry.layout in ("auto", *LAYOUTS)


def test_no_file_is_listed_under_two_paths() -> None:
    """A blob id pasted twice would fetch the wrong model under a right-looking name."""
    pins = [file.pin.digest for file in ALL_FILES]

    assert len(set(pins)) == len(pins)


def test_non_commercial_training_pictures_are_told() -> None:
    cautioned = {entry.name for entry in CATALOGUE if "CC BY-NC" in entry.caution and "CC BY-NC" in entry.licence}

    assert cautioned == {"inat-birds", "inat-insects", "inat-plants"}


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(BadConfig, match=r'no model "ssd-mobilnet-v2".*did you mean "ssd-mobilenet-v2"'):
        find("ssd-mobilnet-v2")


def test_a_name_like_no_other_gets_none() -> None:
    with pytest.raises(BadConfig, match=r'"???" in the catalogue: `smartcam models list`'.replace("?", r"\?")):
        find("???")


def at_hand(file: File) -> bool:
    return isinstance(file.origin, GitHubFile) and (REAL / file.origin.path).exists()


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real models in ../shared/models")
def test_real_files_have_the_sizes_and_both_hashes_that_are_written_here() -> None:
    files = [file for file in ALL_FILES if at_hand(file)]

    assert len(files) >= 6
    for file in files:
        path = REAL / file.origin.path
        assert file.bytes == path.stat().st_size
        assert file.pin.algorithm == "sha256"
        assert file.pin.fits(path)
        assert file.origin.pin.fits(path)
