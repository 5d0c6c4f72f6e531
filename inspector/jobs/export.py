"""Export: stored results → files, several formats in one go."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Emit, JobKind, ScoreMap
from inspector.errors import ExportError, InspectorError
from inspector.exports import catalogue
from inspector.exports.catalogue import MANIFEST
from inspector.exports.files import (
    check_free,
    digests,
    fresh_folder,
    publish,
    staging,
    write_manifest,
)
from inspector.exports.heat import scale
from inspector.exports.rows import ExportRow, drawable_size, load_map, outlined
from inspector.jobs.events import job
from inspector.records.audit import ActKind, record
from inspector.records.detectors import list_detectors, list_proposed
from inspector.records.disk.recovery import is_own
from inspector.records.inspected.results import ResultDetail, count_results, list_details, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.outlines import list_outlines
from inspector.records.project import Project
from inspector.records.result_filter import EVERYTHING, ResultFilter
from inspector.records.thresholds import list_calibrated, list_thresholds

EXPORTS = "exports"
"""Inside a project: where exports are offered to be written."""
_PIECE = 2000
_KEPT = 20_000
"""So many rows, some 30 MB, are kept from one format to the next."""


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

    For a single format, `target` may also be the file itself (`parts.csv`). Nothing is ever replaced: `target` must be
    new or an empty folder, and not among the project's own files. `export.json` (`parts.csv.export.json`) tells what was
    written and from where. What can't be exported of one result is said in the log and there, and the others go on.
    `JobEnded.result`: `folder`, `files`, `results`, `left_out` (how many such things).
    """
    with job(project, JobKind.EXPORT, emit) as report:
        wanted = list(dict.fromkeys(formats))
        unknown = next((name for name in wanted if name not in catalogue.FORMATS), None)
        if unknown or not wanted:
            said = f"There is no export format “{unknown}”." if unknown else "No format was chosen."
            raise ExportError(said, f"Choose from: {', '.join(catalogue.FORMATS)}.")
        target = _check_target(project, Path(target))
        ids = result_ids(project, filter)
        if not len(ids):
            raise ExportError("There are no results to export.", "Inspect images first, or clear the filter.")
        report.start(f"Export {len(ids)} {'result' if len(ids) == 1 else 'results'}", 100)
        rows = _Stored(project, ids, cancel)
        before = _state(project)
        form = catalogue.FORMATS[wanted[0]]
        one_file = len(wanted) == 1 and not form.is_folder and target.suffix.lower() == Path(form.file).suffix
        names = [form.file for form in map(catalogue.FORMATS.__getitem__, wanted)]

        left_out: list[str] = []

        def write(place: Callable[[str], Path]) -> None:
            for number, name in enumerate(wanted):

                def progress(done: float, message: str, _: Mapping[str, float], number: int = number) -> None:
                    report.progress(100 * (number + done) / len(wanted), message)

                for problem in catalogue.export(name, rows, place(name), progress=progress, cancel=cancel):
                    report.log(problem)
                    left_out.append(problem)
                report.item(names[number])

        def facts(root: Path) -> dict[str, Any]:
            about = {"project": project.name, "formats": wanted, **rows.sources()}
            return {**about, "left_out": left_out, "files": digests(root)}

        if one_file:
            manifest = f"{target.name}.{MANIFEST}"
            for path in (target, target.with_name(manifest)):
                check_free(path)
            with staging(target) as folder:
                write(lambda _: folder / target.name)
                write_manifest(folder / manifest, facts(folder / target.name))
                publish(folder / target.name, target)
                publish(folder / manifest, target.with_name(manifest))
            files = [target]
        else:
            with fresh_folder(target) as folder:
                write(lambda name: folder / catalogue.FORMATS[name].file)
                write_manifest(folder / MANIFEST, facts(folder))
            files = [target / name for name in names]
        if _state(project) != before:
            report.log(
                "Verdicts or thresholds changed while the export was written, so its files may disagree. Export again."
            )
        count = f"{len(rows):,} {'result' if len(rows) == 1 else 'results'}"
        record(project, ActKind.RESULTS_EXPORTED, count, new=str(target), reason=", ".join(wanted))
        report.progress(100, "Exported")
        report.message = f"{count} exported to {target}."
        if left_out:
            report.message += f" Left out: {left_out[0]}"
            if len(left_out) > 1:
                report.message += f" And {len(left_out) - 1} more, which {MANIFEST} names."
        report.result = {
            "folder": str(target),
            "files": [str(file) for file in files],
            "results": len(rows),
            "left_out": len(left_out),
        }


