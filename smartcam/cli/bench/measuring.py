"""What the benchmarks share: a broker that costs them nothing, and how a figure is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartcam.cli.output import out, print_json


def tell(json: bool, name: str, figures: dict[str, Any], words: str) -> None:
    """One benchmark's figures: as an object for programs, in words for people."""
    if json:
        print_json({"bench": name, **figures})
    else:
        out().print(f"[bold]{name}[/]: {words}")


@contextmanager
def broker() -> Iterator[str]:
    """mosquitto where it is there: an embedded broker would be measured along."""
    from smartcam.cli.broker import embedded_broker, mosquitto

    with mosquitto() if shutil.which("mosquitto") else embedded_broker() as url:
        yield url
