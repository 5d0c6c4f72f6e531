"""The project that is damaged, and what people and programs
get to see of it, through the ways that they really take."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector import settings
from inspector.bench.drawn_parts import run_job
from inspector.domain import (
    CancelToken,
    Decision,
    Emit,
    JobEnded,
    JobEvent,
    JobItem,
    JobLog,
    JobStatus,
    Thresholds,
)
from inspector.errors import InspectorError
from inspector.exports import catalogue
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.methods.catalogue import SMALL
from inspector.methods.prompts.description import template
from inspector.records import project as projects
from inspector.records.classes import add_class, describe_class, find_class, list_classes, list_descriptions
from inspector.records.detectors import find_detector, list_detectors, list_memory, list_proposed
from inspector.records.inspected.results import (
    count_results,
    list_defect_types,
    list_details,
    list_results,
    result_ids,
)
from inspector.records.inspected.runs import list_runs
from inspector.records.inspected.scores import list_scores
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter, ResultSort
from inspector.records.reviews import add_review, list_reviews
from inspector.records.shots import add_shots, list_shots
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds
from inspector.text import is_printable

CLASS = "washer"
_SCORE = 1e-4


def make(top: Path, engine: Engine, methods: tuple[str, ...] = SMALL) -> None:
    """In `top`: `project` with a detector of each method, the last in
    charge; `home` with settings; and `probes`, images to inspect."""
    nothing = CancelToken()
    drawn = demo_parts.write_demo(
        top / "drawn", shots=2, good=2, defective=2, kinds=(CLASS, "cloth"), size=96
    )
    (top / "probes").mkdir()
    for state, file in (("good", "good/001.png"), ("bad", f"{demo_parts.DEFECTS[CLASS][0]}/000.png")):
        (drawn / CLASS / "test" / file).rename(top / "probes" / f"{state}.png")
    (top / "drawn" / CLASS / "test" / "broken.png").write_bytes(b"")
    with projects.create(top / "project", "Mutants") as project:
        for name in (CLASS, "cloth"):
            add_shots(project, add_class(project, name), sorted((drawn / name / "train" / "good").iterdir()))
        class_id = find_class(project, CLASS).id
        describe_class(project, class_id, template(CLASS))
        for method in methods:
            _teach(project, engine, method)
        sources = [drawn / name / "test" for name in (CLASS, "cloth")]
        run_job(lambda emit: inspect(project, engine, sources, emit=emit, cancel=nothing))
        row = find_detector(project)
        found = list_thresholds(project, row.id)[class_id].thresholds
        moved = Thresholds(found.review * 0.9, found.ng * 0.9, found.pixel * 0.9)
        set_thresholds(project, row.id, class_id, moved, who="Ada")
        add_review(
            project, result_ids(project)[1:3], Decision.NG, who="Ada", reason="burr", defect_type="burr"
        )
        add_review(project, result_ids(project)[2:3], Decision.OK, who="Bo")


def _teach(project: Project, engine: Engine, method: str) -> None:
    run_job(lambda emit: teach(project, engine, method=method, emit=emit, cancel=CancelToken()))


@dataclass
class Sight:
    """`facts`: a path such as "results/5/score" → what is seen. `said`: a path → the sentence that people get
    about it and all below it; "" stands for everything."""

    facts: dict[str, Any] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def wrong(self, right: "Sight") -> str:
        """What differs from what is right though nothing was said about it; "" when nothing does."""
        for path, value in right.facts.items():
            parts = path.split("/")
            above = ["", *("/".join(parts[:count]) for count in range(1, len(parts) + 1))]
            if any(one in self.said and one not in right.said for one in above):
                continue
            found = self.facts.get(path)
            if found is None and parts[0] in ("thresholds", "calibrated"):
                continue  # none is no wrong one: nothing is judged by it, and an inspection says so
            if not _same(found, value):
                return f"{path} is {found!r:.60}, not {value!r:.60}"
        return ""


def _same(found: Any, right: Any) -> bool:
    if isinstance(right, float):
        return isinstance(found, float) and abs(found - right) <= _SCORE * max(1.0, abs(right))
    return bool(found == right)


def look(folder: Path, engine: Engine, detector_id: int, probes: Path, target: Path) -> Sight:
    """Open, list, show, inspect, review and export. Raises
    whatever isn't an InspectorError, also out of jobs."""
    sight = Sight()

    @contextmanager
    def step(path: str) -> Iterator[None]:
        try:
            yield
        except InspectorError as error:
            if not is_printable(str(error)) or len(str(error)) < 20:
                raise AssertionError(f"no sentence: {error!r}") from error
            sight.said[path] = str(error)

    _, problems = settings.read()
    for problem in problems:
        if not is_printable(problem):
            raise AssertionError(f"no sentence: {problem!r}")
    with step(""), projects.open(folder) as project:
        if project.doubt:
            sight.said[""] = str(project.doubt)
        sight.facts["opened"] = True
        with step("lists"):
            _lists(project, sight.facts)
        with step("results"):
            _results(project, sight)
        with step("inspect"):
            _inspected(project, engine, detector_id, probes, sight)
        with step("review"):
            row_id = int(result_ids(project)[0])
            add_review(project, [row_id], Decision.NG, who="Cy")
            sight.facts["review"] = list_reviews(project, row_id)[-1].who
            sight.facts["review/verdict"] = list_results(project, [row_id])[0].override
            set_thresholds(project, 1, 1, Thresholds(0.2, 0.3, 0.2), who="Cy")
        with step("export"):
            _exported(project, target, sight)
    return sight


