"""Measurements of the methods: how long teaching takes, and scoring beside the bare backbone."""

import logging
import multiprocessing
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.bench.memory import peak_memory_mib
from inspector.domain import CancelToken, Image
from inspector.errors import InspectorError
from inspector.images import read
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import least_side
from inspector.methods import catalogue

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone

_log = logging.getLogger("inspector.jobs")
FALSE_ALARM_RATE = 0.05
_EPOCH_SETTINGS = ("epochs", "adaptation_epochs")
Files = dict[str, list[Path]]


def teach(
    method: str = catalogue.RECOMMENDED,
    *,
    classes: int = 4,
    shots: int = 4,
    data: Path | None = None,
    weights: str = "inspector-tiny",
    device: str = "auto",
    dtype: str = "auto",
) -> dict[str, Any]:
    """Seconds from normal shots on disk to a detector on disk that can judge, in a process of its own.

    `method`: a name as `catalogue.parse` reads it. `data`: a folder in MVTec AD layout whose first classes
    and first good parts are taken, instead of drawn parts. `weights`: also an architecture of open_clip with
    "@random".

    Returns `seconds` (reading, teaching, scoring the shots without themselves, thresholds, saving) and its
    parts; `load_seconds` of the backbone, which is not among them; `peak_memory_mib` of the process; for
    methods that learn `epochs`, `first_loss` and `last_loss` of the optimiser's first loop. Raises
    InspectorError.
    """
    catalogue.parse(method)
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as folder:
        files = _drawn(Path(folder), classes, shots) if data is None else _found(data, classes, shots)
        return _apart(_teach, method, files, weights, device, dtype, Path(folder) / "detector")


