"""What a camera's `source` means: which of the forms it is, and how it is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

from smartcam.config.secrets import masked
from smartcam.config.sections import Camera
from smartcam.config.streams import PICTURES, form_of, url_of, words_of
from smartcam.errors import Unavailable

Kind: TypeAlias = Literal["file", "pictures", "network", "device", "command"]

MAX_SECRET_BYTES = 4096

COMMAND_FORMATS = {
    "auto": None,
    "h264": "h264",
    "h265": "hevc",
    "mjpeg": "mjpeg",
    "mpegts": "mpegts",
    "i420": "rawvideo",
}
"""The demultiplexer for what a command writes; None probes."""


NONBLOCK = "+4"
"""AVFMT_FLAG_NONBLOCK, which has no name among FFmpeg's options. With it a device that has no picture yet says so;
without it, FFmpeg waits in the driver, for ever when the cable is loose."""


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


def find(config: Camera, *, sound: bool = False) -> Source:
    """The source that is meant, which is asked for its `sound` too if that is wanted.

    Raises Unavailable when it is not there.
    """
    try:
        return looked_up(config, sound)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise Unavailable(f"{masked(config.source)}: {why}; correct the path, or its rights") from None


def looked_up(config: Camera, sound: bool) -> Source:
    """What the text of a `source` means on this machine. Raises Unavailable or BadConfig with the remedy."""
    match form_of(config.source):
        case "command":
            return command(config)
        case "network":
            return network(config, sound)
        case "device":
            return device(config)
    return on_disk(home(config.source))


def home(text: str) -> Path:
    """A path with its ``~`` resolved, or left alone where there is no such user: pathlib's own would raise."""
    return Path(os.path.expanduser(text))  # noqa: PTH111


def on_disk(path: Path) -> Source:
    """A video file, a picture, or a folder of pictures. Raises Unavailable where it is none of them."""
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


def network(config: Camera, sound: bool) -> Source:
    # The socket's own time-out stands behind PyAV's, which bound the whole of a step: it must not come first.
    patience_s = max(config.open_timeout, config.read_timeout)
    options = [("timeout", str(int(patience_s * 1e6)))]
    if url_of(config.source).scheme in ("rtsp", "rtsps"):
        options += [("rtsp_transport", "tcp"), ("allowed_media_types", "video+audio" if sound else "video")]
    return Source("network", masked(config.source), place=with_credentials(config), options=tuple(options))


def with_credentials(config: Camera) -> str:
    """The URL with the user name and the password that stand beside it in the configuration."""
    if not config.username and not config.password_file:
        return config.source
    url = url_of(config.source)
    user = quote(config.username, safe="") if config.username else url.username
    password = quote(secret(config.password_file), safe="") if config.password_file else url.password
    login = f"{user}:{password}" if password else user
    return url._replace(netloc=f"{login}@{url.netloc.rpartition('@')[2]}").geturl()


def secret(path: str) -> str:
    """The first line of a password's file."""
    try:
        with home(path).open(encoding="utf-8") as file:
            password = file.readline(MAX_SECRET_BYTES).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Unavailable(f"password_file {path}: {why}; make it readable for the daemon") from None
    if not password:
        raise Unavailable(f"password_file {path}: its first line is empty; write the password there")
    return password


def device(config: Camera) -> Source:
    """A V4L2 device, asked for the configured format, size and rate. Raises Unavailable where it is not there."""
    if not Path(config.source).exists():
        raise Unavailable(f"{config.source}: no such device; plug the camera in, or see `ls /dev/video*`")
    options = {
        "input_format": config.pixel_format,
        "video_size": "{}x{}".format(*config.size) if config.size else None,
        "framerate": f"{config.fps:g}" if config.fps else None,
        "fflags": NONBLOCK,
    }
    given = tuple((key, value) for key, value in options.items() if value)
    return Source("device", config.source, place=config.source, av_format="v4l2", options=given)


def command(config: Camera) -> Source:
    return Source(
        "command",
        masked(" ".join(config.source.split())),
        command=words_of(config.source),
        av_format=COMMAND_FORMATS[config.format],
        options=raw_options(config) if config.format == "i420" else (),
    )


def raw_options(config: Camera) -> tuple[tuple[str, str], ...]:
    assert config.size, "i420 is refused without a size"
    width, height = config.size
    return (
        ("pixel_format", "yuv420p"),
        ("video_size", f"{width}x{height}"),
        ("framerate", f"{config.fps or 25:g}"),
    )
