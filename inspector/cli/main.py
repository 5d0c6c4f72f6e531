"""The `inspector` command: the window by default, and every job without a window."""

import importlib
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspector import log, settings
from inspector.cli import audit as cli_audit
from inspector.cli import bench as cli_bench
from inspector.cli import evaluate as cli_evaluate
from inspector.cli import golden as cli_golden
from inspector.cli import handover as cli_handover
from inspector.cli import study as cli_study
from inspector.cli import upkeep as cli_upkeep
from inspector.cli import weights as cli_weights
from inspector.cli.line import operate as cli_operate
from inspector.cli.line import report as cli_report
from inspector.cli.line import roles as cli_roles
from inspector.cli.line import run as cli_line
from inspector.cli.line import stations as cli_stations
from inspector.cli.line import tidy as cli_tidy
from inspector.cli.options import Runtime
from inspector.cli.output import console, explain, say, table, take_any_character
from inspector.domain import CancelToken, JobEnded, JobEvent
from inspector.errors import InspectorError
from inspector.images import area
from inspector.images.value_range import FULL, LEAST, narrower

if TYPE_CHECKING:
    from inspector.records.project import Project

app = typer.Typer(
    name="inspector",
    help="Teach a machine to find defects from a handful of good parts, offline.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _room in (
    *(cli_evaluate, cli_golden, cli_study, cli_audit, cli_report, cli_roles),
    *(cli_line, cli_stations, cli_operate, cli_tidy, cli_handover, cli_upkeep),
):
    app.add_typer(_room.app)
app.add_typer(cli_weights.app, name="weights")
app.add_typer(cli_bench.app, name="bench")


def main() -> None:
    """Run the command line; errors a user can act on are two plain lines, not a traceback."""
    take_any_character()
    log.start()
    log.catch_unexpected()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is temporary is cleaned up
    if len(sys.argv) == 1:  # the window, without the cost of building the command tree
        sys.exit(_guarded(lambda: _window(None)))
    sys.exit(_guarded(lambda: app(standalone_mode=True)))


def _guarded(action: Callable[[], int | None]) -> int:
    try:
        return action() or 0
    except InspectorError as error:
        explain(error)
        return 1
    except KeyboardInterrupt:
        say("Stopped.", error=True)
        return 130


def _window(project: Path | None) -> int:
    from inspector.views import display

    display.ask()  # is answered while the window's code is loaded
    with suppress(ImportError):
        importlib.import_module("inspector.views.app")
    if reason := display.problem():
        raise InspectorError(
            reason,
            "Run it on a desktop, or use the commands that need none: inspector demo --headless, inspector --help.",
        )
    from inspector.views import app as window

    return window.run(project)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"Inspector {version('inspector')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open the window (without a command)."""
    if context.invoked_subcommand is None:
        raise typer.Exit(_window(None))
    for problem in (
        settings.read()[1] if context.invoked_subcommand != "open" else ()
    ):  # the window says it itself
        say(problem, error=True)


@app.command("open")
def open_project(
    project: Annotated[
        Path | None, typer.Argument(help="Project folder, or a detector that was handed over.")
    ] = None,
) -> None:
    """Open the window, also on a project or on a detector to take over."""
    raise typer.Exit(_window(project))


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: write a report folder instead.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder for the demo project and the report.")] = Path(
        "inspector-demo"
    ),
    weights: Annotated[
        str | None,
        typer.Option(help="Backbone weights by catalogue name or file; NAME@SIZE looks at SIZE pixels."),
    ] = None,
) -> None:
    """Draw three products, teach four normal shots of each, inspect good and defective parts, show the result."""
    from inspector.jobs import demo as demo_job
    from inspector.jobs.engine import Engine
    from inspector.views import display

    chosen = settings.load()
    show_window = not headless and display.display_available()
    engine = Engine(weights=weights or chosen.weights, device=chosen.device)
    project = demo_job.free_folder(output)
    with console("Demo") as emit:
        demo_job.make_demo_project(project, engine, emit=emit, cancel=CancelToken())
    if show_window:
        raise typer.Exit(_window(project))
    with console("Report") as emit:
        demo_job.write_report(project, project / "report", emit=emit, cancel=CancelToken())
    head, rows = demo_job.summary(project)
    table("What was found", head, rows)
    say(f"✓ {project / 'report' / 'report.html'}")
    say(f"✓ {project / 'report' / 'results.csv'}")
    if not headless:
        say("There is no display, so the report was written instead of opening the window.")


