"""What a good configuration should rather not say."""

from __future__ import annotations

from collections.abc import Iterator

from smartcam.config.files import Problem
from smartcam.config.secrets import masked
from smartcam.config.sections import Config


def warnings(config: Config, file: str) -> Iterator[Problem]:
    """What works, and is not wise; `file` is what the messages call it. None of them shows a password."""
    for name, camera in config.camera.items():
        for key, text in camera.streams.items():
            if masked(text) != text:
                yield Problem(
                    file,
                    None,
                    f"camera.{name}.{key}",
                    "a password stands in it: give username and password_file instead, "
                    "or keep this file readable for the daemon alone",
                )
        if camera.record == camera.source:
            yield Problem(
                file, None, f"camera.{name}.record", "it is the same stream as source, which is then fetched twice"
            )
