"""How commands look at what the daemon keeps: only as much of the configuration is read as says where, and how much.

So a configuration that is broken elsewhere does not matter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartcam.cli.output import DEFAULT_CONFIG
from smartcam.errors import BadConfig, SmartcamError

if TYPE_CHECKING:
    import sqlite3

    from smartcam.config.delivery import Keep


def store_folder(config: Path) -> Path:
    """Where the daemon keeps its store. Raises BadConfig."""
    from smartcam.service.folders import state_folder

    data = _table(config, "node").get("data")
    return state_folder(data if isinstance(data, str) else None)


def quotas(config: Path) -> Keep:
    """What is kept, and how long. Raises BadConfig where that cannot be understood."""
    from pydantic import ValidationError

    from smartcam.config.delivery import Keep

    try:
        return Keep.model_validate(_table(config, "keep"))
    except ValidationError:
        raise BadConfig(f"{config}: [keep] cannot be understood: `smartcam check {config}` tells why") from None


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store, beside the daemon. Raises SmartcamError with a sentence."""
    import sqlite3

    from smartcam.store.reading import open_to_read

    with closing(open_to_read(folder)) as db:
        try:
            yield db
        except sqlite3.Error as error:
            raise SmartcamError(f"{folder}: the store cannot be used now: {error}") from None


def amount(size: float) -> str:
    """``1234567`` → ``1.23 MB``."""
    from smartcam.config import plain  # Whoever asks for --help does not wait for it.

    return plain.amount(size)


def clock(wall: float) -> str:
    """This machine's date and time."""
    return f"{datetime.fromtimestamp(wall).astimezone():%Y-%m-%d %H:%M}"


def _table(config: Path, name: str) -> dict[str, Any]:
    """Only the configuration that is always looked for may be missing: one that was named means another store."""
    try:
        table = tomllib.loads(config.read_text()).get(name)
    except FileNotFoundError:
        if config != DEFAULT_CONFIG:
            raise BadConfig(f"{config}: there is no such file") from None
        table = None
    except OSError as error:
        raise BadConfig(f"{config}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise BadConfig(f"{config}: cannot be understood: `smartcam check {config}` tells why") from None
    return table if isinstance(table, dict) else {}
