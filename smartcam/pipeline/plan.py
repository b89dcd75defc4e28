"""A configuration that can be put in force: read, understood, and checked for all that can be checked beforehand."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from smartcam import config
from smartcam.config.files import in_order, understand
from smartcam.config.problems import BadConfigFile, Problem
from smartcam.config.sources import Sources
from smartcam.detect.model import ModelFile
from smartcam.errors import BadConfig, SmartcamError, Unavailable
from smartcam.evidence.clips import audio_wanted
from smartcam.pipeline.assembly import assemble
from smartcam.pipeline.models import Models, check_labels, label_problems


@dataclass(frozen=True, slots=True)
class EyeParts:
    """What an eye is made of: equal ones need no new eye."""

    sections: tuple[config.Model, ...]
    files: tuple[ModelFile, ...]


@dataclass(frozen=True, slots=True)
class CameraParts:
    """What a camera's lookout is made of."""

    section: config.Camera
    eye: str
    sound: bool = False
    """Whether a rule wants to hear it."""


@dataclass(frozen=True)
class Plan:
    """What the daemon is to do, until the next one."""

    sources: Sources
    config: config.Config
    models: Models
    loaded_wall: float = field(default_factory=time.time)

    @classmethod
    def of(cls, sources: Sources) -> Plan:
        """The plan that these files make. Nothing is opened, and nothing of what runs is touched.

        Raises:
            BadConfig: they cannot be used.
            Unavailable: a model was not fetched yet.
        """
        settings, models = understood(sources)
        plan = cls(sources, settings, models)
        with ExitStack() as stack:  # Whether each model fits its accelerator.
            for name in plan.eyes():
                assemble(models, name, stack)
        return plan

    def eyes(self) -> dict[str, EyeParts]:
        """Each detector that a camera uses, by its name."""
        return {name: self._eye(name) for name in dict.fromkeys(map(self.config.model_of, self.config.camera))}

    def cameras(self) -> dict[str, CameraParts]:
        heard = audio_wanted(self.config)
        return {
            name: CameraParts(section, self.config.model_of(name), name in heard)
            for name, section in self.config.camera.items()
        }

    def _eye(self, name: str) -> EyeParts:
        section = self.config.model[name]
        names = [name, *dict.fromkeys(then.model for then in section.then)]
        return EyeParts(tuple(self.config.model[each] for each in names), tuple(self.models.files[n] for n in names))


def understood(sources: Sources) -> tuple[config.Config, Models]:
    """What these files mean, and the models that look for it.

    Raises:
        BadConfig: with all that is wrong: in the texts, in what they say together, and in the labels of rules as far
            as the models are here.
        Unavailable: nothing but that a model was not fetched yet, so its labels are not checked.
    """
    try:
        settings = understand(sources)
    except BadConfigFile as refused:
        labels = _labels_of_the_rest(refused.understood, sources)
        raise BadConfigFile(in_order([*refused.problems, *labels], sources)) from None
    models = Models.find(settings)
    check_labels(settings, models, sources)
    return settings, models


def _labels_of_the_rest(rest: config.Config | None, sources: Sources) -> list[Problem]:
    """What is wrong with labels besides; nothing where the models that know them are not at hand."""
    if rest is None:
        return []
    try:
        models = Models.find(rest)
    except (BadConfig, Unavailable):
        return []
    return label_problems(rest, models, sources)


def problems_of(error: SmartcamError, file: Path) -> tuple[Problem, ...]:
    """What is wrong with a configuration, also where only one sentence says so."""
    if isinstance(error, BadConfigFile):
        return tuple(error.problems)
    return (Problem(str(file), None, "", str(error)),)
