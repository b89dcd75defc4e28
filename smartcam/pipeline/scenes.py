"""Kept scenes: what was seen in a clip, without its pictures, so that other rules can judge it in seconds.

A file of gzip'd JSON lines for each clip and each way of looking at it. Its first line says what it is of; every other
one is a scene, with those of its tracks that changed since the one before. Times are the recording's own, and floats
are exact: the same rules say the same, byte for byte, whenever the recording is said to have begun. A file that is
damaged or of something else is as good as none. Those that were not used for longest make room for new ones.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from pydantic import TypeAdapter

import smartcam
from smartcam.data import Detections, Scene, Track
from smartcam.detect.devices import find_edge_tpus
from smartcam.pipeline.models import Models
from smartcam.rules.labels import expand

FORMAT = 1
MAX_BYTES = 256 * 1024 * 1024
"""Of all kept scenes together: four hours of ten tracks that never rest, or months of an ordinary yard."""
MAX_FILES = 1000
MAX_READ = 64 * 1024 * 1024
"""Of one clip's, unpacked: they are read as a whole, because the checksum of a sound file is at its end."""

MADE_BY = ("camera", "detect", "pipeline", "data.py", "geometry.py", "track.py")
"""What of this package has a hand in a scene."""
LIBRARIES = ("ai-edge-litert", "av", "numpy", "opencv-python-headless", "tflite-runtime")
NOT_OF_CLIPS = {"source", "record", "username", "password_file"}
"""What a camera's section says that a recording has nothing to do with."""

Row: TypeAlias = tuple[float, bool, tuple[Track, ...], tuple[int, ...]]
"""A scene: `at`, `looked`, the tracks that are not as they were in the scene before, and the ids of all in order."""

# pydantic reads and writes a row twice as fast as json and dataclasses do, and float by float the same.
ROWS = TypeAdapter[Row](Row)

log = logging.getLogger(__name__)


class KeptScenes:
    """A folder of them."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_files = max_files

    def find(self, key: str, camera: str, wall_start: float) -> Iterator[Scene] | None:
        """The scenes of this key, as if `camera` had taken them from `wall_start` (Unix seconds) on.

        None where there is no such file, or it is not sound from its first byte to the last.
        """
        path = self._path(key)
        try:
            lines = io.BytesIO(gzip.decompress(path.read_bytes()))
            os.utime(path)
        except (OSError, EOFError, zlib.error):
            return None
        return _scenes(lines, camera, wall_start) if lines.readline() == _head(key) else None

    def keeping(self, key: str) -> Keeper:
        """Where the scenes of a clip go while it is looked at."""
        return Keeper(self, self._path(key), key, self._max_bytes)

    def make_room(self) -> None:
        """Remove what was not used for longest, until the rest is small and few enough."""
        found = [(path, path.stat()) for path in self._folder.iterdir()]
        total = 0
        for number, (path, stat) in enumerate(sorted(found, key=lambda each: -each[1].st_mtime), start=1):
            total += stat.st_size
            if total > self._max_bytes or number > self._max_files:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.jsonl.gz"


class Keeper:
    """Writes one clip's scenes, whole or not at all. Raises nothing: where they cannot be kept, they are not."""

    def __init__(self, kept: KeptScenes, path: Path, key: str, max_bytes: int) -> None:
        self._kept = kept
        self._path = path
        self._key = key
        self._max_bytes = max_bytes
        self._last: dict[int, Track] = {}
        self._stack = ExitStack()
        self._part: tempfile._TemporaryFileWrapper[bytes] | None = None
        self._zip: gzip.GzipFile | None = None
        self._bytes = 0
        self._gave_up = False

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = tempfile.NamedTemporaryFile(dir=self._path.parent, suffix=".part", delete=False)
            self._stack.callback(Path(part.name).unlink, missing_ok=True)
            self._part = self._stack.enter_context(part)
            self._zip = gzip.GzipFile("", "wb", compresslevel=1, fileobj=part, mtime=0)
            self._zip.write(_head(self._key))
        except OSError as error:
            self.give_up(str(error))
        return self

    def write(self, scene: Scene) -> None:
        """The clip's next scene."""
        if self._gave_up or not self._zip or not self._part:
            return
        last = self._last
        changed = tuple(track for track in scene.tracks if last.get(track.id) != track)
        self._last = {track.id: track for track in scene.tracks}
        try:
            row = ROWS.dump_json((scene.at, scene.looked, changed, tuple(self._last))) + b"\n"
            self._bytes += len(row)
            if self._bytes > MAX_READ or self._part.tell() > self._max_bytes:
                self.give_up("too large")
                return
            self._zip.write(row)
        except OSError as error:
            self.give_up(str(error))

    def give_up(self, reason: str) -> None:
        """These scenes are not worth keeping, or cannot be kept."""
        self._gave_up = True
        log.info("%s is not kept: %s", self._path.name, reason)

    def __exit__(self, failed: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        with suppress(OSError), self._stack:
            if self._zip and self._part:
                self._zip.close()
                self._part.flush()
                if not self._gave_up and not failed:
                    os.fsync(self._part.fileno())
                    Path(self._part.name).replace(self._path)
                    self._kept.make_room()


def _scenes(lines: Iterable[bytes], camera: str, wall_start: float) -> Iterator[Scene]:
    known: dict[int, Track] = {}
    nothing = Detections.none()
    for line in lines:
        at, looked, changed, ids = ROWS.validate_json(line)
        for track in changed:
            known[track.id] = track
        yield Scene(camera, at, wall_start + at, tuple([known[id_] for id_ in ids]), looked, None, nothing)


def _head(key: str) -> bytes:
    return json.dumps({"scenes": FORMAT, "key": key}).encode() + b"\n"


def key_of(clip: Path, models: Models, camera: str) -> str | None:
    """A name for all that a clip's scenes depend on where this camera looks at it; None for what is no recording."""
    config = models.config
    content = _content(clip)
    if content is None:
        return None
    model = config.model_of(camera)
    depends_on = {
        "format": FORMAT,
        "clip": content,
        "camera": config.camera[camera].model_dump(exclude=NOT_OF_CLIPS),
        "detector": model,
        "models": {name: (config.model[name].model_dump(), asdict(file)) for name, file in models.files.items()},
        "second looks": [sorted(expand(then.see, config.group) or ()) for then in config.model[model].then],
        "edge tpus": len(find_edge_tpus()),
        "made by": _makers(),
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _content(clip: Path) -> str | None:
    """The hash of a file, or of a folder's files and their names."""
    try:
        if clip.is_file():
            return _sha256(clip)
        if clip.is_dir():
            return hashlib.sha256(
                "".join(f"{path.name}\0{_sha256(path)}\0" for path in sorted(clip.iterdir()) if path.is_file()).encode()
            ).hexdigest()
    except OSError:
        pass  # Whoever plays it says what is wrong.
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _makers() -> dict[str, str]:
    """The code that scenes come of. A version alone says too little where somebody is changing it."""
    package = Path(smartcam.__file__).parent
    code = hashlib.sha256()
    for path in _modules(package / each for each in MADE_BY):
        code.update(path.read_bytes())
    made_by = {"smartcam": smartcam.__version__, "code": code.hexdigest()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            made_by[library] = version(library)
    return made_by


def _modules(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.rglob("*.py")) if place.is_dir() else [place]
