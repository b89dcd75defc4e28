"""The configuration: TOML files → `Config`, or errors that name file, line and key."""

from smartcam.config.advice import warnings
from smartcam.config.files import Problem, load, parse
from smartcam.config.sections import (
    Camera,
    Config,
    Model,
    Mqtt,
    Node,
    Rule,
    Site,
    Snapshot,
    Then,
    Zone,
)

__all__ = [
    "Camera",
    "Config",
    "Model",
    "Mqtt",
    "Node",
    "Problem",
    "Rule",
    "Site",
    "Snapshot",
    "Then",
    "Zone",
    "load",
    "parse",
    "warnings",
]
