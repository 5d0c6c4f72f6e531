"""`inspector evaluate`: measure methods on labelled data."""

from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.output import console, say
from inspector.domain import CancelToken
from inspector.errors import InspectorError
from inspector.images.value_range import FULL, LEAST
from inspector.methods import catalogue

app = typer.Typer()


@app.command()
def evaluate(
    data: Annotated[
        Path,
        typer.Argument(help="Folder in MVTec AD, VisA or Real-IAD layout.", exists=True, file_okay=False),
    ],
    method: Annotated[
        str,
        typer.Option(
            help=f"Comma separated: catalogue names, also with settings ({next(iter(catalogue.ABLATIONS))}) or on "
            f"random weights ({catalogue.CONTROLS[0]}); `all`, `ablations` (of {catalogue.titles(catalogue.ABLATIONS)}), "
            "`control`."
        ),
    ] = catalogue.QUICK,
    shots: Annotated[str, typer.Option(help="Numbers of normal shots, comma separated.")] = "4",
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the shots.")] = 3,
    output: Annotated[Path, typer.Option(help="Folder for results.json, .csv and .md.")] = Path("evaluation"),
    classes: Annotated[str, typer.Option(help="Only these classes, comma separated.")] = "",
    weights: Annotated[str | None, typer.Option(help="Backbone weights by catalogue name or file.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    split: Annotated[
        Path | None, typer.Option(help="Read the drawn shots from this file instead.", exists=True)
    ] = None,
    one_for_one: Annotated[
        bool, typer.Option("--one-for-one", help="A detector per class instead of one for all.")
    ] = False,
    find_class: Annotated[
        bool, typer.Option("--find-class", help="The detector finds each image's class.")
    ] = False,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(
            help="Also set thresholds from the shots alone for this rate, and count verdicts.",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    control: Annotated[
        bool,
        typer.Option("--control", help=f"Also {catalogue.titles(catalogue.CONTROLS)} on random weights."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 1,
    white: Annotated[
        int | None,
        typer.Option(min=LEAST, max=FULL, help="Brightest value of images with more than 8 bits."),
    ] = None,
) -> None:
    """Measure methods on labelled data by the field's protocol.

    Finished candidates are kept in OUTPUT/parts: the same command goes on where it was stopped.
    """
    from inspector.jobs.evaluation.plan import EvaluationPlan
    from inspector.jobs.evaluation.run import evaluate as job

    if not all(number.strip().isdigit() for number in shots.split(",")):
        raise InspectorError(f"“{shots}” is not a list of numbers of shots.", "Write --shots 1,2,4.")
    plan = EvaluationPlan(
        data,
        tuple(dict.fromkeys([*catalogue.expand(method), *(catalogue.CONTROLS if control else ())])),
        tuple(int(number) for number in shots.split(",")),
        tuple(range(seeds)),
        output,
        classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
        one_for_all=not one_for_one,
        class_known=not find_class,
        split=split,
        false_alarm_rate=false_alarm_rate,
        weights=weights or settings.load().weights,
        device=device,
        workers=workers,
        white=white,
    )
    with console("Evaluate") as emit:
        job(plan, emit=emit, cancel=CancelToken())
    say((output / "results.md").read_text("utf-8"))
