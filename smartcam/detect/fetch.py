"""The cache of models: fetched once, verified, and found again by name.

A model lies in ``CACHE/models/NAME/``. Its stamp is written last, so that a model without one is not there
yet. One process at a time fetches into a folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from smartcam.detect.catalogue import Entry, File
from smartcam.detect.download import Pin, Progress, keep, part_of, quiet, rename, writing
from smartcam.detect.origins import PUBLIC, Origin, Sites, obtain
from smartcam.errors import BadConfig, Unavailable

STAMP = "fetched.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model in the cache, complete."""

    model: Path
    """For the CPU."""
    labels: Path
    compiled: Path | None
    """For an Edge TPU."""
    bytes: int
    """Of all its files."""
    sha256: dict[str, str]
    """Of each file, by its name; also of those that were pinned by another hash."""


def cache_folder(configured: str | None = None) -> Path:
    """Where downloads live: as configured, else $SMARTCAM_CACHE, systemd's $CACHE_DIRECTORY, the user's cache.

    Raises BadConfig where none of them says a place.
    """
    # systemd.exec(5): several folders are separated by colons; ours is the first.
    given = configured or os.environ.get("SMARTCAM_CACHE") or os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    try:
        if given:
            return Path(given).expanduser().absolute()
        # XDG Base Directory Specification: a relative path is invalid and to be ignored.
        caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (caches if caches.is_absolute() else Path.home() / ".cache") / "smartcam"
    except RuntimeError:
        raise BadConfig(
            "there is no home folder to keep downloads in: set SMARTCAM_CACHE, or cache in [node], to a folder"
        ) from None


def fetched(entry: Entry, cache: Path, *, verify: bool = False) -> Fetched | None:
    """The model, if it is there and complete: by its stamp and sizes, or by its hashes with `verify`."""
    folder = _folder(entry, cache)
    stamp = _read_stamp(folder)
    for name, file in entry.files.items():
        if not _stamped(file, folder / name, stamp.get(name)) or (verify and not file.pin.fits(folder / name)):
            return None
    return Fetched(
        model=folder / "model.tflite",
        labels=folder / "labels.txt",
        compiled=folder / "model_edgetpu.tflite" if entry.compiled else None,
        bytes=sum(stamp[name]["bytes"] for name in entry.files),
        sha256={name: stamp[name]["sha256"] for name in entry.files},
    )


def fetch(
    entry: Entry, cache: Path, *, progress: Progress = quiet, sites: Sites = PUBLIC, wait_s: float = 600.0
) -> Fetched:
    """The model, every file of which has the right hash; downloads only what is missing or damaged.

    Raises `Unavailable` where it cannot be had; what has arrived by then is kept for the next try.
    """
    folder = _folder(entry, cache)
    with writing(folder):
        if ready := fetched(entry, cache, verify=True):
            return ready
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, wait_s, progress):
            for origin, files in _wanted(entry, folder).items():
                _bring(origin, files, folder, sites, progress)
            _write_stamp(entry, folder)
    if ready := fetched(entry, cache):
        return ready
    raise Unavailable(f"something else changes the files in {folder}: fetch again when it has ended")


def _folder(entry: Entry, cache: Path) -> Path:
    return cache / "models" / entry.name


def _wanted(entry: Entry, folder: Path) -> dict[Origin, dict[str, File]]:
    """What is not there yet, or no longer as it should be, by where it comes from."""
    wanted: dict[Origin, dict[str, File]] = {}
    for name, file in entry.files.items():
        if not file.pin.fits(folder / name):
            wanted.setdefault(file.origin, {})[name] = file
    return wanted


def _bring(origin: Origin, files: dict[str, File], folder: Path, sites: Sites, progress: Progress) -> None:
    """Fetch an origin once, and make each of `files` of it."""
    whole = folder / Path(origin.path).name
    if not origin.pin.fits(whole):
        obtain(origin, whole, sites, progress)
    for name, file in files.items():
        part = _cut(whole, file.span, part_of(folder / name)) if file.span else whole
        keep(part, folder / name, file.pin, f"{name} of {origin}")
    whole.unlink(missing_ok=True)


def _cut(whole: Path, span: tuple[int, int], part: Path) -> Path:
    part.write_bytes(whole.read_bytes()[slice(*span)])
    return part


def _read_stamp(folder: Path) -> dict[str, Any]:
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(entry: Entry, folder: Path) -> None:
    stamp = {
        name: {
            "pin": file.pin.digest,
            "bytes": (folder / name).stat().st_size,
            "sha256": Pin("sha256", "").of(folder / name),
        }
        for name, file in entry.files.items()
    }
    part = part_of(folder / STAMP)
    with part.open("w") as text:
        json.dump(stamp, text, indent=1)
        text.flush()
        os.fsync(text.fileno())
    rename(part, folder / STAMP)


def _stamped(file: File, path: Path, record: Any) -> bool:
    """Whether the stamp's record is of this file, and the file still has the size that it had."""
    return (
        isinstance(record, dict)
        and record.get("pin") == file.pin.digest
        and isinstance(record.get("sha256"), str)
        and path.is_file()
        and path.stat().st_size == record.get("bytes")
    )


@contextmanager
def alone(folder: Path, wait_s: float, progress: Progress = quiet) -> Iterator[None]:
    """Keep other processes from fetching into `folder`; waits for one that does, `wait_s` at most."""
    gives_up = time.monotonic() + wait_s
    with (folder / ".lock").open("w") as lock:
        while not _locked(lock):
            if time.monotonic() > gives_up:
                raise Unavailable(f"another process has been fetching into {folder} for {wait_s:.0f} s: is it stuck?")
            progress("waiting for another process that fetches the same", 0, None)
            time.sleep(0.1)
        yield


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
