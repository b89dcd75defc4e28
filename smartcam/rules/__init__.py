"""What matters: scenes in, events out. Pure: time comes from the scene, never from a clock."""

from smartcam.rules.engine import Engine
from smartcam.rules.ids import Ulids
from smartcam.rules.labels import UnknownLabel, unknown_labels

__all__ = ["Engine", "Ulids", "UnknownLabel", "unknown_labels"]
