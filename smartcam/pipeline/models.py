"""The models of a configuration: files that are there and are the right ones, and the labels that rules may name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from smartcam.config import Config, Model
from smartcam.config.lines import KeyPath
from smartcam.config.problems import BadConfigFile
from smartcam.config.sources import Sources, read
from smartcam.config.values import closest
from smartcam.detect.catalogue import CATALOGUE, find
from smartcam.detect.fetch import cache_folder, fetched
from smartcam.detect.model import ModelFile, check_model, load_labels
from smartcam.detect.vocabulary import same_as
from smartcam.errors import BadConfig, Unavailable
from smartcam.rules.labels import unknown_labels

MOST_LISTED = 30
"""Who has more labels is told some of them, and where the others are."""
SOME_LISTED = 12


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
    """Refuse rules that wait for a label which no model knows.

    `sources` tells where each key stands; a path stands for the file there, and its drop-ins.

    Raises:
        BadConfigFile: with every such label, and its line.
    """
    if any(not model.labels for model in models.files.values()):
        return  # A model without a label file names its classes by number: only the opened model knows how many.
    known = frozenset(models.labels())
    unknown = _unknown_to_second_looks(config, models)
    unknown += [(each.key, each.label, known) for each in unknown_labels(config, known)]
    if unknown:
        written = sources if isinstance(sources, Sources) else _sources_at(sources)
        raise BadConfigFile(
            [
                written.problem(key, f'no model knows the label "{label}"{_remedy(label, labels, models)}')
                for key, label, labels in unknown
            ]
        )


def _sources_at(file: Path) -> Sources:
    try:
        return read(file)
    except BadConfigFile:  # What cannot be read now has no lines to tell.
        return Sources(str(file), {})


def _unknown_to_second_looks(config: Config, models: Models) -> list[tuple[KeyPath, str, frozenset[str]]]:
    """The labels that get a second look by a model whose detector never says them: place, label, what it does say."""
    return [
        (("model", name, "then", n, "see"), label, frozenset(models.files[name].names))
        for name in models.files
        for n, then in enumerate(config.model[name].then)
        for label in then.see
        if not label.startswith("@") and label not in models.files[name].names
    ]


def _remedy(label: str, known: frozenset[str], models: Models) -> str:
    """What may have been meant, or else which labels there are and which other models know this one."""
    meant = same_as(label, known)
    if near := f' (did you mean "{meant}"?)' if meant else closest(label, sorted(known)):
        return f"{near}; {_where_listed(models)} lists them"
    listed = sorted(known)
    there_are = ", ".join(listed if len(listed) <= MOST_LISTED else listed[:SOME_LISTED])
    more = "" if len(listed) <= MOST_LISTED else f" and {len(listed) - SOME_LISTED} more, see {_where_listed(models)}"
    return f": there are {there_are}{more}; {_who_knows(label)}"


def _who_knows(label: str) -> str:
    """The models of the catalogue that see it, as far as their labels can be told before they are here."""
    names = [entry.name for entry in CATALOGUE if label in entry.knows]
    if not names:
        return (
            "no detector of the catalogue knows it either: it takes a model of your own, with file = … in [model.NAME]"
        )
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"of the catalogue, {few} know{'' if len(names) > 1 else 's'} it: fetch one and name it in [model.NAME]"


def _where_listed(models: Models) -> str:
    """Where a person finds the labels of the first model."""
    section = models.config.model[next(iter(models.files))]
    return f"`smartcam models show {section.use}`" if section.use else str(section.labels)
