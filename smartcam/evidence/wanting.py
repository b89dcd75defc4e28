"""What the rules' clips want of each camera. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smartcam.config import Config

MARGIN_S = 5.0
"""What a ring keeps beyond what its clips need: rules fire some frames after the first was seen, machines are busy."""

READ_S = 10.0
"""What a ring keeps while a clip is made of it, whatever the rules want by then."""


def seconds_wanted(config: Config) -> Mapping[str, float]:
    """How far back each camera's packets must reach for its rules' clips; cameras without any are not in it."""
    wanted: dict[str, float] = {}
    for rule in config.rule.values():
        if rule.enabled and "clip" in rule.do:
            needed_s = min(rule.clip.before + rule.for_, rule.clip.at_most) + MARGIN_S
            for camera in config.cameras_of(rule):
                wanted[camera] = max(wanted.get(camera, 0.0), needed_s)
    return wanted


def audio_wanted(config: Config) -> frozenset[str]:
    """The cameras of which a rule keeps what is heard."""
    return frozenset(
        camera
        for rule in config.rule.values()
        if rule.enabled and "clip" in rule.do and rule.clip.audio
        for camera in config.cameras_of(rule)
    )
