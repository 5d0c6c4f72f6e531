"""Inspect: image files → stored results, as a pipeline.

Reader threads read, hash, copy, decode and shrink images ahead; one thread runs the detector on batches; a writer
thread cuts regions and commits each batch while the next is scored. A result is announced once it is committed.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.domain import CancelToken, Emit, JobKind, ScoreMap
from inspector.errors import Cancelled, ImageError
from inspector.images import read
from inspector.images.find import counted, find
from inspector.jobs.engine import Engine
from inspector.jobs.events import Reporter, job
from inspector.jobs.judging import Judge, ReadFile, class_id_of
from inspector.records.detectors import find_detector
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.products import count_moved
from inspector.records.inspected.results import count_results, list_names
from inspector.records.inspected.runs import continue_run, start_run
from inspector.records.names import file_name
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.text import printable

if TYPE_CHECKING:
    from inspector.methods.detector import Detector


def inspect(
    project: Project,
    engine: Engine,
    sources: Sequence[Path],
    *,
    detector_id: int | None = None,
    class_name: str | None = None,
    run_id: int | None = None,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Inspect files and folders with one detector (the newest when None) and store every result.

    `class_name`: the class of all images; found per image when None. A file that can't be read becomes a failed
    item and the others go on. Stopped or failed, what was finished stays, and with its `run_id` and the same
    sources the rest is inspected later. `JobEnded.result`: `sources`, `root` (the folder that the names of
    results start in), `left_out` (a sentence), `run_id`, `detector_id`, `inspected`, `failed` (of this job), `computed_by`
    (device and runtime).
    """
    with job(project, JobKind.INSPECT, emit) as report:
        project.require_writable()
        row = find_detector(project, detector_id, class_name)
        class_id = None if class_name is None else class_id_of(row, class_name)
        found = find(sources)
        left_out = f"Left out: {counted(found.left_out)}." if found.left_out else ""
        root = _root(sources)
        files = _named(found.images, root)
        if not files:
            raise ImageError(
                f"There are no images to inspect. {left_out}".strip(),
                "Choose image files, or a folder that holds some.",
            )
        where = file_name(Path(sources[0]).absolute().name) if len(sources) == 1 else f"{len(files)} images"
        report.result = {
            "sources": [str(Path(source).absolute()) for source in sources],
            "root": str(root),
            "left_out": left_out,
        }
        report.start(f"Inspect {where} with #{row.id}", len(files))
        asked = len(files)
        if run_id is not None:
            files = _missing(project, run_id, sources, files)
        before = asked - len(files)
        report.progress(before, "Loading the detector")
        judge = Judge(project, engine, row, class_id)
        run = run_id
        if run is None:
            run = start_run(project, row.id, where, class_id=class_id, job_id=report.job_id)
        else:
            continue_run(project, run, report.job_id)
        report.result |= {"run_id": run, "detector_id": row.id, "inspected": 0, "failed": 0}
        report.result["computed_by"] = judge.backbone.device_note
        report.log(f"{row.label}, on {judge.backbone.device_note}.")
        noted: list[tuple[str, str]] = []

        def store(items: list[ReadFile], maps: list[ScoreMap | None]) -> None:
            noted.extend(_notes(judge.detector, items, maps))
            _store(project, report, run, judge.results(items, maps))
            report.progress(before + report.result["inspected"] + report.result["failed"])

        def reader(path: Path, name: str) -> ReadFile:
            return judge.read(name, partial(read.read_bytes, path), path)

        # closed, so that its readers end also when storing fails
        with (
            closing(_batches(files, judge.batch_size, reader, cancel)) as batches,
            ThreadPoolExecutor(1, "store") as writer,
            lanes(judge.backbone.device.type) as (scorer, side_by_side),
        ):
            scoring: deque[tuple[list[ReadFile], Future[list[ScoreMap | None]]]] = deque()
            stored: deque[Future[None]] = deque()
            for items in batches:
                scoring.append((items, scorer.submit(judge.scored, items)))
                while len(scoring) > side_by_side:
                    items, maps = scoring.popleft()
                    stored.append(writer.submit(store, items, maps.result()))
                while len(stored) > 2:
                    stored.popleft().result()
            for items, maps in scoring:
                if not (cancel.cancelled and maps.cancel()):  # what is being scored is still stored
                    stored.append(writer.submit(store, items, maps.result()))
            for future in stored:
                future.result()
        if cancel.cancelled:
            raise Cancelled
        report.message = " ".join(filter(None, (_summary(project, run), _note(noted), left_out)))


