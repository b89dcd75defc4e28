"""What a good configuration should rather not say."""

from __future__ import annotations

from collections.abc import Iterator

from smartcam.config.lines import KeyPath
from smartcam.config.problems import Problem, dotted
from smartcam.config.secrets import masked
from smartcam.config.sections import Config
from smartcam.config.sources import Sources


def warnings(config: Config, file: str | Sources) -> Iterator[Problem]:
    """What works, and is not wise. None of them shows a password.

    `file` is what the messages call the configuration; its sources tell the lines too.
    """
    for key, message in _advice(config):
        yield Problem(file, None, dotted(key), message) if isinstance(file, str) else file.problem(key, message)


def _advice(config: Config) -> Iterator[tuple[KeyPath, str]]:
    for name, camera in config.camera.items():
        for key, text in camera.streams.items():
            if masked(text) != text:
                yield (
                    ("camera", name, key),
                    "a password stands in it: give username and password_file instead, "
                    "or keep this file readable for the daemon alone",
                )
        if camera.record == camera.source:
            yield ("camera", name, "record"), "it is the same stream as source, which is then fetched twice"
    for name, rule in config.rule.items():
        if "clip" in rule.do:
            yield ("rule", name, "do"), "clips are not made by this version: the rule sends what else it asks for"
        zone = config.zone.get(rule.zone or "")
        if rule.height and zone and zone.height and not _overlap(rule.height, zone.height):
            yield (
                ("rule", name, "height"),
                f'nothing can be so tall and also in zone "{rule.zone}", whose height is '
                f"{zone.height[0]:g} to {zone.height[1]:g}: the rule never fires",
            )
    asked_for = {word for rule in config.rule.values() for word in (*rule.only, *rule.unless)}
    if config.mode and not asked_for & config.mode.keys():
        yield ("mode",), "no rule asks for a mode: add only or unless to a rule"


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return max(one[0], other[0]) <= min(one[1], other[1])