def _lists(project: Project, facts: dict[str, Any]) -> None:
    facts["lists/classes"] = len(list_classes(project))
    list_descriptions(project), list_jobs(project), list_defect_types(project)
    facts["lists/shots"] = [(row.sha256, row.missing) for row in list_shots(project)]
    facts["lists/runs"] = [row.id for row in list_runs(project)]
    rows = [*list_detectors(project), *list_proposed(project)]
    facts["lists/detectors"] = sorted(row.id for row in rows)
    for row in rows:
        facts[f"lists/memory/{row.id}"] = list_memory(project, row.id)
        for name, found in (
            ("thresholds", {key: one.thresholds for key, one in list_thresholds(project, row.id).items()}),
            ("calibrated", list_calibrated(project, row.id)),
        ):
            facts |= {
                f"{name}/{row.id}/{key}/{n}": value
                for key, one in found.items()
                for n, value in enumerate(one.numbers)
            }
        for class_id in row.classes:
            list_scores(project, row.id, class_id)


def _results(project: Project, sight: Sight) -> None:
    from inspector.views.review.result_loader import read_pixels

    ids = result_ids(project)
    for sort in ResultSort:
        sight.facts[f"results/sorted by {sort}"] = sorted(result_ids(project, sort=sort).tolist())
    details = list_details(project, ids)
    counts: dict[Any, int] = {}
    for detail in details:
        row, path = detail.row, f"results/{detail.row.id}"
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
        sight.facts |= {
            f"{path}/score": row.image_score,
            f"{path}/decision": row.decision,
            f"{path}/override": row.override,
            f"{path}/verdict": row.verdict,
            f"{path}/class": row.class_id,
            f"{path}/image": row.sha256,
            f"{path}/size": row.size,
            f"{path}/regions": [region.box for region in detail.regions]
            if detail.regions_current
            else "cut anew",
            f"{path}/thresholds": detail.thresholds and detail.thresholds.numbers,
        }
        if row.error:
            sight.said[path] = row.error
        shown = read_pixels(row)
        if shown.trouble or shown.note:
            sight.said[f"{path}/map"] = shown.trouble or shown.note
        sight.facts[f"{path}/map"] = (
            None if shown.values is None else hashlib.sha256(shown.values.tobytes()).hexdigest()
        )
    if not any(detail.row.error == "The stored record of this result is damaged." for detail in details):
        told = count_results(project)
        sight.facts["results/counts agree"] = told.total == len(details) and all(
            counts.get(verdict, 0) == number
            for verdict, number in (
                (Decision.OK, told.ok),
                (Decision.REVIEW, told.review),
                (Decision.NG, told.ng),
                (Decision.OTHER, told.other),
            )
        )
    else:
        sight.said["results/counts agree"] = "A row is damaged."


def _inspected(project: Project, engine: Engine, detector_id: int, probes: Path, sight: Sight) -> None:
    row = find_detector(project, detector_id)
    ended = _run(
        lambda emit: inspect(
            project, engine, [probes], detector_id=row.id, class_name=CLASS, emit=emit, cancel=CancelToken()
        )
    )
    for found in list_results(project, result_ids(project, ResultFilter(run_id=ended.result["run_id"]))):
        path = f"inspect/{found.name}"
        sight.facts |= {f"{path}/score": found.image_score, f"{path}/verdict": found.verdict}
        if found.error:
            sight.said[path] = found.error


def _exported(project: Project, target: Path, sight: Sight) -> None:
    stored = ResultFilter(run_id=1)  # not the inspection just now
    formats = list(catalogue.FORMATS)
    ended = _run(
        lambda emit: export(project, target, formats, filter=stored, emit=emit, cancel=CancelToken())
    )
    left_out = json.loads((target / catalogue.MANIFEST).read_bytes())["left_out"]
    for line in (target / "results.jsonl").read_text("utf-8").splitlines():
        made = json.loads(line)
        path = f"export/{made['result_id']}"
        sight.facts[f"{path}/verdict"] = made["verdict"]
        if made["error"]:
            sight.said[path] = made["error"]
    sight.facts["export/maps"] = len(list((target / "maps").rglob("*.npy")))
    if left_out:
        sight.said["export/maps"] = ended.message


def _run(work: Callable[[Emit], None]) -> JobEnded:
    """The end of a job that went well. Raises InspectorError with
    what it says, AssertionError for an error of another kind."""
    events: list[JobEvent] = []
    work(events.append)
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    lines = [event.error for event in events if isinstance(event, JobItem)]
    lines += [event.message for event in events if isinstance(event, JobLog)]
    for text in (*lines, ended.message):
        if "unexpectedly" in text or not is_printable(text):
            raise AssertionError(text)
    if ended.status is not JobStatus.DONE:
        raise InspectorError(ended.message, ended.hint)
    return ended


def content(folder: Path) -> Mapping[str, str]:
    """Every file below a folder, by its path there → sha256,
    without what belongs to the database and the lock."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("project.", "lock-owner"))
    }
