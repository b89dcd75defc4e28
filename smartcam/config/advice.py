"""What a good configuration should rather not say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from smartcam.config.grammar import ARMING
from smartcam.config.lines import KeyPath
from smartcam.config.problems import Problem, dotted
from smartcam.config.rule import Rule
from smartcam.config.secrets import masked
from smartcam.config.sections import Config
from smartcam.config.sources import Sources
from smartcam.config.streams import form_of
from smartcam.config.values import readable


def warnings(config: Config, file: str | Sources) -> Iterator[Problem]:
    """What works, and is not wise. None of them shows a password. It looks for files that cameras play, and opens none.

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
            if form_of(text) == "file" and not _may_be_there(text):
                where = "" if Path(text).is_absolute() else " here"
                yield ("camera", name, key), f"there is no file {readable(text)}{where}: smartcam will wait for it"
        if camera.record == camera.source:
            yield ("camera", name, "record"), "it is the same stream as source, which is then fetched twice"
    for name, rule in config.rule.items():
        if always := _always_forbidden(rule, config):
            yield ("rule", name, "unless"), f"the rule never fires: {always}"
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
    if config.uplink.metered and config.mqtt.control != "all":
        for name, rule in config.rule.items():
            if "clip" in rule.do:
                yield (
                    ("rule", name, "do"),
                    "on a metered link its clips wait here until they are fetched over MQTT, which is not allowed: "
                    'say control = "all" in [mqtt], or take them from the device',
                )


def _may_be_there(file: str) -> bool:
    """False if it surely is not: the daemon may be allowed to see more than who asks."""
    try:
        Path(os.path.expanduser(file)).stat()  # noqa: PTH111 - as it is opened; pathlib's own raises for no such user
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _always_forbidden(rule: Rule, config: Config) -> str:
    """Why a rule holds in no state that there is; empty if it holds in one."""
    states = [{arming, mode} for arming in ARMING for mode in config.mode or ("",)]
    if any((not rule.only or state & {*rule.only}) and not state & {*rule.unless} for state in states):
        return ""
    if len(rule.unless) == 1:
        return f'"{rule.unless[0]}" is the only mode, so it always holds: add another [mode.NAME], or take `unless` out'
    words = '"' + '", "'.join(rule.unless) + '"'
    return f"one of {words} always holds: take one of them out"


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return max(one[0], other[0]) <= min(one[1], other[1])
