"""What a project with very many results costs: opening it, a
page, a filter, a threshold, a person's words, an export."""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inspector.bench.drawn_parts import run_job
from inspector.bench.memory import peak_memory_mib
from inspector.domain import CancelToken, Decision, Image, JobKind, JobStatus, Thresholds
from inspector.exports.catalogue import FORMATS
from inspector.images.demo import parts as demo_parts
from inspector.jobs.export import export
from inspector.methods.catalogue import QUICK
from inspector.records import project as projects
from inspector.records import schema as t
from inspector.records.classes import add_class
from inspector.records.files import ImageFacts, image_ids, keep_image, keep_map
from inspector.records.inspected.results import count_results, list_results, result_ids
from inspector.records.inspected.runs import list_runs, start_run
from inspector.records.jobs import end_job, start_job
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter, ResultSort
from inspector.records.reviews import add_review, withdraw_review
from inspector.records.shots import add_shots, list_shots
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.records.thresholds import set_thresholds
from inspector.verdicts.judge import decide_all

THRESHOLDS = Thresholds(
    0.5, 0.6, 0.4, {"method": "leave-one-out", "wanted": 0.05, "scores": [0.2, 0.3, 0.35]}
)
MOVED = Thresholds(0.5, 0.57, 0.4)
OVERRIDDEN = 10_000
TEXTS = ("csv", "jsonl", "report", "coco")
PART = 300
"""So many results have image and map files, for the formats that draw."""
_RUNS = 20
_PIECE = 10_000
_PAGE = 100
_SIDE = 256


