"""What a camera's `source` and `record` may be, as far as their text alone tells."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from smartcam.config.values import shown

Form: TypeAlias = Literal["file", "network", "device", "command"]

SCHEMES = ("rtsp", "rtsps", "http", "https")
PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


def form_of(stream: str) -> Form:
    """Which of the forms a stream has. "file" may be a folder too."""
    if stream.startswith("exec:"):
        return "command"
    if "://" in stream:
        return "network"
    return "device" if stream.startswith("/dev/") else "file"


def words_of(stream: str) -> tuple[str, ...]:
    """The program and the arguments of ``exec:…``, split as a shell would, with nothing expanded.

    Raises ValueError, with a sentence that does not repeat the command, when there are none.
    """
    try:
        words = tuple(shlex.split(stream.removeprefix("exec:")))
    except ValueError as error:
        raise ValueError(f"{str(error).lower()} in the command; close the quotes as for a shell") from None
    if not words:
        raise ValueError("exec: without a command; write the program and its arguments after the colon")
    return words


def url_of(stream: str) -> SplitResult:
    """The parts of a network stream. Raises ValueError, with a sentence without its password, when it is none."""
    scheme = stream.partition("://")[0]
    if scheme.lower() not in SCHEMES:
        forms = ", ".join(f"{known}://" for known in SCHEMES)
        raise ValueError(f"{shown(scheme)} is no kind of source; use {forms}, /dev/videoN, exec:COMMAND or a file")
    try:
        url = urlsplit(stream)
        complete = url.hostname and url.port != 0
    except ValueError:  # half an IPv6 address, or a port that is no number
        complete = False
    if not complete:
        raise ValueError(
            f"not a URL: write {scheme.lower()}://HOST/PATH, and percent-encode special characters of a password"
        )
    return url


def stream(text: str) -> str:
    """A text that can be a source. Raises ValueError, with a sentence without its passwords, when it cannot."""
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no name can; take it out")
    match form_of(text):
        case "command":
            words_of(text)
        case "network":
            url_of(text)
    return text


def video(text: str) -> str:
    """A text that can be a source and is not a picture."""
    if form_of(text) == "file" and PurePath(text).suffix.lower() in PICTURES:
        raise ValueError("a record stream cannot be a picture; give a video stream or a file")
    return stream(text)
