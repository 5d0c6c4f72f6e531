"""`inspector evaluate`: measure methods on labelled data."""

from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.output import console, say
from inspector.domain import CancelToken
from inspector.errors import InspectorError
from inspector.features.tiles import LARGEST
from inspector.images import area
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
        str | None,
        typer.Option(
            help=f"Comma separated: catalogue names, also with settings ({next(iter(catalogue.ABLATIONS))}) or on "
            f"random weights ({catalogue.CONTROLS[0]}); `all`, `ablations` (of {catalogue.titles(catalogue.ABLATIONS)}), "
            f"`control`. {catalogue.titles([catalogue.QUICK])} when left out; with --paper all that figures are "
            "published of."
        ),
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option(help="Numbers of normal shots, comma separated; 4, with --paper 1,2,4 when left out."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the shots.")] = 3,
    output: Annotated[Path, typer.Option(help="Folder for results.json, .csv and .md.")] = Path("evaluation"),
    classes: Annotated[str, typer.Option(help="Only these classes, comma separated.")] = "",
    weights: Annotated[
        str | None,
        typer.Option(help="Backbone weights by catalogue name or file; NAME@SIZE looks at SIZE pixels."),
    ] = None,
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
    confirmed: Annotated[
        str,
        typer.Option(
            help="Also set thresholds from so many parts confirmed good, comma separated: 0,5,19,45. Needs --false-alarm-rate."
        ),
    ] = "",
    control: Annotated[
        bool,
        typer.Option("--control", help=f"Also {catalogue.titles(catalogue.CONTROLS)} on random weights."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 1,
    resolution: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST, help="Pixels of the short side at which images are looked at; 0: as a whole."
        ),
    ] = 0,
    regions: Annotated[
        Path | None,
        typer.Option(
            help="Inspect only what this file says of each class; the Teach page exports it.", exists=True
        ),
    ] = None,
    white: Annotated[
        int | None,
        typer.Option(min=LEAST, max=FULL, help="Brightest value of images with more than 8 bits."),
    ] = None,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper",
            help="The papers' shots and weights, and their figures beside ours: MVTec AD, VisA, Real-IAD.",
        ),
    ] = False,
    data_set: Annotated[
        str, typer.Option(help="Which published set DATA stands for, instead of recognising it.")
    ] = "",
) -> None:
    """Measure methods on labelled data by the field's protocol.

    Finished candidates are kept in OUTPUT/parts: the same command goes on where it was stopped.
    """
    from inspector.jobs.evaluation import datasets, stored
    from inspector.jobs.evaluation import paper as papers
    from inspector.jobs.evaluation.plan import EvaluationPlan
    from inspector.jobs.evaluation.run import evaluate as job

    if data_set and not paper:
        raise InspectorError("--data-set goes with --paper.", "Add --paper, or leave it out.")
    if shots is not None and not _numbers(shots):
        raise InspectorError(f"“{shots}” is not a list of numbers of shots.", "Write --shots 1,2,4.")
    if confirmed and not _numbers(confirmed):
        raise InspectorError(f"“{confirmed}” is not a list of numbers.", "Write --confirmed 0,5,19,45.")
    if paper and control and not method:
        raise InspectorError("--control with --paper needs --method.", "Name the methods to compare.")
    counts = papers.SHOTS if paper else (4,)
    methods = catalogue.expand(method) if method else [] if paper else [catalogue.QUICK]
    plan = EvaluationPlan(
        data,
        tuple(dict.fromkeys([*methods, *(catalogue.CONTROLS if control else ())])),
        counts if shots is None else _numbers(shots),
        tuple(range(seeds)),
        output,
        classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
        one_for_all=not one_for_one,
        class_known=not find_class,
        split=split,
        false_alarm_rate=false_alarm_rate,
        confirmed=_numbers(confirmed),
        weights=weights or settings.load().weights,
        device=device,
        workers=workers,
        white=white,
        resolution=resolution,
        areas=area.load(regions, datasets.read(data).classes) if regions else {},
    )
    for one in papers.plans(plan, data_set, weights or "") if paper else [plan]:
        with console("Evaluate") as emit:
            job(one, emit=emit, cancel=CancelToken())
        say((one.output / (stored.PAPER if paper else "results.md")).read_text("utf-8"))


def _numbers(listed: str) -> tuple[int, ...]:
    """Whole numbers from 0 on, comma separated; none where anything else stands there."""
    parts = [part.strip() for part in listed.split(",")]
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