@contextmanager
def lanes(device: str) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Threads that score batches side by side, and how many they are.

    On a CPU, several batches with a few cores each beat one batch with all cores, which waits for its slowest part
    whenever a reader or the writer takes a core away. An accelerator takes one batch at a time.
    """
    from inspector.features.device import limit_threads, thread_count

    cores = thread_count()
    count = min(cores, 4) if device == "cpu" else 1
    try:
        with ThreadPoolExecutor(count, "score", limit_threads, (cores // count,)) as scorer:
            yield scorer, count
    finally:
        limit_threads(cores)


def _root(sources: Sequence[Path]) -> Path:
    """The deepest folder that holds everything that was asked for; an empty path when there are several drives."""
    asked = [_full(source) for source in sources]
    try:
        return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in asked]))
    except ValueError:
        return Path()


def _named(images: Sequence[Path], root: Path) -> list[tuple[Path, str]]:
    """Every image file with the name people will see: the path from `root`, which no other file has."""
    return [(path, file_name(_full(path).relative_to(root).as_posix())) for path in images]


def _full(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  (`resolve` would leave the folder through a linked image)


def _missing(
    project: Project, run_id: int, sources: Sequence[Path], files: Sequence[tuple[Path, str]]
) -> list[tuple[Path, str]]:
    """The files that have no result in a run yet. Raises `ImageError` when what was asked for is gone."""
    gone = next((Path(source) for source in sources if not Path(source).exists()), None)
    if gone is not None:
        raise ImageError(
            f"“{gone}” is no longer there, so the run can't be continued.",
            "Put it back in its place, or add the images that are missing anew.",
        )
    done = Counter(list_names(project, run_id))
    left = []
    for path, name in files:
        if done[name] > 0:
            done[name] -= 1
        else:
            left.append((path, name))
    return left


def _batches(
    files: Sequence[tuple[Path, str]],
    size: int,
    reader: Callable[[Path, str], ReadFile],
    cancel: CancelToken,
) -> Generator[list[ReadFile]]:
    """Batches in the order of the files, read ahead by threads; ends early when cancelled."""
    threads = min(8, max(2, (os.cpu_count() or 2) - 1))
    coming = iter(files)
    with ThreadPoolExecutor(threads, "read") as readers:
        ahead: deque[Future[ReadFile]] = deque()
        try:
            while not cancel.cancelled:
                for path, name in islice(coming, max(0, 2 * size + threads - len(ahead))):
                    ahead.append(readers.submit(reader, path, name))
                if not ahead:
                    return
                yield [ahead.popleft().result() for _ in range(min(size, len(ahead)))]
        finally:
            for future in ahead:
                future.cancel()


def _store(project: Project, report: Reporter, run_id: int, results: Sequence[NewResult]) -> None:
    """Commit a batch, then announce it."""
    ids = record_results(project, run_id, results)
    lost = sum(bool(result.error) for result in results)
    report.result["inspected"] += len(results) - lost
    report.result["failed"] += lost
    for result, result_id in zip(results, ids, strict=True):
        report.item(result.name, result_id, result.trouble)


def _notes(
    detector: "Detector", items: Sequence[ReadFile], maps: Sequence[ScoreMap | None]
) -> Iterator[tuple[str, str]]:
    """(name, what people should know of how it was read) of the images of which there is something to know."""
    for item, score_map in zip((item for item in items if item.images), maps, strict=True):
        own = None if score_map is None else item.images.get(detector.whites.get(score_map.class_name))
        image = own or next(iter(item.images.values()))
        if image.note:
            yield item.name, image.note


def _note(noted: Sequence[tuple[str, str]]) -> str:
    """What people should know of how images were read, by the first of them."""
    if not noted:
        return ""
    others = f" So with {len(noted) - 1} more." if len(noted) > 1 else ""
    dark = any("grey levels" in note for _, note in noted)
    advice = " Teach its class from such files, in the range that the Teach page offers." if dark else ""
    return f"“{printable(noted[0][0], 40)}”: {noted[0][1]}{others}{advice}"


def _summary(project: Project, run_id: int) -> str:
    counts = count_results(project, ResultFilter(run_id=run_id))
    parts = [f"{counts.ok} OK", f"{counts.review} to review", f"{counts.ng} NG"]
    if counts.other:
        moved = count_moved(project, run_id)
        which = "" if moved == counts.other else f"of {moved} of them "
        why = f" ({which}the camera or the part has moved)" if moved else ""
        parts.append(f"{counts.other} not this product{why}")
    if counts.failed:
        parts.append(f"{counts.failed} could not be inspected")
    return f"{counts.total} {'image' if counts.total == 1 else 'images'}: {', '.join(parts)}."
