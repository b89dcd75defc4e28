"""Which files a configuration means, and which labels its rules may name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from smartcam.config import BadConfigFile, load, parse, read, understand
from smartcam.detect.catalogue import find
from smartcam.detect.model import UNNAMED, load_labels
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


def problems(text: str, file: Path) -> list[str]:
    """What is said about the labels, with the file's folder cut off."""
    file.write_text(text)
    sources = read(file)
    config = understand(sources)
    with pytest.raises(BadConfigFile) as refused:
        check_labels(config, Models.find(config), sources)
    with pytest.raises(BadConfigFile, match=re.escape(str(refused.value))):
        check_labels(config, Models.find(config), file)
    return [line.removeprefix(f"{file.parent}/") for line in str(refused.value).split("\n")]


def test_every_label_that_no_model_knows_is_told_with_its_line(place: Path) -> None:
    text = GOOD + '[group]\nwheels = ["car", "lory"]\n[rule.loiterer]\nsee = ["@wheels", "persn"]\n'
    lines = text.splitlines()
    (place / "rules.d").mkdir()
    (place / "rules.d/a.toml").write_text('[rule.more]\nsee = "car"\nwith = "man"\n')
    rule, group = lines.index('see = ["@wheels", "persn"]') + 1, lines.index('wheels = ["car", "lory"]') + 1
    assert problems(text, place / "smartcam.toml") == [
        f'smartcam.toml:{rule}: rule.loiterer.see: no model knows the label "persn" (did you mean "person"?); '
        "labels.txt lists them",
        f'smartcam.toml:{group}: group.wheels: no model knows the label "lory": there are car, person; '
        "no detector of the catalogue knows it either: it takes a model of your own, with file = … in [model.NAME]",
        'rules.d/a.toml:3: rule.more.with: no model knows the label "man" (did you mean "person"?); '
        "labels.txt lists them",
    ]


@pytest.mark.parametrize(
    ("label", "who"),
    [
        ("giraffe", "of the catalogue, ssd-mobilenet-v1, ssd-mobilenet-v2, ssd-mobilenet-v2-tf2 and 6 more know it"),
        ("footwear", "of the catalogue, objectron knows it: fetch one and name it in [model.NAME]"),
        ("face", "of the catalogue, ssd-mobilenet-v2-face knows it"),
        ("deer", "no detector of the catalogue knows it either"),
    ],
)
def test_who_knows_a_label_that_the_own_model_does_not(place: Path, label: str, who: str) -> None:
    (told,) = problems(GOOD + f'[rule.animal]\nsee = "{label}"\n', place / "smartcam.toml")
    assert f'no model knows the label "{label}": there are car, person; {who}' in told


def test_of_many_labels_some_are_told_and_where_the_others_are(place: Path) -> None:
    (place / "labels.txt").write_text("\n".join(["???", "person", "car", *(f"thing-{n:02d}" for n in range(40))]))
    (told,) = problems(GOOD + '[rule.animal]\nsee = "deer"\n', place / "smartcam.toml")
    assert "there are car, person, thing-00, " in told
    assert "thing-09 and 30 more, see labels.txt; no detector" in told
    assert "?" not in told


def test_a_label_for_a_second_look_must_be_one_that_the_detector_says(place: Path) -> None:
    text = (
        GOOD
        + '[[model.tiny.then]]\nsee = ["car", "bird"]\nmodel = "second"\n'
        + '[model.second]\nfile = "person.tflite"\nlabels = "labels.txt"\n'
    )
    (told,) = problems(text, place / "smartcam.toml")
    line = text.splitlines().index('see = ["car", "bird"]') + 1
    assert told.startswith(
        f'smartcam.toml:{line}: model.tiny.then.0.see: no model knows the label "bird": there are car, person; of the'
    )


def test_classes_without_names_are_not_checked() -> None:
    """How many there are is only known once the model is open."""
    config = parse(GOOD.replace('labels = "labels.txt"\n', "").replace('see = "person"', 'see = "class-0"'))
    check_labels(config, Models.find(config), Path("nowhere"))


def test_labels_are_told_also_where_the_file_is_gone() -> None:
    config = parse(GOOD + '[rule.animal]\nsee = "persn"\n')
    with pytest.raises(BadConfigFile, match=r"^nowhere: rule\.animal\.see: no model knows the label"):
        check_labels(config, Models.find(config), Path("nowhere"))


def test_the_example_configuration_names_labels_of_the_default_model() -> None:
    default_model()
    file = ROOT / "config.example.toml"
    config = load(file)
    models = Models.find(config)
    check_labels(config, models, file)
    assert {"person", "cat", "cattle"} <= set(models.labels())


def test_what_the_catalogue_says_of_a_model_is_what_its_label_file_says() -> None:
    default_model()
    config = parse('[camera.front]\nsource = "-"\n')
    assert set(Models.find(config).labels()) - {UNNAMED} == find("objectron").knows


def test_coco_is_what_its_label_file_says() -> None:
    file = ROOT.parent / "shared/models/coco_labels.txt"
    if not file.exists():
        pytest.skip(f"{file.name} is not at hand")
    assert set(load_labels(file)) - {UNNAMED, "n/a"} == find("mobiledet").knows
