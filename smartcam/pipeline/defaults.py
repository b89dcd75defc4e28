"""What to look for when nobody has said anything yet."""

from __future__ import annotations

from smartcam.config import Config, Rule, Snapshot, parse
from smartcam.mqtt.topics import slug
from smartcam.pipeline.models import Models

CAMERA = """\
[camera.clip]
source = "-"
"""


def rule_for_each_label() -> Config:
    """One camera, the default model, and for each of its labels a rule of that name with a snapshot.

    Raises:
        Unavailable: the default model was not fetched yet.
    """
    config = parse(CAMERA)
    rules = {
        slug(label): Rule(see=(label,), do=("snapshot",), snapshot=Snapshot(boxes=True))
        for label in Models.find(config).labels()
    }
    return config.model_copy(update={"rule": rules})
