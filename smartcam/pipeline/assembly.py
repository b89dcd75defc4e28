"""What looks at frames: a detector and its second looks, on the accelerators that the configuration gives them."""

from __future__ import annotations

from contextlib import ExitStack

from smartcam import config
from smartcam.detect.accelerator import Accelerator
from smartcam.detect.classifier import Classifier
from smartcam.detect.detector import Detector
from smartcam.detect.failover import Failover, accelerator_for
from smartcam.detect.interpreter import is_compiled
from smartcam.detect.model import ModelFile
from smartcam.errors import BadConfig
from smartcam.pipeline.cascade import Cascade, Second
from smartcam.pipeline.models import Models
from smartcam.rules.labels import expand


def assemble(models: Models, name: str, stack: ExitStack, *, strict: bool = False) -> tuple[Detector, Cascade]:
    """The detector of [model.NAME] and its second looks; `stack` closes their accelerators. Opens nothing yet.

    Compiled models that want the same Edge TPU share one child process, because the device serves one process only;
    any other model has a child of its own.

    Raises BadConfig where a model does not fit its accelerator.
    """
    section = models.config.model[name]
    thens = {then.model: models.config.model[then.model] for then in section.then}
    together = [other for other in thens if _share(models, name, other)]
    shared = _open(models, [name, *together], stack)
    detector = Detector(models.files[name], shared)
    classifiers = {other: Classifier(models.files[other], shared, 1 + n) for n, other in enumerate(together)}
    for other in thens:
        if other not in classifiers:
            classifiers[other] = Classifier(models.files[other], _open(models, [other], stack))
    groups = models.config.group
    seconds = [Second(expand(then.see, groups), classifiers[then.model], then.score) for then in section.then]
    return detector, Cascade(seconds, strict=strict)


def _share(models: Models, one: str, other: str) -> bool:
    wanted = models.config.model[one].accelerator
    compiled = _is_for_edge_tpu(models.files[one]) and _is_for_edge_tpu(models.files[other])
    return wanted != "cpu" and wanted == models.config.model[other].accelerator and compiled


def _is_for_edge_tpu(model: ModelFile) -> bool:
    return model.compiled is not None or is_compiled(model.path)


def _open(models: Models, names: list[str], stack: ExitStack) -> Accelerator | Failover:
    section = models.config.model[names[0]]
    try:
        accelerator = open_accelerator(section, *(models.files[name] for name in names))
    except BadConfig as error:
        raise BadConfig(f"model.{names[0]}: {error}") from error
    stack.callback(accelerator.close)
    return accelerator


def open_accelerator(section: config.Model, *files: ModelFile) -> Accelerator | Failover:
    """A new accelerator with a section's settings; it opens nothing yet."""
    return accelerator_for(
        *files,
        wanted=section.accelerator,
        runtime=section.runtime,
        performance=section.performance,
        threads=section.threads,
        open_timeout_s=section.open_timeout,
        invoke_timeout_s=section.invoke_timeout,
        retry_min_s=section.retry_min,
        retry_max_s=section.retry_max,
    )
