"""`inspector bench`: measure this machine."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inspector.cli.options import Runtime
from inspector.cli.output import figures, say, table
from inspector.errors import InspectorError
from inspector.methods import catalogue

app = typer.Typer(help="Measure this machine; every figure in the README comes from these commands.")
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.", dir_okay=False)]
Weights = Annotated[
    str, typer.Option(help="Catalogue name or file; ARCHITECTURE@random measures open_clip's untrained.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]


@app.command("startup")
def bench_startup(target: Json = None, repeats: Annotated[int, typer.Option(min=1)] = 5) -> None:
    """Process start to first window paint, and whether torch was imported by then."""
    from inspector.bench.startup import measure

    figures(measure(repeats), target)


@app.command("slider")
def bench_slider(target: Json = None, megapixels: float = 24, moves: int = 200) -> None:
    """Threshold move to repaint on a large image."""
    from inspector.bench.slider import slider

    figures(dict(slider(megapixels, moves)), target)


@app.command("reviewing")
def bench_reviewing(target: Json = None, parts: Annotated[int, typer.Option(min=1, max=30)] = 30) -> None:
    """Parts a minute that can be reviewed by single keys in the real window."""
    from inspector.bench.reviewing import measure

    figures(dict(measure(parts)), target)


@app.command("operator")
def bench_operator(
    target: Json = None,
    rate: Annotated[float, typer.Option(min=1, help="Parts a second.")] = 25,
    seconds: Annotated[float, typer.Option(min=1)] = 12,
    megapixels: Annotated[float, typer.Option(min=0.1)] = 5,
) -> None:
    """What a part costs the window in the operator view: answers a second, how long the window is held up, drawing."""
    from inspector.bench.line.operator import measure

    figures(measure(rate, seconds, megapixels), target)


@app.command("backbone")
def bench_backbone(
    target: Json = None,
    weights: str = "inspector-tiny",
    device: str = "auto",
    rounds: Annotated[int, typer.Option(min=3)] = 9,
) -> None:
    """Milliseconds per image at several batch sizes beside the bare Lite0 trunk, and peak memory."""
    from inspector.bench.backbone import measure

    figures(measure(weights, device, rounds=rounds), target)


@app.command("throughput")
def bench_throughput(
    target: Json = None,
    images: Annotated[int, typer.Option(min=8)] = 128,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    weights: Annotated[str, typer.Option()] = "inspector-tiny",
    device: Device = "auto",
    runtime: Runtime = None,
) -> None:
    """The bare image tower's images/s beside the whole of
    `inspect`, file to stored result, and their ratio."""
    from inspector.bench.throughput import throughput
    from inspector.jobs.engine import Engine

    engine = Engine(weights, device, runtime=runtime)
    figures(throughput(engine, images=images, batch_size=batch_size), target)


@app.command("runtimes")
def bench_runtimes(
    target: Json = None,
    method: Annotated[str, typer.Option(help="Catalogue name, also with settings.")] = catalogue.QUICK,
    weights: Annotated[str, typer.Option()] = "inspector-tiny",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    images: Annotated[int, typer.Option(min=1)] = 40,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder in MVTec AD layout instead of drawn parts.", exists=True, file_okay=False),
    ] = None,
) -> None:
    """What ONNX Runtime and OpenVINO say of the same images beside PyTorch, as far as they are installed, and how fast."""
    from inspector.bench.runtimes import PRECISIONS, measure

    if precision not in PRECISIONS:
        raise InspectorError(f"There is no precision “{precision}”.", "Choose fp32 or bf16.")
    figures(measure(method, weights, precision, images=images, data=data), target)


@app.command("resolution")
def bench_resolution(
    target: Json = None,
    method: str = catalogue.QUICK,
    smallest: Annotated[int, typer.Option(min=2, help="The smallest defect to find, in pixels.")] = 24,
    side: Annotated[int, typer.Option(min=480, help="Pixels of a picture's side.")] = 3464,
    good: Annotated[int, typer.Option(min=1, help="How many good parts are inspected.")] = 20,
    each: Annotated[int, typer.Option(min=1, help="How many spots of every size.")] = 10,
    kind: Annotated[str, typer.Option(help="What is drawn: washer, blister or cloth.")] = "washer",
) -> None:
    """Spots of 8 to 160 pixels on large pictures: how many are found, looked at as a whole and tile by tile."""
    from inspector.bench.resolution import resolution

    figures(dict(resolution(method, smallest, side, good, min(each, good), kind)), target)


@app.command("smallest")
def bench_smallest(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    class_name: Annotated[str, typer.Option("--class", help="A class that is taught.")],
    target: Json = None,
    kinds: Annotated[str, typer.Option(help="What is painted, comma separated; all when left out.")] = "",
) -> None:
    """Defects of known sizes painted into a class's own good shots: how many of each size are called NG."""
    from inspector.images.harm import KINDS
    from inspector.jobs.engine import Engine
    from inspector.jobs.smallest import CONTRASTS, smallest_defect
    from inspector.records import project as projects

    chosen = [kind.strip() for kind in kinds.split(",") if kind.strip()] or list(KINDS)
    if unknown := set(chosen) - set(KINDS):
        raise InspectorError(f"There is no kind “{min(unknown)}”.", f"Choose from: {', '.join(KINDS)}.")
    with projects.open(project, read_only=True) as opened:
        found = smallest_defect(opened, Engine(), class_name, kinds=chosen)
    if target is not None:
        figures(asdict(found), target)
        return

    def shown(ng: float, seen: float) -> str:
        return f"{100 * ng:.0f}" + (f"/{100 * seen:.0f}" if seen > ng else "")

    curves, words = found.curves, {None: "", CONTRASTS[0]: " faint", CONTRASTS[1]: " clear"}
    rows = [
        [f"{size} px", *(shown(one.ng[n], one.seen[n]) for one in curves)]
        for n, size in enumerate(curves[0].sizes)
    ]
    rows.append(["9 of 10", *("–" if one.sure is None else f"{one.sure} px" for one in curves)])
    table(
        f"{class_name}: per cent called NG/NG or review (good shots: {found.good_ng:.0%} NG)",
        ["", *(one.kind + words[one.contrast] for one in curves)],
        rows,
    )