def methods(
    *,
    batch_sizes: Sequence[int] = (16,),
    weights: str = "inspector-tiny",
    device: str = "auto",
    dtype: str = "auto",
    rounds: int = 5,
    names: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Every method's `score` on prepared images beside the bare image tower, in turns in one process.

    Each is taught for one epoch, saved and loaded again, as in use. `methods.<name>.batches.<size>`: `ms` an
    image, `images_per_s`, `backbone_ms` (whole tower at the same batch size), `ratio` of the two; also
    `best_ms`, `best_batch`, and `text_tower`: whether scoring loaded it. Batch 1 is always measured. `names`:
    all when empty. `left_out`: a sentence for each that the backbone doesn't suit.
    """
    from inspector.bench import backbone as speed
    from inspector.methods import storage

    chosen = [*dict.fromkeys(names)] or [info.name for info in catalogue.available()]
    for name in chosen:
        catalogue.check(catalogue.parse(name))
    sizes = sorted({1, *batch_sizes})
    loaded = speed.load(weights, device, dtype)
    parts = _pictures(loaded, max(sizes))
    shots = {name: images[:2] for name, images in parts.items()}
    (known, batch), *_ = parts.items()
    runs: dict[str, Any] = {}
    text: dict[str, bool] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as folder:
        for name in chosen:
            progress(f"Teaching {name} for one epoch")
            variant = catalogue.parse(name)
            quick = {key: 1 for key in _EPOCH_SETTINGS if key in catalogue.defaults(variant.method)}
            made = catalogue.make(variant.method, **{**quick, **variant.settings})
            try:
                made.fit(shots, loaded, progress=lambda *_: None, cancel=CancelToken())
            except InspectorError as error:  # needs what this backbone doesn't have
                left_out[name] = str(error)
                continue
            storage.save(made, Path(folder) / str(len(runs)))
            fresh = loaded.without_text()
            ready = storage.load(Path(folder) / str(len(runs)), fresh)
            ready.score(batch[:1], [known])
            runs[name], text[name] = ready, fresh.text_loaded
    found: dict[str, dict[str, Any]] = {name: {} for name in runs}
    for size in sizes:
        progress(f"Batches of {size}")
        images, of = batch[:size], [known] * size
        what = {name: partial(ready.score, images, of) for name, ready in runs.items()}
        bare = speed.bare(loaded, [image.pixels for image in images])
        seconds = speed.in_turns({"": bare, **what}, rounds, loaded.device)
        for name in runs:
            found[name][str(size)] = {
                "ms": round(1000 * seconds[name] / size, 3),
                "images_per_s": round(size / seconds[name], 1),
                "backbone_ms": round(1000 * seconds[""] / size, 3),
                "ratio": round(seconds[name] / seconds[""], 2),
            }
    return {
        **speed.about(loaded),
        "batch_sizes": sizes,
        "left_out": left_out,
        "methods": {
            name: {
                "batches": rows,
                "best_ms": min(row["ms"] for row in rows.values()),
                "best_batch": int(min(rows, key=lambda size: rows[size]["ms"])),
                "text_tower": text[name],
            }
            for name, rows in found.items()
        },
    }


def _teach(method: str, files: Files, weights: str, device: str, dtype: str, target: Path) -> dict[str, Any]:
    """In the process of its own."""
    from inspector.bench import backbone as speed
    from inspector.methods import storage
    from inspector.verdicts import calibrate

    variant = catalogue.parse(method)
    catalogue.check(variant)
    started = time.perf_counter()
    loaded = speed.load(weights, device, dtype)
    marks = [time.perf_counter()]
    load_seconds = marks[0] - started
    at_least = least_side(loaded)
    shots = {name: [read.read(path, at_least) for path in own] for name, own in files.items()}
    marks.append(time.perf_counter())
    made = catalogue.make(variant.method, **variant.settings)
    if catalogue.find(variant.method).learns:
        made.checkpoints = target.with_name("checkpoints")  # as in the window
    losses: list[float] = []
    epochs: list[float] = []

    def heard(done: float, message: str, values: Mapping[str, float]) -> None:
        if "loss" in values and (not epochs or values["epoch"] > epochs[-1]):
            losses.append(values["loss"])
            epochs.append(values["epoch"])

    made.fit(shots, loaded, progress=heard, cancel=CancelToken())
    marks.append(time.perf_counter())
    for name, held_out in made.held_out(shots).items():
        calibrate.thresholds(held_out, FALSE_ALARM_RATE, len(shots[name]))
    marks.append(time.perf_counter())
    storage.save(made, target)
    marks.append(time.perf_counter())
    names = ("read_seconds", "fit_seconds", "thresholds_seconds", "save_seconds")
    spent = [round(after - before, 3) for before, after in pairwise(marks)]
    peak, gpu = peak_memory_mib(), speed.peak_gpu_memory_mib()
    return {
        **speed.about(loaded),
        "method": method,
        "classes": len(shots),
        "shots": max(map(len, shots.values())),
        "seconds": round(marks[-1] - marks[0], 2),
        **dict(zip(names, spent, strict=True)),
        "load_seconds": round(load_seconds, 2),
        "peak_memory_mib": peak and round(peak),
        **({"peak_gpu_memory_mib": round(gpu)} if gpu else {}),
        "epochs": len(losses),
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
    }


def _apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What `work` gives in a fresh process, whose memory is then its own. Raises InspectorError."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        given, problem = ours.recv()
    except EOFError:
        raise InspectorError("The measured process ended unexpectedly.", "Is there enough memory?") from None
    finally:
        process.terminate()
        process.join()
        ours.close()
    if problem:
        raise InspectorError(*problem)
    return dict(given)


def _answer(theirs: Connection, work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> None:
    try:
        theirs.send((work(*arguments), None))
    except InspectorError as error:
        theirs.send((None, (error.message, error.hint)))
    except Exception as error:
        _log.critical("a measurement failed\n%s", traceback.format_exc())
        theirs.send((None, (f"The measurement failed: {error}.", "The log has the details.")))


def _drawn(folder: Path, classes: int, shots: int) -> Files:
    """Good parts of as many products as wanted; beyond the
    kinds there are, a kind comes again with other parts."""
    from PIL import Image as Picture

    files: Files = {}
    for number in range(classes):
        kind = demo_parts.KINDS[number % len(demo_parts.KINDS)]
        again = number // len(demo_parts.KINDS)
        name = f"{kind} {again + 1}" if again else kind
        files[name] = []
        for shot in range(shots):
            path = folder / f"{number}-{shot}.png"
            Picture.fromarray(demo_parts.draw(kind, 1000 * again + shot)[0]).save(path)
            files[name].append(path)
    return files


def _found(data: Path, classes: int, shots: int) -> Files:
    from inspector.jobs.evaluation import datasets

    train = list(datasets.read(data).train.items())[:classes]
    fewest = min((len(samples) for _, samples in train), default=0)
    if len(train) < classes or fewest < shots:
        raise InspectorError(
            f"{data.name} has {len(train)} classes with {fewest} good parts or more, but {classes} with {shots} are "
            "wanted.",
            "Ask for fewer.",
        )
    return {name: [sample.path for sample in samples[:shots]] for name, samples in train}


def _pictures(backbone: "Backbone", count: int) -> dict[str, list[Image]]:
    """Drawn parts of two products, shrunk to the backbone's size."""
    made: dict[str, list[Image]] = {}
    for kind in demo_parts.KINDS[:2]:
        drawn = [demo_parts.draw(kind, seed, size=240)[0] for seed in range(min(count, 8) + 2)]
        ready = [Image(backbone.prepare_one(pixels), "", kind) for pixels in drawn]
        # More of them as arrays of their own.
        made[kind] = [replace(one, pixels=one.pixels.copy()) for one in (ready * count)[: max(count, 2)]]
    return made
