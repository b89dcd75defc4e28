"""The configuration: TOML files → `Config`, or errors that name file, line and key."""

from smartcam.config.advice import warnings
from smartcam.config.files import load, parse, understand
from smartcam.config.problems import BadConfigFile, Problem
from smartcam.config.rule import Armed, Line, Mode, Rule, Snapshot, Zone
from smartcam.config.sections import (
    Camera,
    Config,
    Model,
    Mqtt,
    Node,
    Site,
    Then,
)
from smartcam.config.sources import Sources, read

__all__ = [
    "Armed",
    "BadConfigFile",
    "Camera",
    "Config",
    "Line",
    "Mode",
    "Model",
    "Mqtt",
    "Node",
    "Problem",
    "Rule",
    "Site",
    "Snapshot",
    "Sources",
    "Then",
    "Zone",
    "load",
    "parse",
    "read",
    "understand",
    "warnings",
]
