"""Which files a configuration means, and which labels its rules may name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smartcam.config import Config, load, parse
from smartcam.config.files import BadConfigFile
from smartcam.errors import BadConfig, Unavailable
from smartcam.pipeline.models import Models, check_labels
from tests.commands import GOOD, furnish, person_model
from tests.real import default_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(furnish(tmp_path))
    return tmp_path


def test_only_the_models_that_cameras_use_are_looked_for() -> None:
    models = Models.find(parse(GOOD + '[model.spare]\nfile = "nowhere.tflite"\n'))
    assert list(models.files) == ["tiny"]
    assert models.of_camera("back") == models.files["tiny"]
    assert models.labels() == ["car", "person"]


def test_an_event_says_which_file_it_was() -> None:
    digest = hashlib.sha256(person_model()).hexdigest()
    assert Models.find(parse(GOOD)).title("front") == f"tiny@sha256:{digest[:12]}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("person.tflite", "nowhere.tflite", r"^model\.tiny: nowhere\.tflite: there is no such model file"),
        ("person.tflite", "text.tflite", r"^model\.tiny: text\.tflite is not a TFLite model"),
        ("labels.txt", "nowhere.txt", r"^model\.tiny: nowhere\.txt: there is no such label file"),
        ("threads = 1", f'sha256 = "{"0" * 64}"', r"^model\.tiny: person\.tflite is damaged or another file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_section(old: str, new: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        Models.find(parse(GOOD.replace(old, new)))


def test_a_model_of_the_catalogue_that_is_not_here_tells_how_to_get_it(tmp_path: Path) -> None:
    config = parse(f'[node]\ncache = "{tmp_path}/cache"\n[camera.front]\nsource = "-"\n')
    with pytest.raises(Unavailable, match="run `smartcam models fetch objectron`"):
        Models.find(config)


def problems(text: str, file: Path) -> list[tuple[int | None, str, str]]:
    file.write_text(text)
    config: Config = load(file)
    with pytest.raises(BadConfigFile) as refused:
        check_labels(config, Models.find(config), file)
    return [(problem.line, problem.key, problem.message) for problem in refused.value.problems]


def test_every_label_that_no_model_knows_is_told_with_its_line(place: Path) -> None:
    text = GOOD + '[group]\nwheels = ["car", "lory"]\n[rule.loiterer]\nsee = ["@wheels", "persn"]\n'
    lines = text.splitlines()
    assert problems(text, place / "smartcam.toml") == [
        (
            lines.index('see = ["@wheels", "persn"]') + 1,
            "rule.loiterer.see",
            'no model knows the label "persn" (did you mean "person"?); labels.txt lists them',
        ),
        (
            lines.index('wheels = ["car", "lory"]') + 1,
            "group.wheels",
            'no model knows the label "lory"; labels.txt lists them',
        ),
    ]


def test_classes_without_names_are_not_checked() -> None:
    """How many there are is only known once the model is open."""
    config = parse(GOOD.replace('labels = "labels.txt"\n', "").replace('see = "person"', 'see = "class-0"'))
    check_labels(config, Models.find(config), Path("nowhere"))


def test_the_example_configuration_names_labels_of_the_default_model() -> None:
    default_model()
    file = ROOT / "config.example.toml"
    config = load(file)
    models = Models.find(config)
    check_labels(config, models, file)
    assert {"person", "cat", "cattle"} <= set(models.labels())
