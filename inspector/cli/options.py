"""Options that several commands share."""

from typing import Annotated

import typer

from inspector import settings


def _known(value: str | None) -> str | None:
    if value is not None and value not in settings.RUNTIMES:
        raise typer.BadParameter(f"choose from {', '.join(settings.RUNTIMES)}")
    return value


Runtime = Annotated[
    str | None,
    typer.Option(
        callback=_known,
        help="What computes scores: torch, onnx, openvino, or auto for the fastest in the precision that detectors are taught in.",
    ),
]
