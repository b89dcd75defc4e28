"""What stands around the code: scripts that parse, a unit that systemd understands, one version."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import smartcam

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "smartcam.service"
SCRIPTS = [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_scripts_are_free_of_the_shells_known_traps() -> None:
    checked = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, check=False)
    assert checked.stdout == ""


def test_setup_refuses_an_option_that_it_does_not_know() -> None:
    refused = subprocess.run([ROOT / "scripts" / "setup", "--help"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (2, "usage: scripts/setup [--tflite]\n")


def test_setup_without_a_python_that_suits_says_which_it_needs(tmp_path: Path) -> None:
    """In a folder of its own, with a PATH that has only what the script itself calls."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    for file in ("scripts/setup", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    for tool in ("bash", "dirname", "flock", "mktemp", "rm", "sha256sum"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    refused = subprocess.run(
        [tmp_path / "scripts" / "setup"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "needs Python 3.11 to 3.13, and finds none" in refused.stderr


def test_the_unit_says_what_the_daemon_relies_on() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's documented way to keep the case
    unit.read(UNIT)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert (
        dict(unit["Service"]).items()
        >= {
            "Type": "notify",
            "Restart": "always",
            "RestartPreventExitStatus": "78",
            "StateDirectory": "smartcam",
            "RuntimeDirectory": "smartcam",
            "CacheDirectory": "smartcam",
        }.items()
    )
    assert "WatchdogSec" in unit["Service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """It exits with 0 at an unknown key, so it has to be silent too."""
    unit = tmp_path / "smartcam.service"
    unit.write_text(UNIT.read_text().replace("/opt/smartcam/bin/smartcam", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_there_is_one_version() -> None:
    assert version("smartcam") == smartcam.__version__


def test_the_licence_is_there_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_changes_that_are_not_released_yet_have_their_place() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()
