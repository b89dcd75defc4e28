"""What a model sees in single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from smartcam.camera.recording import read_picture
from smartcam.config import Model
from smartcam.data import Detections, Frame, Picture
from smartcam.detect.detector import Detector
from smartcam.detect.fetch import cache_folder
from smartcam.errors import SmartcamError
from smartcam.evidence.snapshot import Mark, jpeg
from smartcam.pipeline.assembly import open_accelerator
from smartcam.pipeline.models import model_file


def look(images: Iterable[Path], section: Model, draw: Path | None = None) -> Iterator[tuple[Path, Detections]]:
    """Each picture with what the model sees in it; with `draw`, also saved there with its boxes.

    Raises:
        SmartcamError: a picture cannot be read, or its drawing not be written.
        BadConfig: the model cannot be used.
        Unavailable: it is not here, or there is nothing to run it on.
    """
    model = model_file(Path(section.file or "").stem, section, cache_folder())
    with open_accelerator(section, model) as accelerator:
        detector = Detector(model, accelerator)
        detector.wait_ready(section.open_timeout)
        for image in images:
            picture = read_picture(image)
            detector.submit(Frame("picture", 0, 0.0, 0.0, picture))
            detections = detector.collect()
            if draw:
                _draw(draw / f"{image.stem}.jpg", picture, detections)
            yield image, detections


def _draw(file: Path, picture: Picture, detections: Detections) -> None:
    marks = [Mark(box, f"{label} {score:.2f}") for label, score, box in detections]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(picture, marks))
    except OSError as error:
        raise SmartcamError(f"{file} cannot be written: {error.strerror}") from error
