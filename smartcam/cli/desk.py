"""Where one file of a configuration is edited: a copy of it among links to the others, so that all can be checked."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from smartcam.cli.check import understood
from smartcam.config.sources import FOLDERS, Sources, read
from smartcam.errors import BadConfig, SmartcamError


@dataclass(frozen=True, slots=True)
class Desk:
    """One file on it."""

    main: Path
    file: Path
    """The one that is edited."""
    folder: Path
    before: bytes | None
    """What was in it; None where it is new."""
    begun: bytes
    """That, or else a template: a copy that is still the same is no change."""
    resumed: bool
    """Whether the copy began as the rejected one."""

    @classmethod
    def laid(cls, main: Path, file: Path, template: str, *, resume: bool = False) -> Desk:
        """Put a copy there, of the file or, where there is none, of a template; to `resume` is to take the copy that
        was rejected.

        Raises:
            BadConfig: there is no main file.
            SmartcamError: the file cannot be read, or no copy be made.
        """
        if not main.exists():
            raise BadConfig(f"{main}: there is no such file: write one from config.example.toml")
        try:
            before = _bytes(file)
            folder = Path(tempfile.mkdtemp(prefix="smartcam-edit-"))
            desk = cls(main, file, folder, before, before or template.encode(), resume)
            desk._lay_out(rejected(file).read_bytes() if resume else desk.begun)
        except OSError as error:
            raise SmartcamError(
                f"{file} cannot be copied ({error.strerror}): do it as its owner, or as root"
            ) from error
        return desk

    @property
    def copy(self) -> Path:
        return self.folder / self.file.relative_to(self.main.parent)

    @property
    def is_unchanged(self) -> bool:
        return _bytes(self.copy) in (self.begun, None)

    @property
    def is_outdated(self) -> bool:
        """Whether the file is no longer what it was when the copy was made."""
        return _bytes(self.file) != self.before

    def problems(self) -> list[str]:
        """Everything that is wrong with the configuration with the copy in place of the file."""
        copied = self.folder / self.main.name
        try:
            found = read(copied)
            texts = {str(self.main) if name == found.main else name: text for name, text in found.texts.items()}
            understood(Sources(str(self.main), texts))
        except BadConfig as error:
            return str(error).replace(str(copied), str(self.main)).splitlines()
        return []

    def installed(self) -> Sources:
        """Put the copy in the place of the file, whole, with the mode and the owner that the file has, or else the
        main file; the links to a file are followed. Clears the desk as `discarded` does, and gives what is now there.

        Raises SmartcamError where that is not allowed, or there is no room.
        """
        place = self.file.resolve()
        try:
            self._put(place)
        except OSError as error:
            remedy = f"do it as its owner, or as root; your copy is {self.kept()}"
            raise SmartcamError(f"{self.file} cannot be written ({error.strerror}): {remedy}") from error
        self.discarded()
        return read(self.main)

    def kept(self) -> Path:
        """Where the copy is from now on: beside the file, in the place of one that was rejected before, and hidden from
        whoever reads the configuration. Clears the desk; where nothing can be written there, the copy stays on it.
        """
        place = rejected(self.file)
        try:
            self._put(place)
        except OSError:
            return self.copy
        self.cleared()
        return place

    def discarded(self) -> None:
        """Take everything away, with the rejected copy that this one began as."""
        self.cleared()
        if self.resumed:
            rejected(self.file).unlink(missing_ok=True)

    def cleared(self) -> None:
        """Take everything away that is on the desk."""
        shutil.rmtree(self.folder)

    def _put(self, place: Path) -> None:
        place.parent.mkdir(exist_ok=True)
        _replace(place, self.copy.read_bytes(), (self.file if self.file.exists() else self.main).stat())

    def _lay_out(self, text: bytes) -> None:
        for name in FOLDERS:
            (self.folder / name).mkdir()
        drop_ins = (path for name in FOLDERS for path in (self.main.parent / name).glob("[!.]*.toml"))
        for path in {self.main, *drop_ins} - {self.file}:
            (self.folder / path.relative_to(self.main.parent)).symlink_to(path.resolve())
        self.copy.write_bytes(text)


def rejected(file: Path) -> Path:
    """Where a copy of this file is kept that was not good yet."""
    return file.with_name(f".{file.stem}.rejected.toml")


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _replace(place: Path, data: bytes, like: os.stat_result) -> None:
    """Readers see the old file or the new one, and the disk has one of them."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as part:
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            part.write(data)
            part.flush()
            os.fsync(descriptor)
        Path(name).replace(place)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