class _Stored:
    """The rows of these results, read in pieces: once where they are few enough to be kept, else for each format."""

    def __init__(self, project: Project, ids: NDArray[np.int64], cancel: CancelToken) -> None:
        self._project, self._ids, self._cancel = project, ids, cancel
        self._runs = {row.id: row for row in list_runs(project)}
        detectors = [*list_detectors(project), *list_proposed(project)]
        self._taught = {row.id: row.created for row in detectors}
        self._origins: dict[tuple[int, int], _Origin] = {}
        self._kept: list[ExportRow] = []

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[ExportRow]:
        if self._kept:
            yield from self._kept
            return
        kept: list[ExportRow] = []
        for start in range(0, len(self._ids), _PIECE):
            self._cancel.check()
            piece = list_details(self._project, self._ids[start : start + _PIECE])
            drawn = list_outlines(self._project, [detail.row.id for detail in piece])
            rows = [outlined(self._row(detail), drawn.get(detail.row.id)) for detail in piece]
            if len(self) <= _KEPT:
                kept += rows
            yield from rows
        self._kept = kept

    def sources(self) -> dict[str, Any]:
        """The runs and detectors that the rows came from."""
        seen = {run_id for run_id, _ in self._origins}
        runs = [run for run in self._runs.values() if run.id in seen]
        detectors = {key: origin for (_, key), origin in self._origins.items()}
        return {
            "results": len(self),
            "runs": [{"id": run.id, "label": run.label, "detector": run.detector_id} for run in runs],
            "detectors": [
                {"id": key, "label": one.detector, "taught": one.taught and one.taught.isoformat()}
                for key, one in detectors.items()
            ],
        }

    def _row(self, detail: ResultDetail) -> ExportRow:
        row = detail.row
        key = row.run_id, row.detector_id
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = self._origin(*key)
        other = row.verdict is Decision.OTHER  # nothing can be said of its defects
        made = ExportRow(
            row,
            detail.thresholds,
            () if other else detail.regions,
            origin.run,
            origin.detector,
            origin.taught,
            origin.scale,
            _joined(origin.root, row.name) if origin.root else "",
        )
        return made if other or detail.regions_current else _cut_anew(made)

    def _origin(self, run_id: int, detector_id: int) -> "_Origin":
        run = self._runs.get(run_id)
        return _Origin(
            run=run.label if run else f"#{run_id}",
            root=run.root if run else "",
            detector=run.detector_label if run else f"#{detector_id}",
            taught=self._taught.get(detector_id),
            scale=scale(list(list_calibrated(self._project, detector_id).values())),
        )


@dataclass(frozen=True, slots=True)
class _Origin:
    """What all rows of one run and detector say of them. `root`: the folder that their names start in."""

    run: str
    root: str
    detector: str
    taught: datetime | None
    scale: tuple[float, float]


def _joined(root: str, name: str) -> str:
    """`root` / `name` as text, without making paths where the name is plain: it is asked for each of a million rows."""
    if "//" in name or "/." in name or name[:1] in ("", "/", ".") or name[-1] == "/" or os.sep != "/":
        return str(Path(root) / name)
    return f"{_folder(root)}{name}"


@cache
def _folder(root: str) -> str:
    return str(Path(root) / "x")[:-1]


def _state(project: Project) -> object:
    """What no export may see change halfway."""
    detectors = {run.detector_id for run in list_runs(project)}
    numbers = {
        key: {c: row.thresholds.numbers for c, row in list_thresholds(project, key).items()}
        for key in detectors
    }
    return count_results(project), numbers


def _check_target(project: Project, target: Path) -> Path:
    """Where links lead, so that they stay. Raises `ExportError` for a place among the project's own files."""
    target = target.resolve()
    own = project.folder.resolve()
    inside = [part for part in (target, *target.parents) if part.exists() and part.samefile(own)]
    first = next(iter(target.relative_to(inside[0]).parts), "") if inside else None
    if first is not None and is_own(first):
        raise ExportError(
            f"“{target.name}” lies among the project's own files.",
            f"Choose a folder outside the project, or one in {own / EXPORTS}.",
        )
    return target


def _cut_anew(row: ExportRow) -> ExportRow:
    """Regions by thresholds that moved since they were stored; none where the map is gone."""
    from inspector.verdicts.judge import decide, judge

    result = row.result
    if row.thresholds is None or result.image_score is None:
        return row
    if decide(result.image_score, row.thresholds) is Decision.OK:
        return replace(row, regions=()) if row.regions else row
    try:
        score_map = ScoreMap(load_map(row), result.image_score, result.class_name)
        drawable_size(row)
    except InspectorError:
        return replace(row, regions=())
    return replace(row, regions=judge(score_map, row.thresholds, result.size).regions)
