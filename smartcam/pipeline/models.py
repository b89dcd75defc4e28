"""The models of a configuration: files that are there and are the right ones, and the labels that rules may name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from smartcam.config import Config, Model, Rule
from smartcam.config.problems import BadConfigFile, Problem
from smartcam.config.sources import Sources, read
from smartcam.config.values import nearest
from smartcam.detect.catalogue import CATALOGUE, find
from smartcam.detect.fetch import cache_folder, fetched
from smartcam.detect.model import ModelFile, check_model, load_labels
from smartcam.detect.vocabulary import same_as
from smartcam.errors import BadConfig, Unavailable
from smartcam.rules.labels import UnknownLabel, unknown_labels

MOST_LISTED = 30
"""Who has more labels is told some of them, and where the others are."""
SOME_LISTED = 12
LEAST_ALIKE = 0.7
"""From 0 to 1: a fox is no box."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models that cameras use, by their names in the configuration."""

    config: Config
    files: dict[str, ModelFile]

    @classmethod
    def find(cls, config: Config, names: list[str] | None = None) -> Models:
        """Find the files of the models that cameras use, or of `names`, and of those that have second looks for them.

        Raises:
            Unavailable: one of the catalogue was not fetched yet.
            BadConfig: a file is missing, damaged, or is no model.
        """
        used = dict.fromkeys(names or map(config.model_of, config.camera))
        used |= dict.fromkeys(then.model for name in used for then in config.model[name].then)
        cache = cache_folder(config.node.cache)
        return cls(config, {name: _of_section(name, config.model[name], cache) for name in used})

    def of_camera(self, camera: str) -> ModelFile:
        return self.files[self.config.model_of(camera)]

    def title(self, camera: str) -> str:
        """What an event says of the model behind it: its name, and which file it was."""
        model = self.of_camera(camera)
        return f"{model.name}@sha256:{(model.sha256 or '')[:12]}"

    def said_of(self, camera: str) -> set[str]:
        """What the model that looks at this camera, and its second looks, can say; of those that are here."""
        detector = self.config.model_of(camera)
        names = (detector, *(then.model for then in self.config.model[detector].then))
        return {label for name in names if name in self.files for label in self.files[name].names}

    def labels(self) -> list[str]:
        """Everything that any of them can see."""
        return sorted({label for model in self.files.values() for label in model.names})


def model_file(name: str, section: Model, cache: Path) -> ModelFile:
    """The file that a section means, and how it is fed and read.

    Raises:
        Unavailable: it is of the catalogue, and was not fetched yet.
        BadConfig: the file is missing, damaged, or is no model.
    """
    return _of_catalogue(section, cache) if section.use else _of_file(name, section)


def _of_section(name: str, section: Model, cache: Path) -> ModelFile:
    try:
        return model_file(name, section, cache)
    except BadConfig as error:
        raise BadConfig(f"model.{name}: {error}") from error


def _of_catalogue(section: Model, cache: Path) -> ModelFile:
    entry = find(section.use or "")
    here = fetched(entry, cache)
    if here is None:
        raise Unavailable(f"the model {entry.name} is not here yet: run `smartcam models fetch {entry.name}`")
    return ModelFile(
        name=entry.name,
        path=here.model,
        labels=load_labels(here.labels),
        sha256=here.sha256["model.tflite"],
        compiled=here.compiled,
        compiled_sha256=here.sha256.get("model_edgetpu.tflite"),
        layout=entry.layout if section.layout == "auto" else section.layout,
        resize=entry.resize if section.resize == "auto" else section.resize,
        score=section.score if "score" in section.model_fields_set else entry.score,
        normalise=entry.normalise,
    )


