"""`smartcam detect`: what the model sees in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smartcam.cli.output import JsonOption, out, print_json


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
    from smartcam.config import Model
    from smartcam.pipeline.still import look

    given = Model.model_validate(
        {"file": model, "labels": labels and str(labels), "score": score, "accelerator": accelerator}
        if model.endswith(".tflite")
        else {"use": model, "score": score, "accelerator": accelerator}
    )
    for image, detections in look(images, given, draw):
        found = [
            {"label": label, "score": round(sure, 3), "box": [round(v, 4) for v in (x1, y1, x2 - x1, y2 - y1)]}
            for label, sure, (x1, y1, x2, y2) in detections
        ]
        if json:
            print_json({"image": str(image), "detections": found})
            continue
        out().print(f"[bold]{image}[/]" + ("" if found else ": nothing"))
        for thing in found:
            out().print(f"  {thing['label']:<16} {thing['score']:.2f}  {thing['box']}")
