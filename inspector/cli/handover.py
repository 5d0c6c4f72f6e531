"""`inspector hand-over` and `inspector take-over`: a detector as one file, from one computer to another."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.options import Runtime
from inspector.cli.output import console, say
from inspector.domain import CancelToken
from inspector.errors import HandOverError

app = typer.Typer()


@app.command("hand-over")
def hand_over(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    target: Annotated[
        Path, typer.Argument(metavar="FILE.inspector", help="The file to write.", dir_okay=False)
    ],
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class", help="Whose detector; the newest in charge when left out. All its classes go along."
        ),
    ] = None,
) -> None:
    """Write the detector in charge of a class as one file that another computer can take over: with thresholds, area, range, shots and
    golden set, without the weights under it.

    The fingerprint that is printed is a checksum of all of it: compared by another way, it shows that nothing was changed.
    """
    from inspector.jobs.engine import Engine
    from inspector.jobs.handover.give import hand_over as work
    from inspector.records import project as projects

    chosen = settings.load()
    with projects.open(project) as opened, console("Hand over") as emit:
        opened.who = chosen.reviewer
        work(
            opened,
            Engine(device=chosen.device),
            target,
            class_name=class_name,
            who=chosen.reviewer,
            emit=emit,
            cancel=CancelToken(),
        )


@app.command("take-over")
def take_over(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.inspector", help="What “hand-over” wrote.", dir_okay=False)
    ],
    project: Annotated[Path, typer.Argument(help="Project folder; made if there is none.")],
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=NAME", help="What a class is called here; repeat for several."),
    ] = None,
    runtime: Runtime = None,
) -> None:
    """Take a detector over out of a file. It scores its golden set here, and judges only where it says what it said there.

    Exit codes: 0 it is in charge; 2 it is only proposed, since scores differ; 1 nothing was taken over, for the reason given.
    """
    from inspector.jobs.engine import Engine
    from inspector.jobs.handover.take import read_offer
    from inspector.jobs.handover.take import take_over as work
    from inspector.records import project as projects
    from inspector.records.detectors import list_proposed

    chosen = settings.load()
    names = {}
    for one in rename or ():
        old, sign, new = one.partition("=")
        if not sign:
            raise HandOverError(
                f"“{one}” doesn't say what a class is called here.", "Write --rename washer=washer-2"
            )
        names[old] = new
    read_offer(file)  # before a project is made for it
    fresh = not (project / projects.DATABASE).exists()  # also where a project was killed while it was made
    own = not project.exists() or not any(project.iterdir())
    opening = projects.create(project, project.name) if fresh else projects.open(project)
    try:
        with opening as opened:
            opened.who = chosen.reviewer
            before = {row.id for row in list_proposed(opened)}
            with console("Take over") as emit:
                work(
                    opened,
                    Engine(device=chosen.device, runtime=runtime),
                    file,
                    names=names,
                    who=chosen.reviewer,
                    emit=emit,
                    cancel=CancelToken(),
                )
            proposed = {row.id for row in list_proposed(opened)} - before
    except BaseException:
        if fresh and own:
            shutil.rmtree(project, ignore_errors=True)
        raise
    if proposed:
        say("It is only proposed: open the project and decide on the Teach page.", error=True)
        raise typer.Exit(2)
