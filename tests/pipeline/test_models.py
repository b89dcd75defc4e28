"""Which files a configuration means, and which labels its rules may name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from smartcam.config import BadConfigFile, Sources, load, parse, read, understand
from smartcam.detect.catalogue import find
from smartcam.detect.model import UNNAMED, load_labels
from smartcam.errors import BadConfig, Unavailable
from smartcam.pipeline.models import Models, check_labels
from smartcam.pipeline.plan import understood
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
        f'smartcam.toml:{rule}: rule.loiterer.see: no model here knows "persn" (did you mean "person"?); '
        "labels.txt lists all labels",
        'rules.d/a.toml:3: rule.more.with: no model here knows "man" (did you mean "person"?); '
        "labels.txt lists all labels",
        f'smartcam.toml:{group}: group.wheels: no model here knows "lory", and no detector of the catalogue does: '
        "it takes one of your own, with file = … in [model.NAME]; the labels here are car, person",
    ]


@pytest.mark.parametrize(
    ("label", "who"),
    [
        (
            "giraffe",
            ': run `smartcam models fetch ssd-mobilenet-v1`, then write use = "ssd-mobilenet-v1" in [model.NAME] '
            "(or one of 8 more, see `smartcam models list`); the labels here are car, person",
        ),
        (
            "footwear",
            ': run `smartcam models fetch objectron`, then write use = "objectron" in [model.NAME]; '
            "the labels here are car, person",
        ),
        (
            "deer",
            ", and no detector of the catalogue does: it takes one of your own, with file = … in [model.NAME]; "
            "the labels here are car, person",
        ),
    ],
)
def test_who_knows_a_label_that_the_own_model_does_not(place: Path, label: str, who: str) -> None:
    (told,) = problems(GOOD + f'[rule.animal]\nsee = "{label}"\n', place / "smartcam.toml")
    assert told == f'smartcam.toml:22: rule.animal.see: no model here knows "{label}"{who}'


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("wheels", 'no model here knows "wheels" (did you mean the group "@wheels"?)'),
        ("person, car", '"person, car" is one text: write ["person", "car"]'),
        ("car and person", '"car and person" is one text: write ["car", "person"]'),
        ("automobile", 'no model here knows "automobile" (did you mean "car"?); labels.txt lists all labels'),
    ],
)
def test_what_may_have_been_meant_by_a_label(place: Path, label: str, sentence: str) -> None:
    text = GOOD + f'[group]\nwheels = ["car"]\n[rule.r]\nsee = "{label}"\n'
    assert problems(text, place / "smartcam.toml") == [f"smartcam.toml:24: rule.r.see: {sentence}"]


def test_a_fox_is_no_box(place: Path) -> None:
    (place / "labels.txt").write_text("person\nbox\n")
    (told,) = problems(GOOD + '[rule.animal]\nsee = "fox"\n', place / "smartcam.toml")
    assert 'no model here knows "fox", and no detector' in told


SECOND = '[model.second]\nfile = "person.tflite"\nlabels = "birds.txt"\n'


def test_a_rule_is_judged_by_the_models_of_its_own_cameras(place: Path) -> None:
    (place / "birds.txt").write_text("bird\nowl\n")
    cameras = GOOD.replace("rotate = 180", 'model = "second"') + SECOND
    text = cameras.replace('see = "person"\ncamera = "back"', 'see = "owl"\ncamera = "back"')
    rules = '[rule.a]\nsee = "owl"\ncamera = "front"\n[rule.b]\nsee = ["owl", "car"]\n'
    file = place / "smartcam.toml"
    assert problems(text + rules, file) == [
        f"smartcam.toml:{(text + rules).splitlines().index('[rule.a]') + 2}: rule.a.see: "
        'no model of this rule knows "owl", but "second" does: run it on camera "back", which has that',
    ]


def test_a_rule_may_wait_for_what_a_second_look_says(place: Path) -> None:
    (place / "birds.txt").write_text("bird\nowl\n")
    text = GOOD + SECOND + '[[model.tiny.then]]\nsee = "car"\nmodel = "second"\n[rule.owls]\nsee = "owl"\n'
    config = parse(text)
    check_labels(config, Models.find(config), place)


def everything(text: str) -> list[str]:
    with pytest.raises(BadConfigFile) as refused:
        understood(Sources("s.toml", {"s.toml": text}))
    return str(refused.value).split("\n")


def test_labels_are_told_together_with_all_else() -> None:
    wrong = '[rule.r]\nsee = "persn"\ndo = "snapshot"\nzone = "yard"\nunless = "home"\n'
    assert everything(GOOD + wrong) == [
        's.toml:22: rule.r.see: no model here knows "persn" (did you mean "person"?); labels.txt lists all labels',
        's.toml:23: rule.r.do: it should be a list, but it is "snapshot": write ["snapshot"]',
        's.toml:24: rule.r.zone: no zone "yard": there is none, add [zone.yard]',
        's.toml:25: rule.r.unless: no mode "home": there are "armed", "disarmed"; add [mode.home] for one more',
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        '[model.tiny]\nuse = "x"\n',
        '[camera.side]\nsource = "x"\nmodel = "big"\n',
        '[models.big]\nuse = "mobiledet"\n',
        '[group]\npets = ["@dogs"]\n',
        "[camera.gate]\nsource = 5\nmodel = 5\n",
        '[model.second]\nuse = "inat-birds"\nthreads = -1\n',
    ],
)
def test_no_label_is_doubted_where_what_may_know_it_is_wrong(wrong: str) -> None:
    rule = '[rule.r]\nsee = "@pets"\n' if "pets" in wrong else '[rule.r]\nsee = "owl"\n'
    assert not any("knows" in problem for problem in everything(GOOD + wrong + rule))


def test_without_its_models_a_configuration_is_refused_for_the_rest_alone(tmp_path: Path) -> None:
    text = f'[node]\ncache = "{tmp_path}/cache"\n[camera.front]\nsource = "-"\n[rule.r]\nsee = "owl"\n'
    (problem,) = everything(text + "score = 2\n")
    assert problem.endswith("rule.r.score: it should be at most 1, but it is 2")
    with pytest.raises(Unavailable, match="run `smartcam models fetch objectron`"):
        understood(Sources("s.toml", {"s.toml": text}))


def test_of_many_labels_some_are_told_and_where_the_others_are(place: Path) -> None:
    (place / "labels.txt").write_text("\n".join(["???", "person", "car", *(f"thing-{n:02d}" for n in range(40))]))
    (told,) = problems(GOOD + '[rule.animal]\nsee = "deer"\n', place / "smartcam.toml")
    assert "; the labels here are car, person, thing-00, " in told
    assert told.endswith("thing-09 and 30 more, see labels.txt")
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
        f'smartcam.toml:{line}: model.tiny.then.see: the model "tiny" does not know "bird": run `smartcam models fetch'
    )


def test_classes_without_names_are_not_checked() -> None:
    """How many there are is only known once the model is open."""
    config = parse(GOOD.replace('labels = "labels.txt"\n', "").replace('see = "person"', 'see = "class-0"'))
    check_labels(config, Models.find(config), Path("nowhere"))


def test_labels_are_told_also_where_the_file_is_gone() -> None:
    config = parse(GOOD + '[rule.animal]\nsee = "persn"\n')
    with pytest.raises(BadConfigFile, match=r"^nowhere: rule\.animal\.see: no model here knows"):
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
