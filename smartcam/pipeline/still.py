"""What a model sees in single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from smartcam.camera.recording import read_picture
from smartcam.config import Model
from smartcam.data import Detections, Frame
from smartcam.detect.accelerator import Accelerator
from smartcam.detect.detector import Detector
from smartcam.detect.fetch import cache_folder
from smartcam.evidence.snapshot import Mark, jpeg
from smartcam.pipeline.models import model_file


def look(images: Iterable[Path], section: Model, draw: Path | None = None) -> Iterator[tuple[Path, Detections]]:
    """Each picture with what the model sees in it; with `draw`, also saved there with its boxes.

    Raises:
        SmartcamError: a picture cannot be read.
        BadConfig: the model cannot be used.
        Unavailable: it is not here, or there is nothing to run it on.
    """
    model = model_file("model", section, cache_folder())
    if draw:
        draw.mkdir(parents=True, exist_ok=True)
    with Accelerator(model, device=section.accelerator, threads=section.threads) as accelerator:
        detector = Detector(model, accelerator)
        detector.wait_ready(section.open_timeout)
        for image in images:
            picture = read_picture(image)
            detector.submit(Frame("picture", 0, 0.0, 0.0, picture))
            detections = detector.collect()
            if draw:
                marks = [Mark(box, f"{label} {score:.2f}") for label, score, box in detections]
                (draw / f"{image.stem}.jpg").write_bytes(jpeg(picture, marks))
            yield image, detections
