"""`smartcam detect`: what the model sees in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartcam.cli.output import JsonOption, log_as_sentences, out, print_json

if TYPE_CHECKING:
    from smartcam.config import Model


def add_to(app: typer.Typer) -> None:
    app.command()(detect)


def detect(
    images: Annotated[list[Path], typer.Argument(help="Pictures: JPEG, PNG, BMP.")],
    model: Annotated[
        str, typer.Option("-m", "--model", help="A name of `smartcam models list`, or a .tflite file.")
    ] = "objectron",
    labels: Annotated[Path | None, typer.Option(help="The label file of a .tflite file.")] = None,
    score: Annotated[float, typer.Option(min=0, max=1, help="Leave out what the model is less sure of.")] = 0.4,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, edgetpu or edgetpu:DEVICE.")] = "auto",
    draw: Annotated[Path | None, typer.Option(metavar="DIR", help="Save the pictures with their boxes.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what a model sees in pictures: label, score, and box as x, y, width and height in 0..1."""
    from rich.markup import escape

    from smartcam.pipeline.still import look

    log_as_sentences()
    for image, detections in look(images, _section(model, labels, score, accelerator), draw):
        found = [
            {"label": label, "score": round(sure, 3), "box": [round(v, 4) for v in (x1, y1, x2 - x1, y2 - y1)]}
            for label, sure, (x1, y1, x2, y2) in detections
        ]
        if json:
            print_json({"image": str(image), "detections": found})
            continue
        out().print(f"[bold]{escape(str(image))}[/]" + ("" if found else ": nothing"))
        for thing in found:
            out().print(f"  {thing['label']:<16} {thing['score']:.2f}  {thing['box']}", markup=False)


def _section(model: str, labels: Path | None, score: float, accelerator: str) -> Model:
    """What the options would be in a configuration."""
    from pydantic import ValidationError

    from smartcam.config import Model

    is_file = model.endswith(".tflite")
    if labels and not is_file:
        raise typer.BadParameter(f"{model} brings its own", param_hint="--labels")
    origin = {"file": model, "labels": str(labels) if labels else None} if is_file else {"use": model}
    try:
        return Model.model_validate({**origin, "score": score, "accelerator": accelerator})
    except ValidationError:
        raise typer.BadParameter(f"{accelerator!r} is none of auto, cpu, edgetpu, edgetpu:DEVICE") from None
