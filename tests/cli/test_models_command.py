"""The commands as a person or a program calls them; their one model lies in the cache already."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smartcam.cli.models import app
from smartcam.detect import catalogue
from smartcam.detect.catalogue import Entry, File
from smartcam.detect.origins import GitHubFile
from smartcam.errors import Unavailable

MODEL, LABELS = b"\0\0\0\0TFL3 and so on", b"???\nfox\ndeer\n"


def on_github(content: bytes, path: str) -> File:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return File(GitHubFile("who/what", "c" * 40, path, blob))


FOX = Entry(
    name="fox-finder",
    title="foxes by night",
    task="detect",
    licence="MIT",
    model=on_github(MODEL, "fox.tflite"),
    labels=on_github(LABELS, "labels.txt"),
    input_wh=(64, 32),
    caution="trained on borrowed foxes",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which the one model of a small catalogue lies, but was never verified."""
    monkeypatch.setattr(catalogue, "CATALOGUE", (FOX,))
    monkeypatch.setenv("SMARTCAM_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "fox-finder"
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(MODEL)
    (folder / "labels.txt").write_bytes(LABELS)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("cache")
def test_fetching_a_model_that_is_there_verifies_it_and_tells_where_it_is() -> None:
    [told] = objects(call("fetch", "fox-finder", "--json"))

    assert told["name"] == "fox-finder"
    assert Path(told["model"]).read_bytes() == MODEL
    assert Path(told["labels"]).read_bytes() == LABELS
    assert told["compiled"] is None
    assert told["sha256"]["model.tflite"] == hashlib.sha256(MODEL).hexdigest()


@pytest.mark.usefixtures("cache")
def test_a_caution_goes_to_stderr_and_leaves_the_data_alone() -> None:
    result = call("fetch", "fox-finder", "--json")

    assert "borrowed foxes" in result.stderr
    assert "borrowed foxes" not in result.stdout


@pytest.mark.usefixtures("cache")
def test_the_list_tells_what_is_fetched() -> None:
    assert [line["fetched"] for line in objects(call("list", "--json"))] == [False]
    call("fetch", "fox-finder")

    [line] = objects(call("list", "--json"))

    assert (line["name"], line["task"], line["licence"]) == ("fox-finder", "detect", "MIT")
    assert (line["fetched"], line["bytes"]) == (True, len(MODEL + LABELS))


def test_the_cache_option_wins(cache: Path, tmp_path: Path) -> None:
    call("fetch", "fox-finder")

    assert objects(call("list", "--json", "--cache", str(cache)))[0]["fetched"]
    assert not objects(call("list", "--json", "--cache", str(tmp_path / "other")))[0]["fetched"]


@pytest.mark.usefixtures("cache")
def test_the_table_names_every_model_and_what_it_is_good_at() -> None:
    result = call("list")

    assert result.exit_code == 0
    assert "fox-finder" in result.stdout
    assert "foxes by" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.usefixtures("cache")
def test_show_lists_the_labels_once_they_are_there() -> None:
    assert objects(call("show", "fox-finder", "--json"))[0]["labels"] is None
    call("fetch", "fox-finder")

    [shown] = objects(call("show", "fox-finder", "--json"))

    assert shown["labels"] == 3
    assert shown["label_names"] == ["???", "fox", "deer"]
    assert "3: ???, fox, deer" in call("show", "fox-finder").stdout
    assert shown["input"] == [64, 32]
    assert shown["files"][0]["pin"] == f"git-blob:{FOX.model.pin.digest}"
    assert shown["files"][0]["sha256"] == hashlib.sha256(MODEL).hexdigest()


@pytest.mark.usefixtures("cache")
def test_show_tells_people_origin_hash_and_caution() -> None:
    result = call("show", "fox-finder")

    assert result.exit_code == 0
    for part in (
        "foxes by night",
        "borrowed foxes",
        "github who/what",
        FOX.model.pin.digest,
        "models fetch fox-finder",
    ):
        assert part in result.stdout


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("command", ["fetch", "show"])
def test_an_unknown_name_is_a_usage_error_with_a_suggestion(command: str) -> None:
    result = call(command, "fox-findr")

    assert result.exit_code == 2
    assert '"fox-finder"' in result.stderr


def test_all_names_are_checked_before_anything_is_fetched(cache: Path) -> None:
    assert call("fetch", "fox-finder", "nonsense").exit_code == 2

    assert not (cache / "models" / "fox-finder" / "fetched.json").exists()


def test_what_goes_wrong_is_left_to_the_caller(cache: Path) -> None:
    """It maps the exception to one sentence and an exit code, for every command alike."""
    (cache / "file").touch()

    assert isinstance(call("fetch", "fox-finder", "--cache", str(cache / "file")).exception, Unavailable)


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from smartcam.cli.models import app; "
        "CliRunner().invoke(app, ['fetch', '--help']); "
        "print(*{'cv2', 'av', 'numpy', 'ai_edge_litert'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == ""
    assert done.returncode == 0
