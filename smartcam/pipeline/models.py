"""The models of a configuration: files that are there and are the right ones, and the labels that rules may name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from smartcam.config import Config, Model
from smartcam.config.files import BadConfigFile, Problem, closest
from smartcam.config.lines import line_of, lines_of
from smartcam.detect.catalogue import find
from smartcam.detect.fetch import cache_folder, fetched
from smartcam.detect.model import ModelFile, check_model, load_labels
from smartcam.errors import BadConfig, Unavailable
from smartcam.rules.labels import UnknownLabel, unknown_labels


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


def check_labels(config: Config, models: Models, file: Path) -> None:
    """Refuse rules that wait for a label which no model knows.

    Raises:
        BadConfigFile: with every such label, and its line in `file`.
    """
    lines = lines_of(file.read_text()) if file.exists() else {}
    if any(not model.labels for model in models.files.values()):
        return  # A model without a label file names its classes by number: only the opened model knows how many.
    unknown = unknown_labels(config, models.labels())
    unknown += _unknown_to_second_looks(config, models)
    if unknown:
        raise BadConfigFile(
            [
                Problem(
                    str(file),
                    line_of(lines, each.key),
                    ".".join(each.key),
                    f'no model knows the label "{each.label}"{each.suggestion}; {_where_listed(models)} lists them',
                )
                for each in unknown
            ]
        )


def _unknown_to_second_looks(config: Config, models: Models) -> list[UnknownLabel]:
    """The labels that get a second look by a model whose detector never says them."""
    return [
        UnknownLabel(("model", name, "then", str(n), "see"), label, closest(label, models.files[name].names))
        for name in models.files
        for n, then in enumerate(config.model[name].then)
        for label in then.see
        if not label.startswith("@") and label not in models.files[name].names
    ]


def _where_listed(models: Models) -> str:
    """Where a person finds the labels of the first model."""
    section = models.config.model[next(iter(models.files))]
    return f"`smartcam models show {section.use}`" if section.use else str(section.labels)