@app.command("trends")
def bench_trends(
    target: Json = None, arrivals: Annotated[int, typer.Option(min=100)] = 1_000_000, repeats: int = 3
) -> None:
    """What following a station costs that has judged very many parts: a month, a day, a class, an order, drift."""
    from inspector.bench.line.trends import trends

    figures(trends(arrivals, repeats=repeats), target)


@app.command("records")
def bench_records(
    target: Json = None,
    results: Annotated[int, typer.Option(min=1, help="How many results the project has.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """A project with very many results: opening, a page, filters, a threshold, overriding and exports."""
    from inspector.bench.records import records

    figures(records(results, repeats=repeats), target)


@app.command("crash")
def bench_crash(
    kills: Annotated[int, typer.Option(min=1)] = 50,
    target: Json = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="What is killed, comma separated, in turns; or “all”, see inspector.bench.crash.run."
        ),
    ] = "inspect",
    seed: int = 0,
) -> None:
    """Kill a process at random moments; nothing that it
    announced may be lost and nothing unfinished may stay."""
    from inspector.bench.crash.run import KINDS, crash

    chosen = KINDS if kinds == "all" else tuple(kind.strip() for kind in kinds.split(","))
    if unknown := set(chosen) - set(KINDS):
        raise InspectorError(f"There is no kind “{min(unknown)}”.", f"Choose from: {', '.join(KINDS)}.")

    def progress(number: int, line: str) -> None:
        say(f"{number:,} of {kills:,} killed, {line}", error=True)

    found = crash(kills, seed=seed, kinds=chosen, progress=progress)
    rows = [[kind, *(f"{value:,}" for value in row.values())] for kind, row in found["by_kind"].items()]
    table(
        "Killed", ["while", *(name.replace("_", " ") for name in next(iter(found["by_kind"].values())))], rows
    )
    for problem in found["problems"]:
        say(f"✗ {problem}", error=True)
    figures(found, target)
    if found["lost"] or found["problems"]:
        raise typer.Exit(1)


def _chosen(names: str, known: tuple[str, ...], refusal: str) -> tuple[str, ...]:
    """The comma separated names, all that are known when none is given. Raises InspectorError for another: “it” `refusal`."""
    chosen = tuple(name.strip() for name in names.split(",") if name.strip()) or known
    if unknown := [name for name in chosen if name not in known]:
        raise InspectorError(f"“{unknown[0]}” {refusal}.", f"There are: {', '.join(known)}.")
    return chosen


def _tried(mutants: int, every: int) -> Callable[[int, str], None]:
    """Says now and then how many mutants were tried."""

    def progress(number: int, line: str) -> None:
        if number % every == 0:
            say(f"{number:,} of {mutants:,} tried, {line}", error=True)

    return progress


@app.command("fuzz")
def bench_fuzz(
    target: Json = None,
    mutants: Annotated[int, typer.Option(min=1)] = 10_000,
    seed: int = 0,
    subjects: Annotated[str, typer.Option(help="Kinds of files, comma separated; all when left out.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 2,
) -> None:
    """Read damaged files of all kinds: each must give its content or a sentence, within 10 s and 2 GiB."""
    from inspector.bench.fuzz.run import SUBJECTS, fuzz

    chosen = {name: SUBJECTS[name] for name in _chosen(subjects, tuple(SUBJECTS), "is no kind of file")}
    told = _tried(mutants, every=500)
    figures(fuzz(mutants, seed=seed, subjects=chosen, workers=workers, progress=told), target)


@app.command("mutants")
def bench_mutants(
    target: Json = None,
    mutants: Annotated[int, typer.Option(min=1)] = 1000,
    seed: int = 0,
    kinds: Annotated[str, typer.Option(help="What is damaged, comma separated; all when left out.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 2,
) -> None:
    """Damage one file of a project: all that is seen must be
    right or said to be damaged, and nothing else be lost."""
    from inspector.bench.mutants.run import KINDS
    from inspector.bench.mutants.run import mutants as measure

    chosen = _chosen(kinds, KINDS, "is nothing that can be damaged")
    told = _tried(mutants, every=100)
    figures(measure(mutants, seed=seed, kinds=chosen, workers=workers, progress=told), target)


@app.command("teach")
def bench_teach(
    target: Json = None,
    method: Annotated[str, typer.Option(help="Catalogue name, also with settings.")] = catalogue.RECOMMENDED,
    classes: Annotated[int, typer.Option(min=1)] = 4,
    shots: Annotated[int, typer.Option(min=1, max=64)] = 4,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder in MVTec AD layout instead of drawn parts.", exists=True, file_okay=False),
    ] = None,
    weights: Weights = "inspector-tiny",
    device: Device = "auto",
    dtype: Precision = "auto",
) -> None:
    """Seconds from normal shots on disk to a usable detector on disk, and the peak memory of that process."""
    from inspector.bench.methods import teach

    found = teach(
        method, classes=classes, shots=shots, data=data, weights=weights, device=device, dtype=dtype
    )
    figures(found, target)


@app.command("methods")
def bench_methods(
    target: Json = None,
    batch_size: Annotated[list[int] | None, typer.Option(min=1, max=512, help="Repeat for several.")] = None,
    method: Annotated[
        str, typer.Option(help="Comma-separated names, `all` or `ablations`, as in evaluate.")
    ] = "all",
    weights: Weights = "inspector-tiny",
    device: Device = "auto",
    dtype: Precision = "auto",
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Milliseconds an image of every method at batch 1 and
    at others beside the bare backbone, measured in turns."""
    from inspector.bench.methods import methods

    found = methods(
        batch_sizes=batch_size or [16],
        weights=weights,
        device=device,
        dtype=dtype,
        rounds=rounds,
        names=catalogue.expand(method),
        progress=lambda line: say(line, error=True),
    )
    rows = [
        [
            name,
            size,
            f"{row['ms']:.2f}",
            f"{row['backbone_ms']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['images_per_s']:.0f}",
            "loaded" if own["text_tower"] else "not loaded",
        ]
        for name, own in found["methods"].items()
        for size, row in own["batches"].items()
    ]
    table(
        f"{found['backbone']}, {found['device']}, {found['dtype']}",
        ["method", "batch", "ms / image", "backbone", "ratio", "images / s", "text tower"],
        rows,
    )
    for name, sentence in found["left_out"].items():
        say(f"{name} is left out: {sentence}")
    if target is not None:
        figures(found, target)


@app.command("line")
def bench_line(
    target: Json = None,
    seconds: Annotated[float, typer.Option(min=1)] = 60,
    rate: Annotated[float, typer.Option(min=0.1, help="Pictures a second.")] = 20,
    size: Annotated[int, typer.Option(min=64, help="Pixels of their sides.")] = 512,
    kills: Annotated[
        int, typer.Option(min=0, help="Kill the runner so often instead, and see that nothing is lost.")
    ] = 0,
    images: Annotated[int, typer.Option(min=1, help="How many, with --kills.")] = 2000,
    outputs: Annotated[
        bool,
        typer.Option(
            "--outputs", help="With --kills: take an MQTT broker and an OPC UA client away and back too."
        ),
    ] = False,
    seed: int = 0,
) -> None:
    """A folder station fed by another process: file to stored verdict, what is lost or judged twice, growth of memory."""
    from inspector.bench.line.station import killed, line

    def progress(words: str) -> None:
        say(words, error=True)

    found = (
        killed(kills, images, rate=rate, seed=seed, outputs=outputs, progress=progress)
        if kills
        else line(seconds, rate, size=size, progress=progress)
    )
    figures(found, target)
    if any(
        found.get(name) for name in ("lost", "doubled", "wrong", "told_wrong", "mqtt_wrong", "opcua_wrong")
    ):
        raise typer.Exit(1)
