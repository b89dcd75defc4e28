"""One file over HTTP: there, whole and verified, or not there.

A file arrives as ``NAME.part`` and gets its name only after its hash was right and its bytes were on the
disk. What an interrupted download left behind is continued by the next one.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from smartcam.errors import Unavailable

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told what is being done, how many bytes of it are there, and of how many, where that is known."""

BLOCK = 1 << 16
ATTEMPTS = 5
"""Connections for one file; each but the first only because the one before brought some of it."""


def quiet(_what: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


class Differs(Unavailable):
    """A file is not the one that was asked for."""


class _Interrupted(Exception):
    """The connection ended, or never began. The message is the reason."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The hash that says which file is wanted."""

    algorithm: Literal["sha256", "git-blob"]
    """A git blob id is the SHA-1 of ``blob SIZE\\0`` and the content."""
    digest: str

    def of(self, path: Path) -> str:
        """This algorithm's hash of the file at `path`, in hexadecimal."""
        with path.open("rb") as file:
            if self.algorithm == "sha256":
                return hashlib.file_digest(file, "sha256").hexdigest()
            head = b"blob %d\0" % os.fstat(file.fileno()).st_size
            return hashlib.file_digest(file, lambda: hashlib.sha1(head, usedforsecurity=False)).hexdigest()

    def fits(self, path: Path) -> bool:
        return path.is_file() and self.of(path) == self.digest


def download(
    url: str, target: Path, pin: Pin, *, max_bytes: int, progress: Progress = quiet, timeout_s: float = 20.0
) -> None:
    """Bring the file at `url` to `target`, or raise `Unavailable` and leave `target` as it was.

    `timeout_s` is the longest silence of the server, not the length of the download.
    """
    part = part_of(target)
    fetching = _Download(url, part, target.name, max_bytes, progress, timeout_s)
    with writing(target.parent):
        if not pin.fits(part):
            continued = fetching.complete()
            if continued and not pin.fits(part):
                # Its first bytes may have come from another version of the file: begin anew, once.
                fetching.forget()
                fetching.complete()
        try:
            keep(part, target, pin, url)
        finally:
            fetching.forget()


@dataclass(frozen=True, slots=True)
class _Download:
    url: str
    part: Path
    what: str
    max_bytes: int
    progress: Progress
    timeout_s: float

    @property
    def _tag(self) -> Path:
        """Holds what the server calls this version of the file."""
        return self.part.with_name(self.part.name + ".version")

    def complete(self) -> bool:
        """Fill `part` to its end; true when more than one connection, of now or earlier, brought it."""
        first = self._size()
        attempts = 0
        while True:
            before = self._size()
            attempts += 1
            try:
                self._receive()
            except _Interrupted as reason:
                if attempts == ATTEMPTS or self._size() <= before:
                    kept = "; what has arrived is kept, and the next try goes on from there" if self._size() else ""
                    raise Unavailable(f"cannot download {self.url}: {reason}; check the network{kept}") from None
            else:
                return first > 0 or attempts > 1

    def forget(self) -> None:
        """Remove what has arrived."""
        self.part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def _receive(self) -> None:
        """One honest attempt, beginning where `part` ends if the server still has that version."""
        with self._ask(self._size()) as answer:
            have = self._size() if answer.status == 206 else 0
            if have == 0:
                self._remember_version(answer)
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() else None
            self._limit(total or 0)
            with self.part.open("ab" if have else "wb") as file:
                for block in _blocks(answer):
                    have += len(block)
                    self._limit(have)
                    file.write(block)
                    self.progress(self.what, have, total)
        if total is not None and have < total:
            raise _Interrupted(f"the connection ended after {have} of {total} bytes")

    def _ask(self, start: int) -> HTTPResponse:
        """The server's answer: 206 with the bytes from `start` on, or 200 with all of them."""
        request = Request(self.url, headers={"User-Agent": "smartcam", "Accept-Encoding": "identity"})
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self._tag.exists():
                request.add_header("If-Range", self._tag.read_text())
        try:
            answer: HTTPResponse = urlopen(request, timeout=self.timeout_s)
        except HTTPError as error:
            error.close()
            if error.code == 416 and start:
                return self._ask(0)
            raise Unavailable(f"cannot download {self.url}: the server says {error.code} {error.reason}") from None
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise _Interrupted(str(reason) or type(reason).__name__) from None
        if answer.status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            answer.close()
            return self._ask(0)
        return answer

    def _remember_version(self, answer: HTTPResponse) -> None:
        etag = answer.headers.get("ETag", "")
        # RFC 9110 §13.1.5: a weak ETag may not stand in If-Range.
        version = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
        if version:
            self._tag.write_text(version)
        else:
            self._tag.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _limit(self, size: int) -> None:
        if size > self.max_bytes:
            self.forget()
            raise Differs(f"{self.url} is larger than the {self.max_bytes} bytes expected; nothing of it is kept")


def _blocks(answer: HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = answer.read(BLOCK)
        except (OSError, HTTPException) as error:
            raise _Interrupted(str(error) or type(error).__name__) from None
        if not block:
            return
        yield block


def part_of(target: Path) -> Path:
    """Where a file grows before it has its name."""
    return target.with_name(target.name + ".part")


def keep(part: Path, target: Path, pin: Pin, source: str) -> None:
    """Give a file that is complete its name, durably; or remove it and raise `Differs`, naming both hashes."""
    if (digest := pin.of(part)) != pin.digest:
        part.unlink()
        raise Differs(
            f"{source} is not the file expected: its {pin.algorithm} hash is {digest}, not {pin.digest}; "
            "nothing of it is kept"
        )
    with part.open("rb") as file:
        os.fsync(file.fileno())
    rename(part, target)


def rename(part: Path, target: Path) -> None:
    """Rename, and have the folder remember it also after a power cut."""
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a disk's refusal into a sentence. Errors of the network must not reach here as OSError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space there" if full else "name another folder with SMARTCAM_CACHE or cache in [node]"
        raise Unavailable(f"cannot keep downloads in {folder}: {error.strerror or error}; {remedy}") from error
