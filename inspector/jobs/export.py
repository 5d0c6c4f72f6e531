"""Export: stored results → files, several formats in one go."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from inspector.domain import CancelToken, Emit, JobKind, ScoreMap, Thresholds
from inspector.errors import ExportError, InspectorError
from inspector.exports import catalogue
from inspector.exports.rows import ExportRow, load_map
from inspector.jobs.events import job
from inspector.records.detectors import list_detectors
from inspector.records.project import Project
from inspector.records.result_filter import EVERYTHING, ResultFilter
from inspector.records.results import ResultDetail, list_details, result_ids
from inspector.records.runs import list_runs
from inspector.records.thresholds import list_calibrated

_READ = 10.0
"""Per cent of the bar after the rows were read."""


def export(
    project: Project,
    target: Path,
    formats: Iterable[str],
    *,
    filter: ResultFilter = EVERYTHING,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Write the results that match `filter` into the folder `target`, each format under its name in `exports.catalogue`.

    For a single format, `target` may also be the file itself (`parts.csv`). What can't be exported of one result is
    said in the log and the others go on. `JobEnded.result`: `folder`, `files`, `results`.
    """
    with job(project, JobKind.EXPORT, emit) as report:
        wanted = list(dict.fromkeys(formats))
        unknown = next((name for name in wanted if name not in catalogue.FORMATS), None)
        if unknown or not wanted:
            said = f"There is no export format “{unknown}”." if unknown else "No format was chosen."
            raise ExportError(said, f"Choose from: {', '.join(catalogue.FORMATS)}.")
        target = Path(target).absolute()
        ids = result_ids(project, filter)
        if not len(ids):
            raise ExportError("There are no results to export.", "Inspect images first, or clear the filter.")
        report.start(f"Export {len(ids)} {'result' if len(ids) == 1 else 'results'}", 100)
        rows: list[ExportRow] = []
        make = _row_maker(project)
        for start in range(0, len(ids), 500):
            cancel.check()
            rows += [make(detail) for detail in list_details(project, ids[start : start + 500])]
            report.progress(_READ * len(rows) / len(ids), "Reading results")
        files = []
        for number, name in enumerate(wanted):
            form = catalogue.FORMATS[name]
            single = (
                len(wanted) == 1 and not form.is_folder and target.suffix.lower() == Path(form.file).suffix
            )
            file = target if single else target / form.file

            def progress(done: float, message: str, _: Mapping[str, float], number: int = number) -> None:
                share = (number + done) / len(wanted)
                report.progress(_READ + (100 - _READ) * share, message)

            for problem in catalogue.export(name, rows, file, progress=progress, cancel=cancel):
                report.log(problem)
            files.append(str(file))
            report.item(file.name)
        report.progress(100, "Exported")
        report.message = f"{len(rows)} {'result' if len(rows) == 1 else 'results'} exported to {target}."
        report.result = {"folder": str(target), "files": files, "results": len(rows)}


def _row_maker(project: Project) -> Callable[[ResultDetail], ExportRow]:
    from inspector.exports.heat import scale

    runs = {row.id: row.title for row in list_runs(project)}
    titles = {row.id: row.title for row in list_detectors(project)}
    scales: dict[int, tuple[float, float]] = {}

    def make(detail: ResultDetail) -> ExportRow:
        row = detail.row
        if row.detector_id not in scales:
            scales[row.detector_id] = scale(list(list_calibrated(project, row.detector_id).values()))
        words = [review for review in detail.reviews if review.withdraws is None and not review.withdrawn]
        word = words[-1] if words else None
        made = ExportRow(
            result_id=row.id,
            name=row.name,
            time=row.created,
            run=runs.get(row.run_id, ""),
            detector=titles.get(row.detector_id, ""),
            sha256=row.sha256,
            size=row.size,
            class_name=row.class_name,
            class_confidence=row.class_confidence,
            image_score=row.image_score,
            decision=row.decision,
            thresholds=detail.thresholds,
            regions=detail.regions,
            override=row.override,
            reason=word.reason if word else "",
            defect_type=row.defect_type,
            reviewer=word.who if word else "",
            reviewed=row.reviewed,
            is_shot=row.is_shot,
            scale=scales[row.detector_id],
            path=row.path,
            map_path=row.map_path,
            error=f"{row.error} {row.hint}".strip(),
        )
        return made if detail.regions_current else _cut_anew(made, detail.thresholds)

    return make


def _cut_anew(row: ExportRow, thresholds: Thresholds | None) -> ExportRow:
    """Regions by thresholds that moved since they were stored; none where the map is gone."""
    from inspector.verdicts.judge import judge

    if thresholds is None or row.image_score is None:
        return row
    try:
        score_map = ScoreMap(load_map(row), row.image_score, row.class_name)
    except InspectorError:
        return replace(row, regions=())
    return replace(row, regions=judge(score_map, thresholds, row.size).regions)
