"""The real model, footage and pictures, where this machine has them or can get them; tests skip where it cannot."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from smartcam.cli.footage import CLIPS, fetch_footage
from smartcam.detect.catalogue import find
from smartcam.detect.fetch import Fetched, cache_folder, fetched
from smartcam.errors import Unavailable

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """A file of the folder beside the repository."""
    if not (path := SHARED / name).exists():
        pytest.skip(f"there is no ../shared/{name}")
    return path


def default_model() -> Fetched:
    """The default model, which `scripts/test` fetches."""
    if (here := fetched(find("objectron"), cache_folder())) is None:
        pytest.skip("the default model is not here (smartcam models fetch objectron)")
    return here


def footage() -> Path:
    """The street with people, bicycles and cars."""
    if reason := _why_there_is_no_footage():
        pytest.skip(f"the footage cannot be had: {reason}")
    return cache_folder() / "footage" / "bikes.mp4"


@cache
def _why_there_is_no_footage() -> str:
    if CLIPS["bikes.mp4"].fits(cache_folder() / "footage" / "bikes.mp4"):
        return ""
    try:
        fetch_footage(cache_folder(), timeout_s=60)
    except Unavailable as error:
        return str(error)
    return ""