@app.command()
def teach(
    project: Annotated[Path, typer.Argument(help="Project folder; made if there is none.")],
    shots: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder with one subfolder of good parts per class."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Catalogue name, also with settings; the chosen one when left out.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--false-alarm-rate", min=0.001, max=0.5, help="Wanted share of good parts called NG."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Backbone weights by catalogue name or file; NAME@SIZE looks at SIZE pixels."),
    ] = None,
    white: Annotated[
        int | None,
        typer.Option(
            min=LEAST,
            max=FULL,
            help="Brightest value of files with more than 8 bits (4095 for 12 bits in 16), kept for the classes of "
            "--shots, or for all; 65535 is the whole range.",
        ),
    ] = None,
    smallest: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many pixels of the pictures the smallest defect to find is across, kept likewise; 0 looks at pictures "
            "as a whole.",
        ),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            help="A file that says what of each class's pictures is inspected; the Teach page exports it.",
            exists=True,
        ),
    ] = None,
) -> None:
    """Add normal shots to a project and teach a detector."""
    from inspector.jobs import teach as job
    from inspector.jobs.engine import Engine
    from inspector.jobs.shot_folders import sort_shots
    from inspector.records import project as projects
    from inspector.records.classes import add_class, list_classes, set_area, set_smallest
    from inspector.records.names import class_key
    from inspector.records.ranges import set_white
    from inspector.records.shots import add_shots

    chosen = settings.load()
    opening = projects.open(project) if project.exists() else projects.create(project, project.name)
    with opening as opened:
        opened.who = chosen.reviewer
        _told(opened)
        known = {class_key(row.name): row.id for row in list_classes(opened)}
        found = sort_shots([shots] if shots else [])
        for line in found.left_out:
            print(f"Left out: {line}", file=sys.stderr)
        ids = {name: known.get(class_key(name)) or add_class(opened, name) for name in found.classes}
        for class_id in ids.values() if shots else known.values():
            if white is not None:
                set_white(opened, class_id, white)
            if smallest is not None:
                set_smallest(opened, class_id, smallest or None)
        if regions is not None:
            current = {row.name: row.id for row in list_classes(opened)}
            for name, one in area.load(regions, current).items():
                set_area(opened, current[name], one)
        for name, files in found.classes.items():
            for added in add_shots(opened, ids[name], files):
                if added.message:
                    say(f"{added.name}: {added.message}", error=True)
        for row in list_classes(opened):
            if row.offer:
                say(f"{row.name}: {row.offer} Then teach with --white {narrower(row.modes)}.", error=True)
        engine = Engine(weights=weights or chosen.weights, device=chosen.device)
        with console("Teach") as emit:
            job.teach(
                opened,
                engine,
                method=method,
                false_alarm_rate=chosen.false_alarm_rate if rate is None else rate,
                emit=emit,
                cancel=CancelToken(),
            )


@app.command()
def inspect(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    images: Annotated[list[Path], typer.Argument(help="Image files and folders.")],
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class of all images; found per image when left out.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=256)] = None,
    runtime: Runtime = None,
) -> None:
    """Inspect images with the newest detector and store the results.

    Exit codes: 0 all images are OK; 2 an image is NG; 5 none is, but some show another product; 4 neither, but some are to be
    reviewed; 3 an image could not be inspected, whatever the others are; 1 nothing was inspected, for the reason given.
    """
    from inspector.jobs import inspect as job
    from inspector.jobs.engine import Engine
    from inspector.records import project as projects
    from inspector.records.inspected.results import count_results
    from inspector.records.inspected.taught_from import count_shots
    from inspector.records.result_filter import ResultFilter

    chosen = settings.load()
    ended: list[JobEnded] = []
    with projects.open(project) as opened:
        opened.who = chosen.reviewer
        _told(opened)
        with console("Inspect") as emit:

            def note(event: JobEvent) -> None:
                if isinstance(event, JobEnded):
                    ended.append(event)
                emit(event)

            job.inspect(
                opened,
                Engine(device=chosen.device, batch_size=batch_size, runtime=runtime),
                images,
                class_name=class_name,
                emit=note,
                cancel=CancelToken(),
            )
        of_run = ResultFilter(run_id=ended[-1].result["run_id"])
        counts, shots = count_results(opened, of_run), count_shots(opened, of_run).total
    table(
        "Verdicts",
        ["OK", "review", "NG", "not this product", "failed"],
        [[str(n) for n in (counts.ok, counts.review, counts.ng, counts.other, counts.failed)]],
    )
    if shots:
        say(f"Of these, {shots} taught the detector: what is said of them shows nothing.")
    codes = {3: counts.failed, 2: counts.ng, 5: counts.other, 4: counts.review}
    raise typer.Exit(next((code for code, count in codes.items() if count), 0))


def _told(opened: "Project") -> None:
    """Say how a project was opened, and what speaks against its database."""
    for words in filter(None, (opened.note, opened.doubt)):
        say(f"! {words}", error=True)


class Format(StrEnum):
    """What `inspector export` writes."""

    CSV = "csv"
    JSONL = "jsonl"
    XLSX = "xlsx"
    OVERLAYS = "overlays"
    MASKS = "masks"
    MAPS = "maps"
    COCO = "coco"
    REPORT = "report"


@app.command()
def export(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    target: Annotated[
        Path | None,
        typer.Argument(
            help="New or empty folder, or for one format the file; a dated folder in the project's exports when left out."
        ),
    ] = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", "-f", help="Repeat for several.")
    ] = None,
    run: Annotated[int | None, typer.Option(help="One run only, by number.")] = None,
) -> None:
    """Export results: tables, overlays, masks, raw maps, COCO, report. CSV and report when no format is named."""
    from inspector.exports.catalogue import dated_folder
    from inspector.jobs import export as job
    from inspector.records import project as projects
    from inspector.records.audit import ActKind
    from inspector.records.result_filter import ResultFilter

    ended: list[JobEnded] = []
    wanted = [item.value for item in formats or (Format.CSV, Format.REPORT)]
    with projects.open(project, read_only=True) as opened, console("Export") as emit:
        _told(opened)
        where = ResultFilter(run_id=run)

        def note(event: JobEvent) -> None:
            if isinstance(event, JobEnded):
                ended.append(event)
            emit(event)

        job.export(
            opened,
            target or dated_folder(opened.folder / job.EXPORTS),
            wanted,
            filter=where,
            emit=note,
            cancel=CancelToken(),
        )
    done = ended[-1].result
    cli_audit.note(
        project, ActKind.RESULTS_EXPORTED, f"{done['results']:,} results", done["folder"], ", ".join(wanted)
    )