def _of_file(name: str, section: Model) -> ModelFile:
    path = Path(section.file or "")
    check_model(path, section.sha256)
    compiled = Path(section.compiled) if section.compiled else None
    if compiled:
        check_model(compiled, section.compiled_sha256)
    return ModelFile(
        name=name,
        path=path,
        labels=load_labels(Path(section.labels)) if section.labels else (),
        sha256=section.sha256 or _sha256(path),
        compiled=compiled,
        compiled_sha256=section.compiled_sha256 or (_sha256(compiled) if compiled else None),
        layout=section.layout,
        resize=section.resize,
        score=section.score,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_labels(config: Config, models: Models, sources: Sources | Path) -> None:
    """Refuse rules that wait for a label which no model of theirs knows.

    `sources` tells where each key stands; a path stands for the file there, and its drop-ins.

    Raises:
        BadConfigFile: with every such label, and its line.
    """
    written = sources if isinstance(sources, Sources) else _sources_at(sources)
    if problems := label_problems(config, models, written):
        raise BadConfigFile(problems)


def label_problems(config: Config, models: Models, sources: Sources) -> list[Problem]:
    """The same as a list. The configuration may be what is left of one that is wrong elsewhere."""
    known_to = {name: _known_to(rule, config, models) for name, rule in config.rule.items()}
    unknown = [*_unknown_to_second_looks(config, models), *unknown_labels(config, known_to)]
    return [sources.problem(each.key, _sentence(each, config, models)) for each in unknown]


def _sources_at(file: Path) -> Sources:
    try:
        return read(file)
    except BadConfigFile:  # What cannot be read now has no lines to tell.
        return Sources(str(file), {})


def _known_to(rule: Rule, config: Config, models: Models) -> frozenset[str] | None:
    """What the models of a rule's cameras can say, second looks included.

    None where that cannot be told: without a label file, only the opened model knows how many classes it has.
    """
    cameras = [camera for camera in config.cameras_of(rule) if camera in config.camera] or list(config.camera)
    detectors = {config.model_of(camera) for camera in cameras} & models.files.keys()
    names = detectors | {then.model for name in detectors for then in config.model[name].then}
    files = [models.files[name] for name in names & models.files.keys()]
    if not files or not all(file.labels for file in files):
        return None
    return frozenset(label for file in files for label in file.names)


def _unknown_to_second_looks(config: Config, models: Models) -> list[UnknownLabel]:
    """The labels that get a second look by a model whose detector never says them."""
    return [
        UnknownLabel(("model", name, "then", n, "see"), label, frozenset(file.names))
        for name, file in models.files.items()
        for n, then in enumerate(config.model[name].then)
        for label in then.see
        if file.labels and not label.startswith("@") and label not in file.names
    ]


def _sentence(unknown: UnknownLabel, config: Config, models: Models) -> str:
    """That it is unknown, and what may have been meant, or which model to take instead."""
    label, known = unknown.label, unknown.known
    parts = [part.strip() for part in re.split(r",|;|/|\band\b|\bor\b", label)]
    if len(parts) > 1 and all(part in known for part in parts):
        quoted = ", ".join(f'"{part}"' for part in parts)
        return f'"{label}" is one text: write [{quoted}]'
    if unknown.key[0] == "model":
        nobody = f'the model "{unknown.key[1]}" does not know "{label}"'
    elif camera := next((each for each in models.config.camera if label in models.said_of(each)), ""):
        name = models.config.model_of(camera)
        return f'no model of this rule knows "{label}", but "{name}" does: run it on camera "{camera}", which has that'
    else:
        nobody = f'no model here knows "{label}"'
    if label in config.group:
        return f'{nobody} (did you mean the group "@{label}"?)'
    who = [entry.name for entry in CATALOGUE if label in entry.knows]
    if near := same_as(label, known) or ("" if who else nearest(label, known, LEAST_ALIKE)):
        return f'{nobody} (did you mean "{near}"?); {_where_listed(models)} lists all labels'
    if who:
        more = f" (or one of {len(who) - 1} more, see `smartcam models list`)" if len(who) > 1 else ""
        remedy = f': run `smartcam models fetch {who[0]}`, then write use = "{who[0]}" in [model.NAME]{more}'
    else:
        remedy = ", and no detector of the catalogue does: it takes one of your own, with file = … in [model.NAME]"
    return f"{nobody}{remedy}; {_listed(known, models)}"


def _listed(known: frozenset[str], models: Models) -> str:
    """All labels, or some of many and where the others are."""
    listed = sorted(known)
    if len(listed) <= MOST_LISTED:
        return f"the labels here are {', '.join(listed)}"
    some = ", ".join(listed[:SOME_LISTED])
    return f"the labels here are {some} and {len(listed) - SOME_LISTED} more, see {_where_listed(models)}"


def _where_listed(models: Models) -> str:
    """Where a person finds the labels of the first model."""
    section = models.config.model[next(iter(models.files))]
    return f"`smartcam models show {section.use}`" if section.use else str(section.labels)
