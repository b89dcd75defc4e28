"""What a camera's `source` means: which of the forms it is, and how it is opened."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit

from smartcam.config.sections import Camera
from smartcam.errors import BadConfig, Unavailable

Kind: TypeAlias = Literal["file", "pictures", "network", "device", "command"]

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png"})
MAX_SECRET_BYTES = 4096
MAX_PIXELS = 64 * 1024 * 1024
"""A picture of more is refused before it is decoded: one takes at least 96 MiB of memory."""

COMMAND_FORMATS = {
    "auto": None,
    "h264": "h264",
    "h265": "hevc",
    "mjpeg": "mjpeg",
    "mpegts": "mpegts",
    "i420": "rawvideo",
}
"""The demultiplexer for what a command writes; None probes."""

# Up to the last @ of the word: whoever forgot to escape an @ or a slash must not see it in the log either.
URL_PASSWORD = re.compile(r"(://[^:/?#@\s\"']*:)[^\s\"']*@")
SECRET_NAME = r"(?:password|passwd|passphrase|pass|pwd|psw|pw|token|secret|apikey|api_key|key|auth)"
NAMED_SECRET = re.compile(
    rf"((?<![a-z]){SECRET_NAME}\s*[=:]\s*|\s--?[a-z-]*{SECRET_NAME}\s+)(\"[^\"]*\"|'[^']*'|[^\s&\"']+)", re.IGNORECASE
)
"""``password=…`` in a query or on a command line, ``--password …``, and ``password: …`` in a message."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it is opened. `place` and `command` may hold a password; `shown` does not."""

    kind: Kind
    shown: str
    place: str = field(default="", repr=False)
    """What the demultiplexer opens."""
    command: tuple[str, ...] = field(default=(), repr=False)
    pictures: tuple[Path, ...] = ()
    av_format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    """The demultiplexer's."""

    @property
    def live(self) -> bool:
        """Whether it comes when it comes, rather than as fast as it is read."""
        return self.kind in ("network", "device", "command")


def shown(text: str) -> str:
    """A source, or what a program said about it, without its passwords."""
    return NAMED_SECRET.sub(r"\1***", URL_PASSWORD.sub(r"\1***@", text))


def find(config: Camera) -> Source:
    """The source that is meant. Raises Unavailable when it is not there, BadConfig when it cannot be meant."""
    source = config.source
    if source.startswith("exec:"):
        return command(config)
    if "://" in source:
        return network(config)
    if source.startswith("/dev/"):
        return device(config)
    return on_disk(Path(source).expanduser())


def on_disk(path: Path) -> Source:
    if path.is_dir():
        pictures = tuple(sorted(entry for entry in path.iterdir() if entry.suffix.lower() in PICTURES))
        if not pictures:
            raise Unavailable(f"{path}: no pictures in this folder; put .jpg, .png or .bmp files there")
        return Source("pictures", str(path), pictures=pictures)
    if not path.is_file():
        raise Unavailable(f"{path}: no such file or folder; correct the path, or put the file there")
    if path.suffix.lower() in PICTURES:
        return Source("pictures", str(path), pictures=(path,))
    # The prefix keeps a colon in a file's name from being read as a protocol.
    return Source("file", str(path), place=f"file:{path}")


def network(config: Camera) -> Source:
    scheme = config.source.partition("://")[0].lower()
    timeout = ("timeout", str(int(config.read_timeout * 1e6)))
    options = [timeout]
    if scheme in ("rtsp", "rtsps"):
        options += [("rtsp_transport", "tcp"), ("allowed_media_types", "video")]
    elif scheme not in ("http", "https"):
        raise BadConfig(
            f"{shown(config.source)}: {scheme}:// is not a source; "
            "use rtsp://, rtsps://, http://, https://, /dev/videoN, exec:COMMAND or a file"
        )
    return Source("network", shown(config.source), place=with_credentials(config), options=tuple(options))


def with_credentials(config: Camera) -> str:
    """The URL with the user name and the password that stand beside it in the configuration."""
    if not config.username and not config.password_file:
        return config.source
    try:
        url = urlsplit(config.source)
    except ValueError:
        raise BadConfig(f"{shown(config.source)}: not a URL; percent-encode special characters in it") from None
    user = quote(config.username, safe="") if config.username else url.username
    if not user:
        raise BadConfig(f"{shown(config.source)}: a password_file without a username; give the username too")
    password = quote(secret(config.password_file), safe="") if config.password_file else url.password
    login = f"{user}:{password}" if password else user
    return url._replace(netloc=f"{login}@{url.netloc.rpartition('@')[2]}").geturl()


def secret(path: str) -> str:
    """The first line of a password's file."""
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            password = file.readline(MAX_SECRET_BYTES).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Unavailable(f"password_file {path}: {why}; make it readable for the daemon") from None
    if not password:
        raise Unavailable(f"password_file {path}: its first line is empty; write the password there")
    return password


def device(config: Camera) -> Source:
    if not Path(config.source).exists():
        raise Unavailable(f"{config.source}: no such device; plug the camera in, or see `ls /dev/video*`")
    options = {
        "input_format": config.pixel_format,
        "video_size": "{}x{}".format(*config.size) if config.size else None,
        "framerate": f"{config.fps:g}" if config.fps else None,
    }
    given = tuple((key, value) for key, value in options.items() if value)
    return Source("device", config.source, place=config.source, av_format="v4l2", options=given)


def command(config: Camera) -> Source:
    text = config.source.removeprefix("exec:").strip()
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadConfig(f"exec:{shown(text)}: {str(error).lower()}; close the quotes as for a shell") from None
    if not words:
        raise BadConfig("exec: without a command; write the program and its arguments after the colon")
    return Source(
        "command",
        f"exec:{shown(text)}",
        command=words,
        av_format=COMMAND_FORMATS[config.format],
        options=raw_options(config) if config.format == "i420" else (),
    )


def raw_options(config: Camera) -> tuple[tuple[str, str], ...]:
    if config.size is None:
        raise BadConfig('format = "i420" has no size of its own: give the command\'s as size = "WIDTHxHEIGHT"')
    width, height = config.size
    if width * height > MAX_PIXELS:
        raise BadConfig(f"size = {width}x{height} is larger than {MAX_PIXELS >> 20} megapixels; choose a smaller one")
    return (
        ("pixel_format", "yuv420p"),
        ("video_size", f"{width}x{height}"),
        ("framerate", f"{config.fps or 25:g}"),
    )