def records(results: int = 1_000_000, *, repeats: int = 5) -> dict[str, Any]:
    """Make a project with so many results and measure its own routines
    on it; seconds, medians of `repeats` for what changes nothing.

    `open_s`: opening the project; `runs_s`: its runs with their counts; `page_ms`: 100 rows in the middle;
    `filter_s`, `sort_s`: all ids in order and, for a filter, the counts, for the slowest (`filters`, `sorts`
    hold each); `threshold_s`: one move of a threshold (`flips` verdicts changed); `override_s`: a person's
    word on 10,000 results, and `undo_s` taking it back; `export_s`: CSV of everything, for which a processor
    was busy for `export_cpu_s`. `texts`: one run, a twentieth of all, in each of `TEXTS`; `formats`: the last
    300 results in every format; with `…_together_s` all of them in one export. Memory that the process had at
    most: `made_mib` for making the project, `export_mib` when CSV was written, `peak_mib` in the end.
    """
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as name:
        folder = Path(name) / "project"
        began = time.perf_counter()
        detector_id, class_id, part = make(folder, results)
        made_s = time.perf_counter() - began
        made_mib = peak_memory_mib()
        opened = [_seconds(lambda: projects.open(folder).close()) for _ in range(repeats)]
        with projects.open(folder) as project:

            def listing(where: ResultFilter, sort: ResultSort = ResultSort.TIME) -> float:
                def ask() -> None:
                    result_ids(project, where, sort=sort)
                    if where != ResultFilter():
                        count_results(project, where)

                return statistics.median(_seconds(ask) for _ in range(repeats))

            middle = result_ids(project, limit=repeats * _PAGE, offset=results // 2)
            pages = [
                _seconds(partial(list_results, project, middle[at : at + _PAGE]))
                for at in range(0, len(middle), _PAGE)
            ]
            filters = {
                "class": listing(ResultFilter(class_id=class_id)),
                "NG": listing(ResultFilter(verdict=Decision.NG)),
                "OK": listing(ResultFilter(verdict=Decision.OK)),
                "failed": listing(ResultFilter(failed=True)),
                "score": listing(ResultFilter(score_from=0.3, score_to=0.6)),
                "text": listing(ResultFilter(text="07.png")),
            }
            sorts = {sort.value: listing(ResultFilter(), sort) for sort in ResultSort}
            runs = [_seconds(lambda: list_runs(project)) for _ in range(repeats)]

            flips: list[int] = []
            moved = _seconds(
                lambda: flips.append(set_thresholds(project, detector_id, class_id, MOVED).flipped)
            )
            chosen = result_ids(project, ResultFilter(failed=False), limit=OVERRIDDEN, offset=results // 3)
            added: list[int] = []
            override = _seconds(lambda: added.extend(add_review(project, chosen, Decision.OK, who="Bench")))
            undo = _seconds(lambda: withdraw_review(project, added, who="Bench"))
            add_review(project, chosen[::2], Decision.NG, who="Bench", reason="seen", defect_type="scratch")

            def write(what: ResultFilter, *formats: str) -> float:
                target = Path(name) / f"{what.run_id or 'all'} {len(formats)} {formats[0]}"
                return _seconds(
                    lambda: run_job(
                        lambda emit: export(
                            project, target, formats, filter=what, emit=emit, cancel=CancelToken()
                        )
                    )
                )

            busy = time.process_time()
            csv_s = write(ResultFilter(), "csv")
            busy = time.process_time() - busy
            csv_mib = peak_memory_mib()
            shift = ResultFilter(run_id=list_runs(project)[-1].id)
            texts = {form: write(shift, form) for form in TEXTS}
            texts_together = write(shift, *TEXTS)
            drawn = ResultFilter(run_id=part)
            formats = {form: write(drawn, form) for form in FORMATS}
            together = write(drawn, *FORMATS)
    return {
        "results": results,
        "make_s": round(made_s, 2),
        "open_s": round(statistics.median(opened), 4),
        "runs_s": round(statistics.median(runs), 4),
        "page_ms": round(1000 * statistics.median(pages), 2),
        "filter_s": round(max(filters.values()), 4),
        "sort_s": round(max(sorts.values()), 4),
        "threshold_s": round(moved, 4),
        "flips": flips[0],
        "override_s": round(override, 4),
        "undo_s": round(undo, 4),
        "overridden": len(chosen),
        "export_s": round(csv_s, 3),
        "export_cpu_s": round(busy, 3),
        "texts": {key: round(value, 3) for key, value in texts.items()},
        "texts_together_s": round(texts_together, 3),
        "formats": {key: round(value, 3) for key, value in formats.items()},
        "formats_together_s": round(together, 3),
        "filters": {key: round(value, 4) for key, value in filters.items()},
        "sorts": {key: round(value, 4) for key, value in sorts.items()},
        "made_mib": made_mib and round(made_mib, 1),
        "export_mib": csv_mib and round(csv_mib, 1),
        "peak_mib": (peak := peak_memory_mib()) and round(peak, 1),
    }


def make(folder: Path, results: int) -> tuple[int, int, int]:
    """A project in which two classes were inspected in many
    runs: (detector, one class, the run of the last results).

    Of every 1,000 items one failed, and about a quarter isn't OK and has a region or two. Rows name image and
    map files that aren't there, but for those of the last run, which share a few.
    """
    with projects.create(folder, "Benchmark") as project:
        classes = [add_class(project, f"Part {letter}") for letter in "AB"]
        drawn = [_drawn(number) for number in range(6)]
        for class_id, own in zip(classes, (drawn[:2], drawn[2:4]), strict=True):
            add_shots(project, class_id, [(f"{number}.png", data) for number, (_, data) in enumerate(own)])
        staging = detector_staging(project)
        for name in ("detector.json", "detector.safetensors"):
            (staging / name).write_bytes(b"{}")
        detector_id = add_detector(
            project,
            NewDetector(
                folder=staging,
                title="Benchmark",
                method=QUICK,
                backbone={"key": "none"},
                settings={},
                false_alarm_rate=0.05,
                shot_ids=[shot.id for shot in list_shots(project)],
                held_out={key: [0.2, 0.3, 0.35] for key in classes},
                thresholds=dict.fromkeys(classes, THRESHOLDS),
            ),
        )
        part = min(PART, results)
        sizes = np.diff(np.linspace(0, results - part, _RUNS + 1).astype(int)).tolist()
        runs = [
            (_run(project, detector_id, f"Shift {n}", size), size) for n, size in enumerate(sizes) if size
        ]
        last = _run(project, detector_id, "Drawn", part)
        made = _Made(detector_id, classes)
        for run_id, size in runs:
            for rows in made.pieces(run_id, size):
                _insert(project, rows)
        shared = [_keep(project, last, number, data) for number, (_, data) in enumerate(drawn)]
        for rows in made.pieces(last, part, shared):
            _insert(project, rows)
    return detector_id, classes[0], last


_Rows = dict[Any, list[dict[str, Any]]]


class _Made:
    """Draws rows of the tables, the same for every call."""

    def __init__(self, detector_id: int, classes: list[int]) -> None:
        self._detector_id, self._classes = detector_id, classes
        self._number = 0
        self._images = 100  # those of shots and shared ones come before
        self._rng = np.random.default_rng(5)

    def pieces(self, run_id: int, size: int, shared: list[tuple[int, str]] | None = None) -> Iterator[_Rows]:
        """Rows by table. `shared`: image row and map of each that lie there as files."""
        for start in range(0, size, _PIECE):
            yield self._piece(run_id, min(_PIECE, size - start), shared)

    def _piece(self, run_id: int, size: int, shared: list[tuple[int, str]] | None) -> _Rows:
        rows: _Rows = {t.StoredImage: [], t.Result: [], t.Region: []}
        scores = self._rng.beta(4, 6, size).round(6)
        severities = decide_all(scores, THRESHOLDS)
        decisions = list(Decision)
        for score, severity in zip(scores.tolist(), severities.tolist(), strict=True):
            self._number += 1
            number = self._number
            failed = number % 1000 == 500
            image_id, kept = self._image(rows, run_id, number, shared)
            rows[t.Result].append(
                {
                    "id": number,
                    "run_id": run_id,
                    "detector_id": self._detector_id,
                    "image_id": None if failed else image_id,
                    "class_id": self._classes[number % len(self._classes)],
                    "name": f"line {number % 7}/part {number:07}.png",
                    "image_score": None if failed else score,
                    "class_confidence": None if failed else 1.0,
                    "decision": None if failed else decisions[severity],
                    "map": None if failed else kept,
                    "regions_threshold_id": 1 + number % len(self._classes),
                    "error": "The image can't be read." if failed else "",
                    "hint": "Save it again." if failed else "",
                    "created": datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=number / 4),
                }
            )
            for region in range(0 if failed or not severity else 1 + number % 2):
                x, y = number % 90, 10 + 100 * region
                box = {"x": x, "y": y, "width": 30, "height": 20}
                rows[t.Region].append({"result_id": number, "area": 450, "peak": score, **box})
        return rows

    def _image(
        self, rows: _Rows, run_id: int, number: int, shared: list[tuple[int, str]] | None
    ) -> tuple[int, str]:
        if shared:
            return shared[number % len(shared)]
        self._images += 1
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        size = {"width": _SIDE, "height": _SIDE}
        rows[t.StoredImage].append(
            {"id": self._images, "sha256": sha256, "suffix": ".png", "mode": "RGB 8 bit", **size}
        )
        return self._images, f"maps/{run_id}/{sha256}.npy"


def _insert(project: Project, rows: _Rows) -> None:
    with project.writing() as session:
        for table, values in rows.items():
            if values:
                session.execute(table.__table__.insert(), values)


def _run(project: Project, detector_id: int, title: str, size: int) -> int:
    asked = {"sources": [f"/line/{title}"], "root": f"/line/{title}"}
    job_id = start_job(project, JobKind.INSPECT, f"Inspect {size} images", size, asked)
    end_job(project, job_id, JobStatus.DONE, result=asked)
    return start_run(project, detector_id, title, job_id=job_id)


def _drawn(number: int) -> tuple[Any, bytes]:
    import cv2

    kind = demo_parts.KINDS[0]
    defect = demo_parts.DEFECTS[kind][0] if number % 2 else None
    pixels, _ = demo_parts.draw(kind, number, defect, _SIDE)
    return pixels, bytes(cv2.imencode(".png", pixels[..., ::-1])[1])


def _keep(project: Project, run_id: int, number: int, data: bytes) -> tuple[int, str]:
    """Image and map of one drawn part as files of the project: (image row, name of the map)."""
    from inspector.images.read import decode

    image: Image = decode(data, f"{number}.png")
    facts = ImageFacts.of(image, data)
    keep_image(project, facts, data)
    values = np.full((28, 28), 0.1, np.float32)
    values[8:14, 10:16] = 0.2 + 0.1 * number
    with project.writing() as session:
        image_id = image_ids(project, session, [facts])[facts.sha256]
    return image_id, keep_map(project, run_id, facts.sha256, values)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
